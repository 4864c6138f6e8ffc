"""Makes the fixtures in kernels-tests/fixtures/grpo/ from the tiny checkpoints beside them.

    python reference/make_grpo_fixtures.py             # all
    python reference/make_grpo_fixtures.py qwen3-vl    # those of some models
"""

import sys
from pathlib import Path

from make_grpo_fixture import grpo_parser, make_grpo_fixture

FIXTURES = Path(__file__).parent.parent / "kernels-tests" / "fixtures"
MODELS = FIXTURES / "models"
OUT = FIXTURES / "grpo"

TYPES = ["grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo"]
GRIDS = "1x4x4;1x2x4"
#: Gradients that show the whole way back; the other fixtures have all of them.
FEW = r"^model\.norm|layers\.0\.self_attn\.(q_proj|v_proj)\.bias|merger\.ln_q|blocks\.0\.norm1\.weight|language_model\.norm"


def cases():
    for model in ["qwen2-vl", "qwen2.5-vl"]:
        for i, loss_type in enumerate(TYPES):
            # Both levels, with and without a divergence, for every type over the two models.
            for level in ["token", "sequence"]:
                kl = (level == "token") == (model == "qwen2-vl")
                yield model, f"{loss_type}-{level}", dict(loss_type=loss_type, importance_sampling_level=level, beta=0.04 if kl else 0), {}
        full = dict(grads="all", steps=5, grids="1x6x4,1x4x4;" if model == "qwen2-vl" else "1x4x6;1x4x4")
        yield model, "full", dict(loss_type="grpo", beta=0.04, temperature=0.8, entropy_coef=0.01), full
    for model in ["qwen2", "qwen2.5-vl"]:
        lora = dict(grads="all", steps=5, adapter=str(MODELS / f"{model}.lora"), grids="" if model == "qwen2" else GRIDS)
        yield model, "lora", dict(loss_type="dapo", beta=0.04, epsilon_high=0.28, delta=1.5), lora
    yield "qwen2", "masked", dict(loss_type="bnpo", beta=0.04, top_entropy_quantile=0.37), dict(masked=True, grids="")
    full = dict(grads="all", steps=5, grids="1x4x6;1x4x4")
    yield "qwen3-vl", "full", dict(loss_type="dapo", beta=0.04, epsilon_high=0.28), full
    gemma = dict(grads="all", steps=5, grids="1x4x4;1x4x4")
    yield "gemma3", "full", dict(loss_type="dapo", beta=0.04, epsilon_high=0.28), gemma


def main():
    OUT.mkdir(exist_ok=True)
    for seed, (model, name, settings, options) in enumerate(cases()):
        if sys.argv[1:] and model not in sys.argv[1:]:
            continue
        out = OUT / f"{model}.{name}.safetensors"
        args = grpo_parser().parse_args(["--model", str(MODELS / model), "--out", str(out), "--seed", str(seed)])
        args.grids, args.grads, args.completion, args.length = GRIDS, FEW, 6, 9
        args.set = [f"{k}={v}" for k, v in settings.items()]
        vars(args).update(options)
        make_grpo_fixture(args)
        out.chmod(0o644)


if __name__ == "__main__":
    main()
