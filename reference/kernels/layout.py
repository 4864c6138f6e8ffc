"""Permutations, splits, concatenation, and rows by index, with gradients."""
import torch


def cases() -> dict[str, torch.Tensor]:
    out = {}
    x = torch.randn(3, 4, 2, 5, requires_grad=True)
    y = x.permute(2, 0, 3, 1)
    g = torch.randn_like(y)
    y.backward(g)
    out |= {"permute.x": x, "permute.y": y, "permute.grad.y": g, "permute.grad.x": x.grad}
    x = torch.randn(6, 7, requires_grad=True)
    rows = torch.randn(3, 7, requires_grad=True)
    ids = torch.tensor([4, 0, 5])
    y = x.index_copy(0, ids, rows)
    g = torch.randn_like(y)
    y.backward(g)
    out |= {"scatter.x": x, "scatter.rows": rows, "scatter.ids": ids.int(), "scatter.y": y, "scatter.grad.y": g}
    out |= {"scatter.grad.x": x.grad, "scatter.grad.rows": rows.grad}
    x = torch.randn(6, 7, requires_grad=True)
    ids = torch.tensor([2, 2, 5, 0, 2])
    y = x[ids]
    g = torch.randn_like(y)
    y.backward(g)
    out |= {"gather.x": x, "gather.ids": ids.int(), "gather.y": y, "gather.grad.y": g, "gather.grad.x": x.grad}
    return out
