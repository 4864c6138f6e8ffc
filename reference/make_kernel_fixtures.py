"""Writes kernels-tests/fixtures/<family>.safetensors: what PyTorch computes for the kernel families.

Each reference/kernels/<family>.py has `cases() -> dict[str, torch.Tensor]`: inputs, outputs and gradients under names
like `rmsnorm.x`, `rmsnorm.y`, `rmsnorm.grad.x`, small enough that all fixtures together stay under a megabyte.

    python reference/make_kernel_fixtures.py [FAMILY ...]

Needs torch 2.13 and safetensors. Seeds are fixed; the committed files were made on a CPU.
"""
import importlib
import pathlib
import sys

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE.parent / "kernels-tests" / "fixtures"


def main() -> None:
    sys.path.insert(0, str(HERE))
    families = sys.argv[1:] or sorted(p.stem for p in (HERE / "kernels").glob("*.py") if p.stem != "__init__")
    OUT.mkdir(exist_ok=True)
    for family in families:
        torch.manual_seed(0)
        tensors = importlib.import_module(f"kernels.{family}").cases()
        tensors = {k: v.detach().contiguous() for k, v in tensors.items()}
        save_file(tensors, OUT / f"{family}.safetensors", metadata={"torch": torch.__version__})
        size = (OUT / f"{family}.safetensors").stat().st_size
        print(f"{family}: {len(tensors)} tensors, {size} bytes")


if __name__ == "__main__":
    main()
