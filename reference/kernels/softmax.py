"""softmax and logSoftmax over the last axis."""
import torch


def cases() -> dict[str, torch.Tensor]:
    out = {}
    for name, op in (("softmax", torch.softmax), ("logSoftmax", torch.log_softmax)):
        x = (torch.randn(4, 3, 37) * 4).requires_grad_()
        y = op(x, dim=-1)
        g = torch.randn_like(y)
        y.backward(g)
        out |= {f"{name}.x": x, f"{name}.y": y, f"{name}.grad.y": g, f"{name}.grad.x": x.grad}
    return out
