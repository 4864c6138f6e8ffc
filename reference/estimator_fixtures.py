"""Makes src/grpo/fixtures/estimators.json: advantages, divergences and adaptive weights from EasyR1's code.

    git clone https://github.com/hiyouga/EasyR1 && python reference/estimator_fixtures.py EasyR1

RLOO's are the formulas of TRL's RLOOTrainer, which EasyR1's equal.
"""

import json
import sys
import types
from pathlib import Path

import numpy as np
import torch

OUT = Path(__file__).parent.parent / "src" / "grpo" / "fixtures" / "estimators.json"


def easy_r1(folder):
    """EasyR1's algorithms without the rest of its package, which wants a cluster."""
    for name in ["verl", "verl.trainer", "verl.utils"]:
        module = types.ModuleType(name)
        module.__path__ = [str(Path(folder, *name.split(".")))]
        sys.modules[name] = module
    sys.modules.setdefault("codetiming", types.SimpleNamespace(Timer=None))
    import verl.trainer.core_algos as algorithms
    from verl.utils import torch_functional

    return algorithms, torch_functional


def gae(algorithms, functional, values, token_level_rewards, response_mask, **rest):
    """EasyR1's, which takes only rows without padding; the advantages of all are whitened together."""
    whiten = functional.masked_whiten
    functional.masked_whiten = lambda x, mask: x
    advantages, returns = torch.zeros_like(values), torch.zeros_like(values)
    for i, length in enumerate(response_mask.sum(-1).int().tolist()):
        row = (slice(i, i + 1), slice(0, length))
        advantages[row], returns[row] = algorithms.compute_gae_advantage_return(
            token_level_rewards[row], values[row], response_mask[row], **rest
        )
    functional.masked_whiten = whiten
    return whiten(advantages, response_mask), returns


def main():
    algorithms, functional = easy_r1(sys.argv[1])
    rng = np.random.default_rng(11)
    groups, size, width, beta = 3, 4, 6, 0.05
    lengths = rng.integers(1, width + 1, groups * size)
    mask = torch.tensor(np.arange(width)[None] < lengths[:, None], dtype=torch.float64)
    scores = rng.integers(0, 2, groups * size) + rng.normal(0, 0.2, groups * size)
    logps = torch.tensor(-rng.gamma(2, 1, mask.shape))
    ref = logps + torch.tensor(rng.normal(0, 0.5, mask.shape))
    values = torch.tensor(rng.normal(0, 0.5, mask.shape))
    baselines = torch.tensor(rng.normal(0.5, 0.2, groups))
    index = np.repeat(np.arange(groups), size)
    plain = torch.zeros_like(mask)
    plain[torch.arange(len(lengths)), torch.tensor(lengths - 1)] = torch.tensor(scores)
    ragged = lambda x: [row[:n] for row, n in zip(x.tolist(), lengths)]
    cases = []
    for kl, kind in [(None, None), ("k1", "kl"), ("k2", "mse"), ("k3", "low_var_kl")]:
        rewards, divergence = plain, None
        if kl:
            divergence = algorithms.compute_kl(logps, ref, kind).double() * mask
            rewards = plain - beta * divergence
        common = dict(token_level_rewards=rewards, response_mask=mask, index=index, lam=torch.tensor(0.9))
        found = {}
        for ours, theirs in [("group", "grpo"), ("rloo", "rloo"), ("grpo_passk", "grpo_passk")]:
            advantages, _ = algorithms.compute_advantage_return(theirs, gamma=1.0, **common)
            found[ours] = ragged(advantages)
        # Its own code broadcasts scores against the mask of tokens, which only works for square batches.
        found["remax"] = ragged((rewards.sum(-1) - baselines.repeat_interleave(size))[:, None] * mask)
        advantages, _ = algorithms.compute_advantage_return("reinforce_plus_plus", gamma=0.95, **common)
        found["reinforce_plus_plus"] = ragged(advantages)
        advantages, returns = gae(algorithms, functional, values * mask, gamma=0.95, **common)
        found["ppo"], found["returns"] = ragged(advantages), ragged(returns)
        mean = None if divergence is None else functional.masked_mean(divergence, mask, dim=-1).mean().item()
        cases.append(dict(estimator=kl, kl=mean, advantages=found))
    control = algorithms.AdaptiveKLController(beta, 0.1, 100)
    betas = []
    for kl, completions in [(0.3, 8), (0.11, 8), (0.01, 16), (0.09, 16)]:
        control.update(kl, completions)
        betas.append(dict(kl=kl, completions=completions, beta=control.kl_coef))
    out = dict(
        groupSize=size,
        beta=beta,
        scores=scores.tolist(),
        baselines=baselines.tolist(),
        logps=ragged(logps),
        refLogps=ragged(ref),
        values=ragged(values),
        cases=cases,
        betas=betas,
    )
    OUT.parent.mkdir(exist_ok=True)
    rounded = json.loads(json.dumps(out), parse_float=lambda text: float(f"{float(text):.10g}"))
    OUT.write_text(json.dumps(rounded, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
