"""Makes a parity fixture from any local checkpoint, with transformers: inputs and what the model makes of them.

    python reference/make_fixture.py --model DIR --out FILE.safetensors --kind sft --batch 2 --length 48 \
        --padding left --grids "1x10x12,1x4x6;1x6x10" --grads all

Token ids and pixels are random. `--grids` lists the images of each sample, in patches (time x height x width), samples
separated by semicolons. The file is what `osler parity` reads: inputs, what is expected of them, and in `__metadata__`
the kind, `rtol`, `atol` and the versions that made it.
"""

import argparse
import json
import re

import numpy as np
import torch
import transformers
from safetensors import safe_open
from safetensors.numpy import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

VISUAL = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id", "vision_token_id")
# Gemma 3 says what surrounds an image; `image_token_id` is another name of its `image_token_index`.
VISUAL += ("boi_token_index", "eoi_token_index")


def load_model(path, dtype=torch.float32):
    """The model in the dtype that the reference computes in, with attention written out."""
    config = AutoConfig.from_pretrained(path)
    auto = AutoModelForImageTextToText if hasattr(config, "vision_config") else AutoModelForCausalLM
    return auto.from_pretrained(path, dtype=dtype, attn_implementation="eager").eval()


def file_names(path):
    """Names of the tensors in the checkpoint's files."""
    import glob
    import os

    names = []
    for file in sorted(glob.glob(os.path.join(path, "*.safetensors"))):
        with safe_open(file, "pt") as handle:
            names += list(handle.keys())
    return names


def name_in_file(name, names):
    """The name under which a parameter is stored, whichever layout the file has."""
    candidates = [
        name,
        name.replace(".default.", "."),
        name.replace("model.language_model.", "model.", 1),
        re.sub(r"^model\.visual\.", "visual.", name),
        name.removeprefix("model."),
        name.replace("model.language_model.", "language_model.model.", 1),
    ]
    return next((c for c in candidates if c in names), None)


def parse_grids(text, batch):
    """Grids per sample from `1x10x12,1x4x6;1x6x10`."""
    samples = [
        [tuple(int(n) for n in grid.split("x")) for grid in sample.split(",") if grid] for sample in text.split(";")
    ]
    return (samples + [[]] * batch)[:batch]


def is_gemma(config):
    return config.model_type.startswith("gemma3")


def ordinary_ids(config):
    """Ids that mean nothing in particular. Torch gives the embedding of Gemma's padding no gradient."""
    text = getattr(config, "text_config", config)
    special = {getattr(config, key) for key in VISUAL if getattr(config, key, None) is not None}
    if is_gemma(config):
        special.add(text.pad_token_id)
    return np.array([i for i in range(min(text.vocab_size, 151643)) if i not in special])


