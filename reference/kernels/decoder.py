"""Three AdamW steps of the decoder of kernels-tests/support/decoder.ts: losses, and weights before and after."""
import torch
import torch.nn.functional as F

LAYERS, WIDTH, HEADS, KV_HEADS, HIDDEN, VOCAB = 2, 64, 4, 2, 96, 97
LENGTHS = [17, 30, 13]


def parameters():
    head_dim = WIDTH // HEADS
    shapes = {"embed": (VOCAB, WIDTH)}
    for i in range(LAYERS):
        shapes |= {
            f"{i}.norm1": (WIDTH,),
            f"{i}.q": (WIDTH, WIDTH),
            f"{i}.k": (KV_HEADS * head_dim, WIDTH),
            f"{i}.v": (KV_HEADS * head_dim, WIDTH),
            f"{i}.o": (WIDTH, WIDTH),
            f"{i}.norm2": (WIDTH,),
            f"{i}.gate": (HIDDEN, WIDTH),
            f"{i}.up": (HIDDEN, WIDTH),
            f"{i}.down": (WIDTH, HIDDEN),
        }
    shapes |= {"norm": (WIDTH,), "head": (VOCAB, WIDTH)}
    return {
        name: torch.nn.Parameter(1 + 0.1 * torch.randn(s) if len(s) == 1 else torch.randn(s) * s[1] ** -0.5)
        for name, s in shapes.items()
    }


def loss_of(p, tokens, targets, mask):
    def norm(x, w):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * w

    x = p["embed"][tokens]
    for i in range(LAYERS):
        h = norm(x, p[f"{i}.norm1"])
        q, k, v = ((h @ p[f"{i}.{n}"].T).view(len(tokens), -1, WIDTH // HEADS).transpose(0, 1) for n in "qkv")
        k, v = (t.repeat_interleave(HEADS // KV_HEADS, 0) for t in (k, v))
        mixed = F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=mask)[0]
        x = x + mixed.transpose(0, 1).reshape(len(tokens), WIDTH) @ p[f"{i}.o"].T
        n = norm(x, p[f"{i}.norm2"])
        x = x + (F.silu(n @ p[f"{i}.gate"].T) * (n @ p[f"{i}.up"].T)) @ p[f"{i}.down"].T
    return F.cross_entropy(norm(x, p["norm"]) @ p["head"].T, targets)


def cases():
    p = parameters()
    total = sum(LENGTHS)
    tokens = torch.randint(0, VOCAB, (total,))
    targets = torch.randint(0, VOCAB, (total,))
    segment = torch.repeat_interleave(torch.arange(len(LENGTHS)), torch.tensor(LENGTHS))
    mask = (segment[:, None] == segment[None, :]) & torch.ones(total, total, dtype=torch.bool).tril()
    out = {f"start.{name}": w.detach().clone() for name, w in p.items()}
    optimizer = torch.optim.AdamW(p.values(), lr=1e-3, weight_decay=0.01)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = loss_of(p, tokens, targets, mask)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    out |= {f"end.{name}": w.detach() for name, w in p.items()}
    return out | {
        "tokens": tokens,
        "targets": targets,
        "lengths": torch.tensor(LENGTHS),
        "losses": torch.stack(losses),
    }
