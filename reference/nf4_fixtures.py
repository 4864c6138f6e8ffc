"""Makes what kernels-tests compares NF4 with: weights packed by bitsandbytes, and a checkpoint that transformers quantised.

    python reference/nf4_fixtures.py

Needs bitsandbytes (0.50), whose operators in plain PyTorch do on a processor.
"""

import shutil
from pathlib import Path

import bitsandbytes.functional as bnb
import torch
from make_fixture import make_fixture, parser
from safetensors.torch import save_file
from transformers import AutoModelForImageTextToText, BitsAndBytesConfig

ROOT = Path(__file__).parent.parent / "kernels-tests" / "fixtures"


def weights():
    """A weight of 272 blocks (so that the second block of magnitudes is a short one), one of them zeros, in both ways."""
    torch.manual_seed(4)
    weight = torch.randn(68, 256) * torch.rand(68, 1)
    weight[3, :64] = 0
    weight = weight.to(torch.bfloat16)
    tensors = {"source": weight}
    for name, nested in [("single", False), ("double", True)]:
        codes, state = bnb.quantize_4bit(weight, quant_type="nf4", compress_statistics=nested)
        tensors[f"{name}.weight"] = codes
        for key, value in state.as_dict(packed=True).items():
            tensors[f"{name}.weight.{key}"] = value.contiguous()
        tensors[f"{name}.absmax"] = bnb.dequantize_blockwise(state.absmax, state.state2) + state.offset if nested else state.absmax.clone()
    tensors["double.values"] = bnb.dequantize_4bit(tensors["double.weight"], state).float()[:8].contiguous()
    save_file(tensors, ROOT / "nf4.safetensors")


def checkpoint():
    """The tiny Qwen2.5-VL as `load_in_4bit` and `save_pretrained` write it, and gradients of an adapter on it.

    From f32: in backward passes bitsandbytes rounds weights to the dtype that they were quantised from.
    """
    folder = ROOT / "models" / "qwen2.5-vl-nf4"
    shutil.rmtree(folder, ignore_errors=True)
    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
        llm_int8_skip_modules=["lm_head", "model.visual.merger"],
    )
    model = AutoModelForImageTextToText.from_pretrained(
        ROOT / "models" / "qwen2.5-vl", quantization_config=settings, device_map="cpu", dtype=torch.float32
    )
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    adapter = ROOT / "models" / "qwen2.5-vl.lora"
    out = ROOT / "models" / "qwen2.5-vl-nf4.sft.safetensors"
    arguments = ["--model", str(folder), "--adapter", str(adapter), "--out", str(out)]
    make_fixture(parser().parse_args([*arguments, "--batch", "1", "--grids", "1x6x10", "--seed", "9"]))


weights()
checkpoint()
for file in ROOT.rglob("*.safetensors"):
    file.chmod(0o644)
