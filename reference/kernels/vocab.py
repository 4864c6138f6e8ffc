"""Token log-probabilities and entropy at a temperature, and cross-entropy with ignored targets, with gradients."""
import torch
import torch.nn.functional as F


def cases():
    out = {}
    T, D, V = 6, 8, 37
    h = (2 * torch.randn(T, D)).requires_grad_()
    weight = torch.randn(V, D, requires_grad=True)
    targets = torch.randint(0, V, (T,))
    w, u = torch.randn(T), torch.randn(T)
    logits = h @ weight.T / 0.7
    logps = F.log_softmax(logits, -1)
    logp = logps.gather(-1, targets[:, None])[:, 0]
    entropy = -(logps.exp() * logps).sum(-1)
    ((w * logp).sum() + (u * entropy).sum()).backward()
    out.update({"h": h, "weight": weight, "targets": targets, "w": w, "u": u})
    out.update({"logp": logp, "entropy": entropy, "lse": logits.logsumexp(-1)})
    out.update({"grad.h": h.grad.clone(), "grad.weight": weight.grad.clone()})

    h.grad = weight.grad = None
    labels = targets.clone()
    labels[[1, 4]] = -100
    loss = F.cross_entropy(h @ weight.T, labels)
    loss.backward()
    out.update({"ce.labels": labels, "ce.loss": loss.reshape(1)})
    out.update({"ce.grad.h": h.grad, "ce.grad.weight": weight.grad})
    return out
