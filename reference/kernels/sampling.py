"""Hugging Face's logits processors on rows with ties, in the order in which generate() applies them.

The result of each configuration is the processed logits, -inf where a token may not be drawn.
"""
import torch
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    SuppressTokensLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

# temperature, top_k, top_p, min_p, repetition_penalty, min_tokens_to_keep, forbid
CONFIGS = [
    (0.7, 0, 1.0, 0.0, 1.0, 1, 0),
    (1.0, 5, 1.0, 0.0, 1.0, 1, 0),
    (1.0, 0, 0.8, 0.0, 1.0, 1, 0),
    (1.3, 0, 1.0, 0.1, 1.0, 1, 0),
    (0.8, 20, 0.9, 0.05, 1.2, 1, 1),
    (1.0, 3, 0.1, 0.9, 1.5, 4, 1),
    (1.0, 0, 1e-6, 0.0, 1.0, 1, 0),
    (0.9, 0, 0.95, 0.0, 1.0, 6, 1),
]


def cases():
    B, V = 4, 211
    logits = 3 * torch.randn(B, V)
    logits[1] = (logits[1] * 2).round() / 2
    history = torch.randint(0, V, (B, 12))
    forbidden = [0, 31, 32, 100, 210]
    out = {"logits": logits, "history": history, "forbidden": torch.tensor(forbidden), "configs": torch.tensor(CONFIGS)}
    for i, (temperature, top_k, top_p, min_p, penalty, keep, forbid) in enumerate(CONFIGS):
        steps = LogitsProcessorList()
        if penalty != 1.0:
            steps.append(RepetitionPenaltyLogitsProcessor(penalty))
        if forbid:
            steps.append(SuppressTokensLogitsProcessor(forbidden))
        if temperature != 1.0:
            steps.append(TemperatureLogitsWarper(temperature))
        if top_k > 0:
            steps.append(TopKLogitsWarper(top_k, min_tokens_to_keep=keep))
        if top_p < 1.0:
            steps.append(TopPLogitsWarper(top_p, min_tokens_to_keep=keep))
        if min_p > 0.0:
            steps.append(MinPLogitsWarper(min_p, min_tokens_to_keep=keep))
        out[f"processed.{i}"] = steps(history, logits.clone())
    return out
