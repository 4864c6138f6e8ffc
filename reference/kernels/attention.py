"""Attention over segments: torch's scaled_dot_product_attention with an explicit mask, one batch of packed tokens."""
import torch
import torch.nn.functional as F

# name: heads, key heads, dim, causal, tokens, segments (start, end, prefix start, prefix end)
CASES = {
    "packed": (2, 2, 20, True, 24, [(0, 9, 0, 0), (9, 10, 0, 0), (10, 24, 0, 0)]),
    "full": (2, 1, 20, False, 20, [(0, 12, 0, 0), (12, 20, 0, 0)]),
    "prefix": (4, 2, 20, True, 26, [(0, 11, 0, 0), (11, 15, 0, 11), (15, 16, 0, 11), (16, 26, 0, 11)]),
    "wide": (7, 1, 64, True, 18, [(0, 18, 0, 0)]),
}


def mask(tokens: int, segments: list, causal: bool) -> torch.Tensor:
    sees = torch.zeros(tokens, tokens, dtype=torch.bool)
    for start, end, prefix_start, prefix_end in segments:
        own = torch.ones(end - start, end - start, dtype=torch.bool)
        sees[start:end, start:end] = own.tril() if causal else own
        sees[start:end, prefix_start:prefix_end] = True
    return sees


def cases() -> dict[str, torch.Tensor]:
    out = {}
    for name, (heads, kv_heads, dim, causal, tokens, segments) in CASES.items():
        q = torch.randn(tokens, heads, dim, requires_grad=True)
        k, v = (torch.randn(tokens, kv_heads, dim, requires_grad=True) for _ in range(2))
        grad_out = torch.randn(tokens, heads, dim)
        y = F.scaled_dot_product_attention(
            *(x.transpose(0, 1)[None].double() for x in (q, k, v)),
            attn_mask=mask(tokens, segments, causal),
            enable_gqa=True,
        )
        y = y[0].transpose(0, 1).float()
        y.backward(grad_out)
        values = {"q": q, "k": k, "v": v, "gradOut": grad_out, "out": y}
        grads = {"grad.q": q.grad, "grad.k": k.grad, "grad.v": v.grad}
        table = {"segments": torch.tensor(segments, dtype=torch.int32), "causal": torch.tensor([int(causal)], dtype=torch.int32)}
        for key, value in {**values, **grads, **table}.items():
            out[f"{name}.{key}"] = value
    return out
