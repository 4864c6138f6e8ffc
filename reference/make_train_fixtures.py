"""Makes kernels-tests/fixtures/train/: weights after five optimizer steps of PyTorch, and schedules of transformers.

The batches are those of the parity fixtures of kind sft. Gradients are clipped to a global norm that bites, matrices are
decayed, the learning rate follows a cosine. 16-bit weights have f32 masters, of which the model sees the rounding.

    python reference/make_train_fixtures.py
"""

import json
import re
from pathlib import Path

import torch
from make_fixture import file_names, load_adapter, load_model, name_in_file
from safetensors.torch import load_file, save_file
from transformers import get_scheduler

MODELS = Path(__file__).parent.parent / "kernels-tests" / "fixtures" / "models"
OUT = MODELS.parent / "train"
STEPS, TOTAL = 5, 8
LR, DECAY, MAX_NORM = 1e-3, 0.1, 0.5
KEPT = re.compile(r"(layers|blocks)\.1\.|embed|lm_head|merger|norm\.weight|lora_")


def batch(name):
    tensors = load_file(MODELS / f"{name}.sft.safetensors")
    wanted = ("input_ids", "attention_mask", "labels", "pixel_values", "image_grid_thw")
    return {key: tensors[key] for key in wanted if key in tensors}


def train(out, name, base, adapter=None, masters=False):
    torch.manual_seed(0)
    model = load_model(MODELS / base)
    names = file_names(MODELS / base)
    if adapter:
        model = load_adapter(model, MODELS / adapter)
        names += file_names(MODELS / adapter)
    inputs = batch(name)
    if "image_grid_thw" in inputs:
        image = model.config.image_token_id
        inputs["mm_token_type_ids"] = (inputs["input_ids"] == image).to(torch.int64)
    trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    exact = {n: p.detach().clone() for n, p in trained}
    groups = [
        {"params": [exact[n] for n, p in trained if p.dim() > 1], "weight_decay": DECAY},
        {"params": [exact[n] for n, p in trained if p.dim() <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=LR)
    scheduler = get_scheduler("cosine", optimizer, num_warmup_steps=0, num_training_steps=TOTAL)
    losses, norms, rates = [], [], []
    for _ in range(STEPS):
        with torch.no_grad():
            for n, p in trained:
                rounded = masters and p.dim() > 1
                p.copy_(exact[n].bfloat16().float() if rounded else exact[n])
        model.zero_grad()
        loss = model(**inputs, use_cache=False).loss
        loss.backward()
        for n, p in trained:
            exact[n].grad = p.grad
        rates.append(scheduler.get_last_lr()[0])
        norms.append(torch.nn.utils.clip_grad_norm_(exact.values(), MAX_NORM).item())
        losses.append(loss.item())
        optimizer.step()
        scheduler.step()
    result = {}
    for n, p in trained:
        stored = name_in_file(n, names)
        if stored and KEPT.search(stored):
            result[stored] = exact[n].clone().contiguous()
    result["loss"] = torch.tensor(losses)
    result["grad_norm"] = torch.tensor(norms)
    result["learning_rate"] = torch.tensor(rates)
    OUT.mkdir(exist_ok=True)
    file = OUT / f"{out}.safetensors"
    save_file(result, file, metadata={"torch": torch.__version__})
    file.chmod(0o644)
    print(out, losses, norms)


def schedules():
    found = []
    for name in ("constant", "constant_with_warmup", "linear", "cosine"):
        for warmup, total in ((0, 7), (3, 10), (4, 4), (10, 6)):
            if name == "constant" and warmup:
                continue
            optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
            scheduler = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=total)
            factors = []
            for _ in range(total):
                factors.append(scheduler.get_last_lr()[0])
                optimizer.step()
                scheduler.step()
            found.append({"name": name, "warmupSteps": warmup, "totalSteps": total, "factors": factors})
    (OUT / "schedules.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    train("full", "qwen2-vl", "qwen2-vl")
    train("masters", "qwen2.5-vl", "qwen2.5-vl", masters=True)
    train("lora", "qwen2.5-vl.lora", "qwen2.5-vl", adapter="qwen2.5-vl.lora")
    schedules()
