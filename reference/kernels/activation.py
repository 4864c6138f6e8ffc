"""Activations over a range of arguments, and SwiGLU, with gradients."""
import torch
import torch.nn.functional as F

OPS = {
    "silu": F.silu,
    "gelu": F.gelu,
    "geluTanh": lambda x: F.gelu(x, approximate="tanh"),
    "quickGelu": lambda x: x * torch.sigmoid(1.702 * x),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}


def cases() -> dict[str, torch.Tensor]:
    out = {}
    for name, op in OPS.items():
        x = torch.linspace(-9, 9, 301).requires_grad_()
        y = op(x)
        y.backward(torch.ones_like(y))
        out |= {f"{name}.x": x, f"{name}.y": y, f"{name}.grad.x": x.grad}
    gate, up = torch.randn(5, 21).requires_grad_(), torch.randn(5, 21).requires_grad_()
    y = F.silu(gate) * up
    g = torch.randn_like(y)
    y.backward(g)
    out |= {"swiglu.gate": gate, "swiglu.up": up, "swiglu.y": y, "swiglu.grad.y": g}
    out |= {"swiglu.grad.gate": gate.grad, "swiglu.grad.up": up.grad}
    return out
