"""Three AdamW steps, global norm clipping before each, as torch.optim and clip_grad_norm_ do them."""
import torch


def cases():
    out = {}
    shapes = [(7, 5), (64,), (3,)]
    params = [torch.randn(s, requires_grad=True) for s in shapes]
    optimizer = torch.optim.AdamW(params, lr=2e-2, betas=(0.9, 0.95), eps=1e-6, weight_decay=0.1, foreach=False)
    for i, p in enumerate(params):
        out[f"p{i}"] = p.detach().clone()
    for step in range(1, 4):
        for i, p in enumerate(params):
            p.grad = torch.randn_like(p) * (0.1 * step)
            out[f"g{i}.{step}"] = p.grad.clone()
        out[f"norm.{step}"] = torch.nn.utils.clip_grad_norm_(params, 1.5)
        optimizer.step()
        for i, p in enumerate(params):
            out[f"p{i}.{step}"] = p.detach().clone()
    for i, p in enumerate(params):
        out[f"m{i}"] = optimizer.state[p]["exp_avg"]
        out[f"v{i}"] = optimizer.state[p]["exp_avg_sq"]
    return out
