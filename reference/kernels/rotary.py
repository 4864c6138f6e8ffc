"""Rotary embeddings as Hugging Face's Qwen models compute them: plain, M-RoPE, and 2-D for vision."""
import torch


def rotate_half(x: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, dim=-1)
    return torch.cat((-b, a), dim=-1)


def frequencies(dim: int, theta: float) -> torch.Tensor:
    return 1.0 / (theta ** (torch.arange(0, dim, 2, dtype=torch.int64).float() / dim))


def apply(angles: torch.Tensor, heads: int) -> dict[str, torch.Tensor]:
    full = torch.cat((angles, angles), dim=-1)
    cos, sin = full.cos()[:, None], full.sin()[:, None]
    x = torch.randn(angles.shape[0], heads, full.shape[-1], requires_grad=True)
    y = x * cos + rotate_half(x) * sin
    g = torch.randn_like(y)
    y.backward(g)
    return {"angles": angles, "x": x, "y": y, "grad.y": g, "grad.x": x.grad}


def cases() -> dict[str, torch.Tensor]:
    out = {}
    plain = torch.tensor([0, 1, 2, 17, 900, 32000])
    out["plain.positions"] = plain.int()
    out |= {f"plain.{k}": v for k, v in apply(plain[:, None].float() * frequencies(64, 1e6), 2).items()}
    positions = torch.tensor([[0, 1, 2, 2, 2, 2, 5], [0, 1, 2, 2, 3, 3, 5], [0, 1, 2, 3, 2, 3, 5]])
    sections = [16, 24, 24]
    all_angles = positions[:, :, None].float() * frequencies(128, 1e6)
    mrope = torch.cat([a[i] for i, a in enumerate(all_angles.split(sections, dim=-1))], dim=-1)
    out["mrope.positions"] = positions.int()
    out |= {f"mrope.{k}": v for k, v in apply(mrope, 3).items()}
    rows, columns = torch.tensor([0, 0, 1, 1, 30]), torch.tensor([0, 1, 0, 1, 41])
    f = frequencies(40, 1e4)
    vision = torch.cat((rows[:, None].float() * f, columns[:, None].float() * f), dim=-1)
    out |= {"vision.rows": rows.int(), "vision.columns": columns.int()}
    out |= {f"vision.{k}": v for k, v in apply(vision, 2).items()}
    return out
