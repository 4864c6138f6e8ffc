"""Makes src/optim/fixtures/schedules.json: learning-rate factors of transformers for schedules that take arguments.

    python reference/schedule_fixtures.py
"""

import json
from pathlib import Path

import torch
from transformers import get_scheduler

OUT = Path(__file__).parent.parent / "src" / "optim" / "fixtures" / "schedules.json"
RATE = 2e-4
CASES = [
    ("cosine", 2, 11, dict(num_cycles=1.5)),
    ("cosine_with_min_lr", 3, 12, dict(min_lr=5e-5)),
    ("cosine_with_min_lr", 0, 9, dict(min_lr_rate=0.1, num_cycles=1.0)),
    ("cosine_with_restarts", 2, 14, dict(num_cycles=3)),
    ("cosine_with_restarts", 0, 7, dict()),
    ("warmup_stable_decay", 3, 15, dict(num_decay_steps=5)),
    ("warmup_stable_decay", 4, 15, dict(num_decay_steps=6, num_stable_steps=3, min_lr_ratio=0.1)),
    ("warmup_stable_decay", 4, 12, dict(num_decay_steps=4, warmup_type="cosine", decay_type="1-sqrt", min_lr_ratio=0.2)),
    ("warmup_stable_decay", 4, 12, dict(num_decay_steps=8, warmup_type="1-sqrt", decay_type="linear")),
]


def factors(name, warmup, total, arguments):
    optimizer = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=RATE)
    scheduler = get_scheduler(name, optimizer, warmup, total, scheduler_specific_kwargs=arguments)
    out = []
    for _ in range(total + 2):
        out.append(scheduler.lr_lambdas[0](len(out)))
    return out


OUT.parent.mkdir(exist_ok=True)
rows = [
    dict(name=name, warmupSteps=warmup, totalSteps=total, learningRate=RATE, arguments=arguments, factors=factors(name, warmup, total, arguments))
    for name, warmup, total, arguments in CASES
]
OUT.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
