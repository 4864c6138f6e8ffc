"""Makes a parity fixture of kind `grpo` from any local checkpoint: log-probabilities and entropies with transformers, the
loss with TRL's own code, gradients by backpropagation.

    python reference/make_grpo_fixture.py --model DIR --out FILE.safetensors --prompts 2 --generations 3 \
        --grids "1x10x12,1x4x6;" --set loss_type=dapo --set beta=0.04

Prompts, completions, pixels, advantages are random; old and reference log-probabilities are the model's with noise. As in
TRL each completion is a row with a copy of its prompt (padded on the left) and of its images; `osler parity` checks that
batch, and the same rows with shared prompts.
"""

import json
import re

import numpy as np
import torch
import transformers
import trl
from make_fixture import (
    file_names,
    is_gemma,
    load_adapter,
    load_model,
    make_inputs,
    model_inputs,
    name_in_file,
    ordinary_ids,
    parse_grids,
    parser,
)
from safetensors.numpy import save_file
from trl.trainer.utils import entropy_from_logits, selective_log_softmax
from trl_loss import DEFAULTS, trl_loss


def parse_settings(sets):
    settings = {k: v for k, v in DEFAULTS.items() if k not in ("gradient_accumulation_steps", "num_items")}
    settings["temperature"] = 1.0
    for text in sets:
        key, value = text.split("=", 1)
        if key not in settings:
            raise SystemExit(f"--set {key}: known are {', '.join(settings)}")
        try:
            settings[key] = json.loads(value)
        except json.JSONDecodeError:
            settings[key] = value
    return settings


def make_rows(config, args, rng):
    """A TRL batch: every prompt `generations` times, each with a completion of its own."""
    prompts = make_inputs(config, args, rng)
    group = args.generations
    ids = np.repeat(prompts["input_ids"], group, axis=0)
    mask = np.repeat(prompts["attention_mask"], group, axis=0)
    rows, width = len(ids), args.completion
    lengths = [max(1, width - (3 * i) % width) for i in range(rows)]
    if args.masked:
        # Truncated and masked: its tokens are not even attended to.
        lengths[-1] = 0
    words = ordinary_ids(config)
    completion_mask = (np.arange(width)[None] < np.array(lengths)[:, None]).astype(np.int64)
    completions = rng.choice(words, size=(rows, width)) * completion_mask
    out = {
        "input_ids": np.concatenate([ids, completions], axis=1),
        "attention_mask": np.concatenate([mask, completion_mask], axis=1),
        "completion_mask": completion_mask,
        "advantages": rng.standard_normal(rows).astype(np.float32),
    }
    if "pixel_values" in prompts:
        pixels, grids, at = [], [], 0
        for own in parse_grids(args.grids, args.batch):
            count = len(own) if is_gemma(config) else sum(t * h * w for t, h, w in own)
            patches = prompts["pixel_values"][at : at + count]
            at += count
            for _ in range(group):
                pixels.append(patches)
                grids += own
        out["pixel_values"] = np.concatenate(pixels)
        if "image_grid_thw" in prompts:
            out["image_grid_thw"] = np.array(grids, dtype=np.int64)
    return out


def token_statistics(model, inputs, settings, width):
    taken = ("input_ids", "attention_mask", "pixel_values", "image_grid_thw")
    tensors = model_inputs(model, {key: inputs[key] for key in taken if key in inputs})
    logits = model(**tensors, use_cache=False).logits[:, :-1][:, -width:] / settings["temperature"]
    return selective_log_softmax(logits, tensors["input_ids"][:, -width:]), entropy_from_logits(logits)


def make_grpo_fixture(args):
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    model = load_model(args.model)
    names = file_names(args.model)
    wanted = lambda stored: args.grads == "all" or re.search(args.grads, stored)
    inputs = make_rows(model.config, args, rng)
    if args.adapter:
        model = load_adapter(model, args.adapter)
        names = [n.replace(".default.", ".") for n, _ in model.named_parameters() if "lora_" in n]
    settings = parse_settings(args.set)
    width = args.completion
    logps, entropy = token_statistics(model, inputs, settings, width)
    shape = logps.shape
    old = logps.detach() + torch.from_numpy(rng.normal(0, 0.2, shape).astype(np.float32))
    ref = logps.detach() + torch.from_numpy(rng.normal(0, 0.4, shape).astype(np.float32))
    mask = torch.from_numpy(inputs["completion_mask"]).float()
    advantages = torch.from_numpy(inputs["advantages"])
    loss, _ = trl_loss(settings, logps, entropy, mask, advantages, old, ref)
    loss.backward()
    expected = {
        "old_logps": old.numpy(),
        "ref_logps": ref.numpy(),
        "logps": (logps.detach() * mask).numpy(),
        "entropy": (entropy.detach() * mask).numpy(),
        "loss": loss.detach().reshape(1).numpy(),
    }
    for name, parameter in model.named_parameters():
        stored = name_in_file(name, names)
        if stored and parameter.grad is not None and wanted(stored):
            expected[f"grad.{stored}"] = parameter.grad.float().numpy().copy()
    if args.steps:
        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=args.lr, weight_decay=0.0)
        for _ in range(args.steps):
            optimizer.zero_grad()
            logps, entropy = token_statistics(model, inputs, settings, width)
            trl_loss(settings, logps, entropy, mask, advantages, old, ref)[0].backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
        for name, parameter in model.named_parameters():
            stored = name_in_file(name, names)
            if stored and parameter.requires_grad and re.search(args.after, stored):
                expected[f"after.{stored}"] = parameter.detach().float().numpy()
    metadata = {
        "kind": "grpo",
        "rtol": str(args.rtol),
        "atol": str(args.atol),
        "versions": json.dumps(
            {"torch": torch.__version__, "transformers": transformers.__version__, "trl": trl.__version__}
        ),
        "steps": str(args.steps),
        "learning_rate": str(args.lr),
        "grpo": json.dumps({**settings, "prompt_length": inputs["input_ids"].shape[1] - width}),
    }
    save_file({k: np.ascontiguousarray(v) for k, v in {**inputs, **expected}.items()}, args.out, metadata=metadata)
    print(f"{args.out}: grpo {settings['loss_type']}, {len(inputs) + len(expected)} tensors")


def grpo_parser():
    p = parser()
    p.description = __doc__
    p.set_defaults(kind="grpo", padding="left", length=10)
    p.add_argument("--prompts", dest="batch", type=int, default=2)
    p.add_argument("--generations", type=int, default=3)
    p.add_argument("--completion", type=int, default=8, help="tokens of the longest completion")
    p.add_argument("--masked", action="store_true", help="mask the last completion as truncated")
    p.add_argument("--set", action="append", default=[], help="setting of the loss under TRL's name, such as beta=0.04")
    p.add_argument("--steps", type=int, default=0, help="AdamW steps on the batch; `after.*` is what comes out")
    p.add_argument("--after", default="q_proj|norm", help="weights to keep of those after the steps")
    p.add_argument("--lr", type=float, default=1e-3)
    return p


if __name__ == "__main__":
    make_grpo_fixture(grpo_parser().parse_args())
