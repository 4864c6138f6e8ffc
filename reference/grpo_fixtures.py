"""Makes src/rollout/fixtures/trl.json: losses, gradients and metrics from TRL's code, and advantages from its formulas.

    python reference/grpo_fixtures.py
"""

import json
from pathlib import Path

import numpy as np
import torch
from trl.rewards import get_repetition_penalty_reward, get_soft_overlong_punishment
from trl.trainer.utils import nanstd
from trl_loss import trl_loss

OUT = Path(__file__).parent.parent / "src" / "rollout" / "fixtures" / "trl.json"
TYPES = ["grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo"]


def loss_cases():
    for i, loss_type in enumerate(TYPES):
        high = 1.3 if loss_type == "cispo" else 0.28
        for level in ["token", "sequence"]:
            yield dict(loss_type=loss_type, importance_sampling_level=level, epsilon_high=high)
            yield dict(loss_type=loss_type, importance_sampling_level=level, epsilon_high=high, beta=0.04)
        yield dict(
            loss_type=loss_type,
            epsilon_high=high,
            beta=0.1,
            entropy_coef=0.02,
            top_entropy_quantile=0.37,
            gradient_accumulation_steps=2,
            num_items=41,
        )
    yield dict(loss_type="grpo", epsilon_high=0.28, delta=1.6)
    yield dict(loss_type="dapo", epsilon_high=0.28, delta=1.1, importance_sampling_level="sequence")
    yield dict(loss_type="grpo", beta=0.04, on_policy=True)
    yield dict(loss_type="dapo", entropy_coef=0.01, on_policy=True)


def later_loss_cases():
    """Of TRL 1.x; drawn after all that was there before, which keeps its numbers."""
    for loss_type, level in [("luspo", "token"), ("luspo", "sequence"), ("vespo", "token")]:
        yield dict(loss_type=loss_type, importance_sampling_level=level, epsilon_high=0.28)
        yield dict(
            loss_type=loss_type,
            importance_sampling_level=level,
            epsilon_high=0.28,
            beta=0.1,
            use_bias_correction_kl=True,
            top_entropy_quantile=0.37,
            gradient_accumulation_steps=2,
            num_items=41,
        )
    yield dict(loss_type="vespo", vespo_k_pos=1.0, vespo_lambda_pos=2.0, vespo_k_neg=2.5, vespo_lambda_neg=0.5)
    for level in ["token", "sequence"]:
        yield dict(loss_type="grpo", importance_sampling_level=level, beta=0.1, use_bias_correction_kl=True)
        yield dict(loss_type="dapo", importance_sampling_level=level, beta=0.1, off_policy_mask_threshold=0.05)
    yield dict(loss_type="grpo", beta=0.1, use_bias_correction_kl=True, on_policy=True)


def run_loss(settings, rng):
    batch, width = 5, 9
    lengths = [9, 4, 7, 1, 0]
    mask = np.zeros((batch, width))
    for row, length in enumerate(lengths):
        mask[row, :length] = 1
    settings = dict(settings)
    on_policy = settings.pop("on_policy", False)
    logps = -rng.gamma(2, 1, (batch, width))
    old = logps + rng.normal(0, 0.35, logps.shape)
    ref = logps + rng.normal(0, 0.5, logps.shape)
    entropies = rng.gamma(3, 0.5, (batch, width))
    advantages = np.array([1.3, -0.8, -1.4, 0.6, 0.9])
    tensors = [torch.tensor(x, dtype=torch.float64) for x in (logps, entropies, mask, advantages, old, ref)]
    lp, ent = tensors[0].requires_grad_(), tensors[1].requires_grad_()
    loss, metrics = trl_loss(settings, lp, ent, tensors[2], tensors[3], None if on_policy else tensors[4], tensors[5])
    by_logp, by_entropy = torch.autograd.grad(loss, [lp, ent], allow_unused=True)
    ragged = lambda x: [row[:n] for row, n in zip(x.tolist(), lengths)]
    return dict(
        settings=settings,
        logps=ragged(lp.detach()),
        entropies=ragged(ent.detach()),
        oldLogps=None if on_policy else ragged(tensors[4]),
        refLogps=ragged(tensors[5]),
        advantages=advantages.tolist(),
        loss=loss.item(),
        logpGrads=ragged(by_logp),
        entropyGrads=None if by_entropy is None else ragged(by_entropy),
        metrics={k: float(v) for k, v in metrics.items() if k != "entropy_coef"},
    )


def run_advantages(scale, aggregation, rng):
    """The formulas of GRPOTrainer._generate_and_score_completions, with its nanstd."""
    groups, size = 4, 5
    per_func = torch.tensor(rng.integers(0, 2, (groups * size, 3)).astype(np.float64))
    per_func[:, 2] += torch.tensor(rng.normal(0, 1, groups * size))
    per_func[5:10] = 1.0
    per_func[3, 1] = torch.nan
    per_func[12] = torch.nan
    weights = torch.tensor([1.0, 0.5, 0.25], dtype=torch.float64)
    unscorable = torch.isnan(per_func).all(dim=1)
    if aggregation == "sum_then_normalize":
        rewards = (per_func * weights).nansum(dim=1)
        rewards[unscorable] = torch.nan
        grouped = rewards.view(-1, size)
        mean = torch.nanmean(grouped, dim=1).repeat_interleave(size)
        std = nanstd(rewards).expand_as(rewards) if scale == "batch" else nanstd(grouped, dim=1).repeat_interleave(size)
        advantages = rewards - mean
        if scale != "none":
            advantages = advantages / (std + 1e-4)
    else:
        grouped = per_func.view(-1, size, 3)
        z = (grouped - torch.nanmean(grouped, dim=1, keepdim=True)) / (nanstd(grouped, dim=1, keepdim=True) + 1e-4)
        rewards = (z.view(-1, 3) * weights).nansum(dim=1)
        rewards[unscorable] = torch.nan
        std = nanstd(rewards).expand_as(rewards)
        advantages = (rewards - torch.nanmean(rewards)) / (std + 1e-4)
    return dict(
        scaleRewards=scale,
        aggregation=aggregation,
        groupSize=size,
        weights=weights.tolist(),
        values=[[None if np.isnan(v) else v for v in row] for row in per_func.tolist()],
        advantages=torch.nan_to_num(advantages, nan=0.0).tolist(),
        zeroStd=torch.isclose(std, torch.zeros_like(std)).tolist(),
    )


def run_lengths(rng):
    completions = [[1, 2, 3, 4], [5, 5, 5, 5, 5], [1], rng.integers(0, 4, 30).tolist(), [7] * 90, [7] * 101]
    return dict(
        completions=completions,
        repetition=get_repetition_penalty_reward(2, -1.5)(completions),
        overlong=get_soft_overlong_punishment(100, 20)(completions),
    )


def main():
    rng = np.random.default_rng(7)
    out = dict(
        losses=[run_loss(settings, rng) for settings in loss_cases()],
        advantages=[
            run_advantages(scale, aggregation, rng)
            for scale, aggregation in [
                ("group", "sum_then_normalize"),
                ("batch", "sum_then_normalize"),
                ("none", "sum_then_normalize"),
                ("group", "normalize_then_sum"),
            ]
        ],
        lengths=run_lengths(rng),
    )
    out["losses"] += [run_loss(settings, rng) for settings in later_loss_cases()]
    OUT.parent.mkdir(exist_ok=True)
    rounded = json.loads(json.dumps(out), parse_float=lambda text: float(f"{float(text):.10g}"))
    OUT.write_text(json.dumps(rounded, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
