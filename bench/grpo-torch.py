"""One GRPO step with transformers, TRL's loss and torch on the CPU, phase by phase; called by grpo-phases.ts.

Reads {model, prompt, grid, generations, completion, steps} as JSON from standard input, writes seconds per phase.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForImageTextToText

sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))
from trl.trainer.utils import entropy_from_logits, selective_log_softmax  # noqa: E402
from trl_loss import trl_loss  # noqa: E402

args = json.load(sys.stdin)
group, width = args["generations"], args["completion"]
model = AutoModelForImageTextToText.from_pretrained(args["model"], dtype=torch.float32)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)
ids = torch.tensor([args["prompt"]])
grid = torch.tensor([args["grid"]])
patches = int(np.prod(args["grid"]))
pixels = torch.sin(torch.arange(patches * 1176, dtype=torch.float32) * 0.01).view(patches, 1176)
kinds = (ids == model.config.image_token_id).to(torch.int64)
visual = {getattr(model.config, f"{kind}_token_id") for kind in ("image", "video", "vision_start", "vision_end")}


def step():
    clock = {}

    def phase(name, start):
        clock[name] = time.perf_counter() - start

    start = time.perf_counter()
    model.eval()
    with torch.no_grad():
        whole = model.generate(
            input_ids=ids.repeat(group, 1),
            attention_mask=torch.ones_like(ids).repeat(group, 1),
            mm_token_type_ids=kinds.repeat(group, 1),
            pixel_values=pixels.repeat(group, 1),
            image_grid_thw=grid.repeat(group, 1),
            do_sample=True,
            top_k=0,
            max_new_tokens=width,
            min_new_tokens=width,
            # Completions with picture tokens could not be read again.
            suppress_tokens=list(visual),
        )
    phase("rollout", start)
    start = time.perf_counter()
    model.train()
    mask = torch.ones(group, width)
    logits = model(
        input_ids=whole,
        attention_mask=torch.ones_like(whole),
        mm_token_type_ids=torch.cat([kinds.repeat(group, 1), torch.zeros(group, width, dtype=torch.int64)], 1),
        pixel_values=pixels.repeat(group, 1),
        image_grid_thw=grid.repeat(group, 1),
        logits_to_keep=width + 1,
        use_cache=False,
    ).logits[:, :-1]
    logps = selective_log_softmax(logits, whole[:, -width:])
    with torch.no_grad():
        entropy = entropy_from_logits(logits)
    advantages = torch.tensor([1.0 if i % 2 == 0 else -0.7 for i in range(group)])
    loss, _ = trl_loss(dict(loss_type="dapo"), logps, entropy, mask, advantages, None, None)
    phase("forward", start)
    start = time.perf_counter()
    loss.backward()
    phase("backward", start)
    start = time.perf_counter()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    phase("update", start)
    return clock


step()
times = [step() for _ in range(args["steps"])]
print(json.dumps({name: float(np.median([t[name] for t in times])) for name in times[0]}))