def image_block(config, grid):
    """The ids of an image in the text."""
    t, h, w = grid
    if is_gemma(config):
        placeholders = [config.image_token_index] * config.mm_tokens_per_image
        return [config.boi_token_index, *placeholders, config.eoi_token_index]
    placeholders = [config.image_token_id] * (t * h * w // config.vision_config.spatial_merge_size**2)
    return [config.vision_start_token_id, *placeholders, config.vision_end_token_id]


def images(config, grids, rng):
    """Pixels of images: patches and their grids, or for Gemma 3 images as they are."""
    vision = config.vision_config
    if is_gemma(config):
        side = vision.image_size
        return {"pixel_values": rng.standard_normal((len(grids), 3, side, side)).astype(np.float32)}
    columns = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
    patches = sum(t * h * w for t, h, w in grids)
    return {
        "pixel_values": rng.standard_normal((patches, columns)).astype(np.float32),
        "image_grid_thw": np.array(grids, dtype=np.int64),
    }


def model_inputs(model, inputs):
    """Ids, mask, labels and images as the model's forward takes them."""
    tensors = {name: torch.from_numpy(value) for name, value in inputs.items()}
    if "pixel_values" in inputs:
        tensors["pixel_values"] = tensors["pixel_values"].to(model.dtype)
        kinds = "token_type_ids" if is_gemma(model.config) else "mm_token_type_ids"
        tensors[kinds] = (tensors["input_ids"] == model.config.image_token_id).to(torch.int64)
    return tensors


def make_inputs(config, args, rng):
    """Random ids with image placeholders, mask, labels, pixels, grids."""
    text = getattr(config, "text_config", config)
    ordinary = ordinary_ids(config)
    grids = parse_grids(args.grids, args.batch)
    rows, labels = [], []
    for sample, own in enumerate(grids):
        # Samples of different lengths, so that there is padding.
        count = args.length - 3 * sample
        words = rng.choice(ordinary, size=max(count, 4 + len(own))).tolist()
        cuts = np.linspace(1, len(words) - 2, len(own)).astype(int) if own else []
        ids, counts, last = [], [], 0
        for cut, grid in zip(cuts, own):
            block = image_block(config, grid)
            ids += words[last:cut] + block
            counts += [True] * (cut - last) + [False] * len(block)
            last = cut
        ids += words[last:]
        counts += [True] * (len(words) - last)
        rows.append(ids)
        # The first third is the prompt; placeholders never count.
        labels.append([i if c and at > len(ids) // 3 else -100 for at, (i, c) in enumerate(zip(ids, counts))])
    width = max(len(r) for r in rows)
    pad = getattr(text, "pad_token_id", None) or 0

    def padded(row, fill):
        gap = [fill] * (width - len(row))
        return gap + row if args.padding == "left" else row + gap

    out = {
        "input_ids": np.array([padded(r, pad) for r in rows], dtype=np.int64),
        "attention_mask": np.array([padded([1] * len(r), 0) for r in rows], dtype=np.int64),
    }
    if args.kind == "sft":
        out["labels"] = np.array([padded(r, -100) for r in labels], dtype=np.int64)
    flat = [g for sample in grids for g in sample]
    if flat:
        out.update(images(config, flat, rng))
    return out


def run(model, inputs, kind, grads, names):
    """Expected tensors."""
    tensors = model_inputs(model, inputs)
    expected = {}
    with torch.set_grad_enabled(kind == "sft"):
        result = model(**tensors, use_cache=False)
        expected["logits"] = result.logits.detach().float().numpy()
        if kind == "sft":
            expected["loss"] = result.loss.detach().float().reshape(1).numpy()
            result.loss.backward()
    if kind == "sft" and grads != "none":
        for name, parameter in model.named_parameters():
            stored = name_in_file(name, names)
            if stored and parameter.grad is not None and (grads == "all" or re.search(grads, stored)):
                expected[f"grad.{stored}"] = parameter.grad.float().numpy()
    return expected


def load_adapter(model, path):
    """The model with a LoRA adapter that would train; gradients go by the names in the adapter's file."""
    from peft import PeftModel

    adapted = PeftModel.from_pretrained(model, path, is_trainable=True).eval()
    for name, parameter in adapted.named_parameters():
        parameter.requires_grad_("lora_" in name)
    return adapted


def make_fixture(args):
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    model = load_model(args.model)
    names = file_names(args.model)
    inputs = make_inputs(model.config, args, rng)
    if args.adapter:
        model = load_adapter(model, args.adapter)
        names = [n.replace(".default.", ".") for n, _ in model.named_parameters() if "lora_" in n]
    expected = run(model, inputs, args.kind, args.grads, names)
    if args.no_logits:
        expected.pop("logits")
    metadata = {
        "kind": args.kind,
        "rtol": str(args.rtol),
        "atol": str(args.atol),
        "versions": json.dumps({"torch": torch.__version__, "transformers": transformers.__version__}),
    }
    tensors = {k: np.ascontiguousarray(v) for k, v in {**inputs, **expected}.items()}
    save_file(tensors, args.out, metadata=metadata)
    print(f"{args.out}: {args.kind}, {len(tensors)} tensors")


def parser():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True, help="folder with config.json and safetensors")
    p.add_argument("--out", required=True)
    p.add_argument("--adapter", help="folder of a LoRA adapter in PEFT format")
    p.add_argument("--kind", choices=["forward", "sft", "grpo"], default="sft")
    p.add_argument("--batch", type=int, default=2)
    p.add_argument("--length", type=int, default=24, help="text tokens of the first sample; later ones have fewer")
    p.add_argument("--padding", choices=["left", "right"], default="right")
    p.add_argument("--grids", default="", help="images per sample, such as 1x10x12,1x4x6;1x6x10")
    p.add_argument("--grads", default="all", help="all, none, or a regular expression on names")
    p.add_argument("--no-logits", action="store_true")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--rtol", type=float, default=1e-3)
    p.add_argument("--atol", type=float, default=1e-7)
    return p


if __name__ == "__main__":
    make_fixture(parser().parse_args())
