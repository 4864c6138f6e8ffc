"""Linear layers and batched products with gradients; products with the epilogues that kernels fuse."""
import torch
import torch.nn.functional as F


def cases() -> dict[str, torch.Tensor]:
    out = {}
    for name, dtype in {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}.items():
        x = torch.randn(2, 9, 21).requires_grad_()
        weight = (torch.randn(17, 21) / 5).to(dtype)
        wide = weight.float().requires_grad_()
        bias = torch.randn(17).requires_grad_()
        y = F.linear(x, wide, bias)
        g = torch.randn_like(y)
        y.backward(g)
        out |= {f"linear.{name}.x": x, f"linear.{name}.weight": wide, f"linear.{name}.bias": bias}
        out |= {f"linear.{name}.y": y, f"linear.{name}.grad.y": g, f"linear.{name}.grad.x": x.grad}
        out |= {f"linear.{name}.grad.weight": wide.grad, f"linear.{name}.grad.bias": bias.grad}
    a, b = torch.randn(3, 7, 10).requires_grad_(), torch.randn(3, 10, 5).requires_grad_()
    y = a @ b
    g = torch.randn_like(y)
    y.backward(g)
    out |= {"batched.a": a, "batched.b": b, "batched.y": y, "batched.grad.y": g}
    out |= {"batched.grad.a": a.grad, "batched.grad.b": b.grad}
    x, weight, bias = torch.randn(11, 13), torch.randn(19, 13), torch.randn(19)
    residual = torch.randn(11, 19)
    out |= {"epilogue.x": x, "epilogue.weight": weight, "epilogue.bias": bias, "epilogue.residual": residual}
    for name, op in {
        "gelu": F.gelu,
        "gelu-tanh": lambda v: F.gelu(v, approximate="tanh"),
        "quick-gelu": lambda v: v * torch.sigmoid(1.702 * v),
        "silu": F.silu,
        "relu": F.relu,
    }.items():
        out[f"epilogue.{name}"] = op(F.linear(x, weight, bias)) + residual
    return out
