"""Makes the tiny random checkpoints and parity fixtures in kernels-tests/fixtures/models/.

All weights are random, norms and biases too, so that nothing can be forgotten unnoticed. Patches are 2 pixels wide and
windows 16, which keeps the files small and the windows ragged.

    python reference/make_model_fixtures.py             # all
    python reference/make_model_fixtures.py qwen3-vl    # those of some models, adapters among them
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from make_fixture import load_model, make_fixture, parser
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

ROOT = Path(__file__).parent.parent / "kernels-tests" / "fixtures" / "models"

TEXT = dict(
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    intermediate_size=48,
    vocab_size=90,
    rms_norm_eps=1e-6,
    rope_theta=1000000.0,
    hidden_act="silu",
    max_position_embeddings=512,
    bos_token_id=80,
    eos_token_id=81,
    use_sliding_window=False,
    tie_word_embeddings=False,
)
IDS = dict(
    vision_start_token_id=82, vision_end_token_id=83, vision_token_id=84, image_token_id=85, video_token_id=86
)
ROPE = dict(rope_scaling={"type": "mrope", "mrope_section": [1, 1, 2]})
PATCHES = dict(in_channels=3, patch_size=2, spatial_patch_size=2, spatial_merge_size=2, temporal_patch_size=2)

QWEN3 = {
    **{k: v for k, v in TEXT.items() if k not in ("use_sliding_window", "tie_word_embeddings")},
    "num_attention_heads": 4,
    "head_dim": 16,
    "attention_bias": False,
    "rope_theta": 5000000.0,
}
INTERLEAVED = dict(
    rope_scaling={"rope_type": "default", "mrope_interleaved": True, "mrope_section": [4, 2, 2]}
)
QWEN3_TOWER = dict(
    model_type="qwen3_vl",
    depth=3,
    hidden_size=16,
    intermediate_size=28,
    num_heads=2,
    in_channels=3,
    out_hidden_size=32,
    patch_size=2,
    spatial_merge_size=2,
    temporal_patch_size=2,
    num_position_embeddings=25,
    deepstack_visual_indexes=[0, 2],
    hidden_act="gelu_pytorch_tanh",
)

# Sequences are longer than the window; factors and scales are none that would be right by default.
GEMMA3 = dict(
    hidden_size=32,
    intermediate_size=48,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    num_hidden_layers=3,
    vocab_size=90,
    query_pre_attn_scalar=24,
    sliding_window=8,
    max_position_embeddings=512,
)
GEMMA3_ROPE = dict(rope_theta=1000000.0, rope_local_base_freq=10000.0, rope_scaling={"rope_type": "linear", "factor": 8.0})
GEMMA3_IDS = dict(boi_token_index=82, eoi_token_index=83, image_token_index=85, eos_token_id=[1, 81])
SIGLIP = dict(
    model_type="siglip_vision_model",
    hidden_size=16,
    intermediate_size=28,
    num_hidden_layers=2,
    num_attention_heads=2,
    patch_size=2,
    vision_use_head=False,
)

MODELS = {
    "qwen2-vl": dict(
        model_type="qwen2_vl",
        architectures=["Qwen2VLForConditionalGeneration"],
        **{**TEXT, "tie_word_embeddings": True},
        **IDS,
        **ROPE,
        vision_config=dict(depth=2, embed_dim=16, mlp_ratio=2, num_heads=2, hidden_size=32, **PATCHES),
    ),
    "qwen2.5-vl": dict(
        model_type="qwen2_5_vl",
        architectures=["Qwen2_5_VLForConditionalGeneration"],
        **TEXT,
        **IDS,
        **ROPE,
        vision_config=dict(
            depth=3,
            hidden_size=16,
            intermediate_size=28,
            num_heads=2,
            out_hidden_size=32,
            window_size=16,
            fullatt_block_indexes=[1],
            tokens_per_second=2,
            hidden_act="silu",
            **PATCHES,
        ),
    ),
    "qwen2": dict(
        model_type="qwen2", architectures=["Qwen2ForCausalLM"], **{**TEXT, "tie_word_embeddings": True}
    ),
    # As published, with a text_config; more heads than fit into the width; the tower's table of positions is 5 x 5.
    "qwen3-vl": dict(
        model_type="qwen3_vl",
        architectures=["Qwen3VLForConditionalGeneration"],
        tie_word_embeddings=True,
        **{k: v for k, v in IDS.items() if k != "vision_token_id"},
        text_config=dict(model_type="qwen3_vl_text", **QWEN3, tie_word_embeddings=True, **INTERLEAVED),
        vision_config=QWEN3_TOWER,
    ),
    # As transformers 5 writes it, the head apart, a bias on every projection, features from blocks out of order.
    "qwen3-vl-untied": dict(
        model_type="qwen3_vl",
        architectures=["Qwen3VLForConditionalGeneration"],
        tie_word_embeddings=False,
        **{k: v for k, v in IDS.items() if k != "vision_token_id"},
        text_config=dict(model_type="qwen3_vl_text", **{**QWEN3, "num_hidden_layers": 3, "attention_bias": True}, **INTERLEAVED),
        vision_config={**QWEN3_TOWER, "deepstack_visual_indexes": [2, 0]},
    ),
    "qwen3": dict(
        model_type="qwen3",
        architectures=["Qwen3ForCausalLM"],
        **{**QWEN3, "rope_theta": 1000000.0},
        tie_word_embeddings=True,
        use_sliding_window=False,
    ),
    "gemma3-text": dict(
        model_type="gemma3_text",
        architectures=["Gemma3ForCausalLM"],
        **GEMMA3,
        **GEMMA3_ROPE,
        bos_token_id=2,
        eos_token_id=1,
        pad_token_id=0,
        sliding_window_pattern=2,
    ),
    # As published: what is as it is by default is left out.
    "gemma3": dict(
        model_type="gemma3",
        architectures=["Gemma3ForConditionalGeneration"],
        **GEMMA3_IDS,
        mm_tokens_per_image=4,
        text_config=dict(model_type="gemma3_text", **GEMMA3, **GEMMA3_ROPE, sliding_window_pattern=2),
        vision_config=dict(**SIGLIP, image_size=8),
    ),
    # As transformers 5 writes it, the head apart; images are longer than the window.
    "gemma3-untied": dict(
        model_type="gemma3",
        architectures=["Gemma3ForConditionalGeneration"],
        **GEMMA3_IDS,
        mm_tokens_per_image=9,
        tie_word_embeddings=False,
        text_config=dict(
            model_type="gemma3_text",
            **{**GEMMA3, "sliding_window": 6, "num_hidden_layers": 2},
            layer_types=["full_attention", "sliding_attention"],
            attention_bias=True,
            tie_word_embeddings=False,
        ),
        vision_config=dict(**SIGLIP, image_size=12),
    ),
    # Frequencies in all three ranges of Llama 3's scaling: kept, blended, slowed.
    "llama": dict(
        model_type="llama",
        architectures=["LlamaForCausalLM"],
        attention_bias=False,
        **TEXT,
        rope_scaling={
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 0.05,
            "high_freq_factor": 2.0,
            "original_max_position_embeddings": 16,
        },
    ),
}

BF16 = ("qwen2.5-vl", "llama", "qwen3-vl-untied", "gemma3-untied")
NEW_LAYOUT = ("qwen2.5-vl", "qwen3-vl-untied", "gemma3-untied")
GRIDS = "1x20x12,1x4x4;1x6x10"
FIXTURES = [
    # model, kind, padding, images, seed
    ("qwen2-vl", "sft", "left", GRIDS, 1),
    ("qwen2-vl", "forward", "right", GRIDS, 2),
    ("qwen2.5-vl", "sft", "right", GRIDS, 3),
    ("qwen2.5-vl", "forward", "left", "1x10x12,1x4x6;", 4),
    ("qwen2", "sft", "left", "", 5),
    ("qwen2", "forward", "right", "", 6),
    ("llama", "sft", "right", "", 7),
    ("qwen3-vl", "sft", "left", GRIDS, 8),
    ("qwen3-vl", "forward", "right", "1x10x12,1x4x6;", 9),
    ("qwen3-vl-untied", "sft", "right", "1x6x10", 10),
    ("qwen3", "sft", "left", "", 11),
    ("gemma3-text", "sft", "left", "", 12),
    ("gemma3", "sft", "left", "1x4x4,1x4x4;1x4x4", 13),
    ("gemma3", "forward", "right", "1x4x4;", 14),
    ("gemma3-untied", "sft", "right", "1x6x6", 15),
]


def make_model(name, config, new_layout):
    folder = ROOT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    torch.manual_seed(sum(map(ord, name)))
    parsed = AutoConfig.from_pretrained(folder)
    auto = AutoModelForImageTextToText if "vision_config" in config else AutoModelForCausalLM
    model = auto.from_config(parsed).float()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.normal_(0, 0.15)
            # Norms of Gemma's decoder are stored as shifts from one.
            around_zero = parsed.model_type.startswith("gemma3") and "vision_tower" not in key
            if ("norm" in key or "ln_q.weight" in key) and not around_zero:
                parameter.add_(1 if key.endswith("weight") else 0)
    # bf16 on disk loses nothing that the reference sees: it loads this file.
    model = model.to(torch.bfloat16) if name in BF16 else model
    model.save_pretrained(folder, save_original_format=not new_layout)
    if not new_layout:
        dtype = "bfloat16" if name == "llama" else "float32"
        (folder / "config.json").write_text(json.dumps({**config, "torch_dtype": dtype}, indent=2) + "\n")
    (folder / "generation_config.json").unlink(missing_ok=True)


# A regular expression for the decoder with everything that changes the factor; a list that takes the tower too, under the
# key names of transformers before 4.52.
ADAPTERS = {
    "qwen2.5-vl.lora": dict(
        base="qwen2.5-vl",
        target_modules=r".*language_model.*\.(q_proj|k_proj|o_proj|gate_proj|down_proj)",
        use_rslora=True,
        rank_pattern={r"layers\.1\.self_attn\.q_proj": 2},
        alpha_pattern={"k_proj": 3, "mlp.down_proj": 5},
    ),
    "qwen2-vl.lora": dict(base="qwen2-vl", target_modules=["q_proj", "v_proj", "qkv", "fc1"], old_names=True),
    "qwen3-vl.lora": dict(base="qwen3-vl", target_modules=["q_proj", "o_proj", "linear_fc1"]),
    "gemma3.lora": dict(base="gemma3", target_modules=r".*language_model.*\.(q_proj|o_proj|up_proj)"),
    "qwen2.lora": dict(base="qwen2", target_modules="all-linear", exclude_modules=["up_proj"]),
}


def make_adapter(name, base, old_names=False, **settings):
    folder = ROOT / name
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(sum(map(ord, name)))
    config = LoraConfig(r=4, lora_alpha=6, **settings)
    adapted = get_peft_model(load_model(ROOT / base), config)
    with torch.no_grad():
        for key, parameter in adapted.named_parameters():
            if "lora_" in key:
                parameter.normal_(0, 0.2)
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "base_model_name_or_path": base}, indent=2) + "\n")
    if old_names:
        file = folder / "adapter_model.safetensors"
        renamed = {
            k.replace("model.model.visual.", "model.visual.").replace("model.language_model.", "model."): v
            for k, v in load_file(file).items()
        }
        save_file(renamed, file, metadata={"format": "pt"})
    merged = adapted.merge_and_unload().state_dict()
    kept = {k: v.float() for k, v in merged.items() if k.endswith("weight") and v.dim() == 2 and ("layers.1" in k or "blocks.1" in k)}
    save_file({k: v.contiguous() for k, v in kept.items()}, ROOT / f"{name}.merged.safetensors")


def main():
    wanted = sys.argv[1:] or list(MODELS)
    for name in wanted:
        config = MODELS[name]
        make_model(name, config, new_layout=name in NEW_LAYOUT)
    for name, kind, padding, grids, seed in FIXTURES:
        if name not in wanted:
            continue
        out = ROOT / f"{name}.{kind}.safetensors"
        arguments = ["--model", str(ROOT / name), "--out", str(out), "--kind", kind, "--padding", padding]
        make_fixture(parser().parse_args([*arguments, "--grids", grids, "--seed", str(seed)]))
    for name, settings in ADAPTERS.items():
        if settings["base"] not in wanted:
            continue
        new_names = {k: v for k, v in settings.items() if k != "old_names"}
        make_adapter(name, **new_names)
        base = settings["base"]
        out = ROOT / f"{name}.sft.safetensors"
        arguments = ["--model", str(ROOT / base), "--adapter", str(ROOT / name), "--out", str(out)]
        grids = "1x6x10" if "vl" in base else "1x4x4" if base == "gemma3" else ""
        make_fixture(parser().parse_args([*arguments, "--batch", "1", "--grids", grids, "--seed", "9"]))
        if settings.get("old_names"):
            make_adapter(name, **settings)
    for file in ROOT.rglob("*.safetensors"):
        file.chmod(0o644)


if __name__ == "__main__":
    main()
