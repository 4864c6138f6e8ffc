"""Time of a greedy decode step of a transformers model on torch's CPU kernels, for bench/generate.ts. A bare loop over the
model, without what generate() does around it, which takes longer than the steps of small models.

    python generate-torch.py MODEL PROMPT_TOKENS NEW_TOKENS BATCHES
"""

import json
import sys
import time

import torch
from transformers import AutoModelForImageTextToText


def step(model, prompt, new, batch):
    ids = torch.tensor([[32 + (i * 7) % 90 for i in range(prompt)]])
    # The prompt is read once for all rows, as Osler does.
    out = model(input_ids=ids, use_cache=True, logits_to_keep=1)
    cache = out.past_key_values
    cache.batch_repeat_interleave(batch)
    tokens = out.logits[:, -1].argmax(-1, keepdim=True).repeat(batch, 1)
    times = []
    for i in range(new - 1):
        start = time.perf_counter()
        positions = torch.full((3, batch, 1), prompt + i)
        out = model(input_ids=tokens, position_ids=positions, past_key_values=cache, use_cache=True)
        tokens = out.logits[:, -1].argmax(-1, keepdim=True)
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def main():
    folder, prompt, new, batches = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    rows = []
    with torch.inference_mode():
        for batch in map(int, batches.split(",")):
            # On a machine that others use too, threads that wait for one another can be slower than one.
            times = {}
            for threads in sorted({1, torch.get_num_threads()}):
                torch.set_num_threads(threads)
                times[threads] = min(step(model, prompt, new, batch) for _ in range(2))
            torch.set_num_threads(max(times))
            best = min(times, key=times.get)
            rows.append({"batch": batch, "stepMs": 1000 * times[best], "threads": best})
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
