"""RMSNorm and LayerNorm over the last axis, with gradients; h = x + residual for the fused form."""
import torch
import torch.nn.functional as F


def cases() -> dict[str, torch.Tensor]:
    out = {}
    n = 72
    for name in ("rmsNorm", "layerNorm"):
        x = (torch.randn(3, 5, n) * 2 + 0.5).requires_grad_()
        residual = torch.randn(3, 5, n).requires_grad_()
        weight = (torch.randn(n) * 0.3 + 1).requires_grad_()
        bias = torch.randn(n).requires_grad_()
        h = x + residual
        y = F.rms_norm(h, (n,), weight, 1e-6) if name == "rmsNorm" else F.layer_norm(h, (n,), weight, bias, 1e-6)
        gy, gh = torch.randn_like(y), torch.randn_like(h)
        torch.autograd.backward([y, h], [gy, gh])
        tensors = {"x": x, "residual": residual, "weight": weight, "bias": bias, "h": h, "y": y}
        out |= {f"{name}.{k}": v for k, v in tensors.items()}
        out |= {f"{name}.grad.y": gy, f"{name}.grad.h": gh}
        out |= {f"{name}.grad.{k}": v.grad for k, v in tensors.items() if v.is_leaf and v.grad is not None}
    return out
