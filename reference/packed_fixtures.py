"""Makes what kernels-tests compares AWQ and GPTQ with: one tiny Qwen2, packed in both ways, and what transformers makes of its numbers.

    python reference/packed_fixtures.py

Written by formula: codes, steps and zeros are random, W[n, k] = step * (code - zero), and transformers is given W as f32. Packing
is that of AutoAWQ's gemm (`awq/utils/packing_utils.py`) and of GPTQ's first version (zeros less one).
"""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from make_fixture import make_fixture, parser
from safetensors.numpy import save_file
from transformers import AutoConfig, AutoModelForCausalLM

ROOT = Path(__file__).parent.parent / "kernels-tests" / "fixtures" / "models"
GROUP = 64
AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]
CONFIG = dict(
    model_type="qwen2",
    architectures=["Qwen2ForCausalLM"],
    vocab_size=96,
    hidden_size=64,
    intermediate_size=128,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=512,
    tie_word_embeddings=True,
    rope_theta=10000.0,
    rms_norm_eps=1e-6,
    hidden_act="silu",
    bos_token_id=1,
    eos_token_id=2,
    torch_dtype="float16",
)


def words(nibbles):
    """Eight numbers to a word along the last axis, the first lowest."""
    shifts = np.arange(8, dtype=np.uint32) * 4
    return (nibbles.astype(np.uint32) << shifts).sum(axis=-1, dtype=np.uint32).view(np.int32)


def awq(codes, zeros):
    """[in, out] and [groups, out] with outputs interleaved."""
    pack = lambda x: words(x.reshape(x.shape[0], -1, 8)[:, :, AWQ_ORDER])
    return {"qweight": pack(codes), "qzeros": pack(zeros)}


def gptq(codes, zeros):
    """[in, out] eight inputs to a word, [groups, out] eight outputs to a word, less one."""
    inputs, outputs = codes.shape
    return {
        "qweight": words(codes.reshape(-1, 8, outputs).transpose(0, 2, 1)),
        "qzeros": words(zeros.reshape(zeros.shape[0], -1, 8) - 1),
        "g_idx": (np.arange(inputs) // GROUP).astype(np.int32),
    }


def main():
    rng = np.random.default_rng(13)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(CONFIG))
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder)).float()
        packed = {"awq": {}, "gptq": {}}
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.endswith("proj.weight"):
                    outputs, inputs = parameter.shape
                    groups = inputs // GROUP
                    codes = np.clip(np.round(rng.normal(7.5, 3, (inputs, outputs))), 0, 15).astype(np.int64)
                    zeros = rng.integers(1, 16, (groups, outputs))
                    steps = rng.uniform(0.02, 0.06, (groups, outputs)).astype(np.float16)
                    values = steps.repeat(GROUP, 0).astype(np.float64) * (codes - zeros.repeat(GROUP, 0))
                    parameter.copy_(torch.from_numpy(values.T))
                    for how, tensors in (("awq", awq(codes, zeros)), ("gptq", gptq(codes, zeros))):
                        for kind, tensor in {**tensors, "scales": steps}.items():
                            packed[how][name.replace("weight", kind)] = np.ascontiguousarray(tensor)
                else:
                    parameter.normal_(1 if "norm" in name else 0, 0.15)
                    parameter.copy_(parameter.half())
                    for tensors in packed.values():
                        tensors[name] = parameter.half().numpy()
        model.save_pretrained(folder)
        out = ROOT / "qwen2-packed.forward.safetensors"
        make_fixture(parser().parse_args(["--model", folder, "--out", str(out), "--kind", "forward", "--batch", "1", "--seed", "13"]))
    settings = {
        "awq": dict(quant_method="awq", bits=4, group_size=GROUP, zero_point=True, version="gemm", modules_to_not_convert=None),
        "gptq": dict(quant_method="gptq", bits=4, group_size=GROUP, sym=False, desc_act=False, checkpoint_format="gptq"),
    }
    for how, tensors in packed.items():
        target = ROOT / f"qwen2-{how}"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
        (target / "config.json").write_text(json.dumps({**CONFIG, "quantization_config": settings[how]}, indent=2) + "\n")


main()
for file in ROOT.rglob("*.safetensors"):
    file.chmod(0o644)
