"""Writes src/vision/fixtures/: what Pillow and transformers' PIL backend make of images that src/vision must agree with.

    python reference/vision.py

Needs Pillow 12, numpy and transformers 5. Deterministic; the committed files were made with the versions named in them.
"""
import base64
import hashlib
import io
import json
import pathlib
import struct
import zlib

import numpy as np
import PIL
import transformers
from PIL import Image, ImageOps
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

OUT = pathlib.Path(__file__).resolve().parent.parent / "src" / "vision" / "fixtures"


def sha(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def picture(height: int, width: int, kind: str) -> np.ndarray:
    """The same pictures that src/vision/test-images.ts makes."""
    i = np.arange(height * width * 3, dtype=np.uint64)
    if kind == "noise":
        x = (i * 2654435761 + 12345) & 0xFFFFFFFF
        x ^= x >> 15
        x = (x * 2246822519) & 0xFFFFFFFF
        data = (x >> 24) & 0xFF
    else:  # edges: black and white stripes, which make the filter overshoot
        y, xx = i // 3 // width, i // 3 % width
        data = np.where((y // 5 + xx // 7 + i % 3) % 2 == 0, 0, 255)
    return data.astype(np.uint8).reshape(height, width, 3)


PROCESSOR_CASES = [
    # height, width, kind, min_pixels, max_pixels
    (56, 56, "noise", 3136, 12845056),
    (10, 10, "noise", 3136, 12845056),
    (70, 98, "noise", 3136, 12845056),
    (61, 87, "edges", 3136, 12845056),
    (240, 321, "noise", 3136, 25088),
    (150, 40, "edges", 3136, 12845056),
    (37, 640, "noise", 3136, 50176),
    (20, 1400, "edges", 3136, 12845056),
    (500, 333, "edges", 3136, 12544),
    (90, 60, "noise", 50176, 100352),
]
# Qwen3-VL: larger patches, other limits and normalisation.
QWEN3 = dict(patch_size=16, image_mean=[0.5, 0.5, 0.5], image_std=[0.5, 0.5, 0.5])
QWEN3_CASES = [
    (40, 70, "noise", 65536, 16777216),
    (300, 411, "edges", 65536, 16777216),
    (333, 250, "noise", 4096, 32768),
    (48, 80, "noise", 1024, 16777216),
]
BILINEAR_CASES = [
    (28, 28, "edges", 56, 28), (100, 100, "noise", 28, 28), (33, 47, "edges", 84, 112), (300, 7, "noise", 28, 28),
]
RESIZE_CASES = [
    # height, width, kind, new height, new width
    (1, 1, "noise", 28, 28), (2, 3, "noise", 5, 4), (28, 28, "edges", 28, 56), (28, 28, "edges", 56, 28),
    (100, 100, "noise", 28, 28), (33, 47, "edges", 84, 112), (300, 7, "edges", 28, 28), (7, 300, "noise", 28, 28),
    (97, 89, "noise", 96, 90), (64, 64, "noise", 64, 64),
]


def png16(array: np.ndarray) -> bytes:
    """PNG of 16 bits a sample: Pillow writes grey ones only."""
    array = array.reshape(*array.shape[:2], -1)
    height, width, channels = array.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + array[y].astype(">u2").tobytes() for y in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def rasters() -> dict:
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    smooth = rgb.resize((61, 43), Image.BICUBIC)
    alpha = Image.fromarray(rng.integers(0, 256, (20, 30), dtype=np.uint8))
    rgba, la = rgb.copy(), rgb.convert("L")
    rgba.putalpha(alpha)
    la.putalpha(alpha)
    palette = rgb.quantize(16)
    out: dict[str, dict] = {}

    def add(name: str, data: bytes, expected: np.ndarray | None = None) -> None:
        if expected is None:
            expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
        out[name] = {
            "file": base64.b64encode(data).decode(), "height": expected.shape[0], "width": expected.shape[1],
            "rgb": base64.b64encode(np.ascontiguousarray(expected).tobytes()).decode() if expected.size < 2400 else None,
            "sha256": sha(expected),
        }

    def save(name: str, image: Image.Image, fmt: str, **options) -> None:
        buffer = io.BytesIO()
        image.save(buffer, fmt, **options)
        add(name, buffer.getvalue())

    save("rgb.png", rgb, "PNG")
    save("grey.png", rgb.convert("L"), "PNG")
    save("bits.png", rgb.convert("1"), "PNG")
    save("rgba.png", rgba, "PNG")
    save("grey-alpha.png", la, "PNG")
    save("palette.png", palette, "PNG")
    save("palette-transparent.png", palette, "PNG", transparency=3)
    save("palette.gif", palette, "GIF")
    save("frames.gif", palette, "GIF", save_all=True, append_images=[palette.rotate(180)], duration=10)
    save("420.jpg", smooth, "JPEG")
    save("444.jpg", smooth, "JPEG", subsampling=0, quality=90)
    save("progressive.jpg", smooth, "JPEG", progressive=True)
    save("grey.jpg", smooth.convert("L"), "JPEG")
    save("cmyk.jpg", smooth.convert("CMYK"), "JPEG", quality=95)
    save("cmyk.tif", rgb.convert("CMYK"), "TIFF")
    save("raw.tif", rgb, "TIFF")
    save("lzw.tif", rgb, "TIFF", compression="tiff_lzw")
    save("grey.tif", rgb.convert("L"), "TIFF")
    save("bits.tif", rgb.convert("1"), "TIFF")
    save("palette.tif", palette, "TIFF")
    save("rgba.tif", rgba, "TIFF")
    save("pages.tif", rgb, "TIFF", save_all=True, append_images=[smooth.copy()])
    save("turned.tif", rgb, "TIFF", tiffinfo={0x112: 6})
    save("lossless.webp", rgb, "WEBP", lossless=True)
    save("lossy.webp", smooth, "WEBP", quality=80)
    save("alpha.webp", rgba, "WEBP", quality=80)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        save(f"turned-{orientation}.jpg", smooth, "JPEG", exif=exif)
    exif = Image.Exif()
    exif[0x112] = 6
    save("turned.png", rgb, "PNG", exif=exif)
    save("turned.webp", rgb, "WEBP", lossless=True, exif=exif)
    add("rgb16.png", png16(rng.integers(0, 65536, (12, 9, 3), dtype=np.uint16)))
    add("rgba16.png", png16(rng.integers(0, 65536, (12, 9, 4), dtype=np.uint16)))

    # What qwen_vl_utils makes of transparency.
    white = Image.new("RGB", rgba.size, (255, 255, 255))
    white.paste(rgba, mask=rgba.split()[3])
    buffer = io.BytesIO()
    rgba.save(buffer, "PNG")
    add("on-white:rgba.png", buffer.getvalue(), np.asarray(white))

    # Deep grey pictures: expected here by formula, as Pillow clips them to 255.
    deep = rng.integers(300, 4000, (12, 9), dtype=np.uint16)
    signed = rng.integers(-1000, 2000, (12, 9)).astype(np.int32)
    real = rng.normal(size=(12, 9)).astype(np.float32)

    def ranged(a: np.ndarray, low: float, high: float) -> np.ndarray:
        level = np.clip((a.astype(np.float64) - low) / (high - low), 0, 1) * 255
        return np.repeat(np.floor(level + 0.5).astype(np.uint8)[..., None], 3, axis=2)

    def tiff(a: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(a).save(buffer, "TIFF")
        return buffer.getvalue()

    add("range:grey16.png", png16(deep), ranged(deep, deep.min(), deep.max()))
    add("range:grey16.tif", tiff(deep), ranged(deep, deep.min(), deep.max()))
    add("range:int32.tif", tiff(signed), ranged(signed, signed.min(), signed.max()))
    add("range:float.tif", tiff(real), ranged(real, float(real.min()), float(real.max())))
    add("0-4095:grey16.png", png16(deep), ranged(deep, 0, 4095))
    add("full:grey16.png", png16(deep), np.repeat((deep >> 8).astype(np.uint8)[..., None], 3, axis=2))
    return out


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    processor = []
    for height, width, kind, low, high in PROCESSOR_CASES:
        image = picture(height, width, kind)
        result = Qwen2VLImageProcessorPil(min_pixels=low, max_pixels=high)(
            Image.fromarray(image), return_tensors="np", input_data_format="channels_last"
        )
        values = result["pixel_values"]
        assert values.dtype == np.float32
        processor.append({
            "height": height, "width": width, "kind": kind, "minPixels": low, "maxPixels": high,
            "grid": result["image_grid_thw"][0].tolist(), "sha256": sha(values),
            "first": values.ravel()[:4].tolist(), "rowSums": values.sum(axis=1, dtype=np.float64)[:8].tolist(),
        })
    for height, width, kind, low, high in QWEN3_CASES:
        size = {"shortest_edge": low, "longest_edge": high}
        result = Qwen2VLImageProcessorPil(size=size, **QWEN3)(
            Image.fromarray(picture(height, width, kind)), return_tensors="np", input_data_format="channels_last"
        )
        values = result["pixel_values"]
        processor.append({
            "settings": {"size": size, **QWEN3}, "height": height, "width": width, "kind": kind, "minPixels": low,
            "maxPixels": high, "grid": result["image_grid_thw"][0].tolist(), "sha256": sha(values),
            "first": values.ravel()[:4].tolist(), "rowSums": values.sum(axis=1, dtype=np.float64)[:8].tolist(),
        })
    images = [Image.fromarray(picture(h, w, k)) for h, w, k, _, _ in PROCESSOR_CASES[:4]]
    batch = Qwen2VLImageProcessorPil(min_pixels=3136, max_pixels=12845056)(images, return_tensors="np")
    resize = []
    for name, number, sizes in [("bicubic", Image.BICUBIC, RESIZE_CASES), ("bilinear", Image.BILINEAR, BILINEAR_CASES)]:
        for height, width, kind, new_height, new_width in sizes:
            image = Image.fromarray(picture(height, width, kind)).resize((new_width, new_height), number)
            resize.append([height, width, kind, new_height, new_width, name, sha(np.asarray(image))])
    cases = {
        "versions": {"pillow": PIL.__version__, "transformers": transformers.__version__, "numpy": np.__version__},
        "processor": processor,
        "batch": {"grids": batch["image_grid_thw"].tolist(), "sha256": sha(batch["pixel_values"])},
        "resize": resize,
    }
    (OUT / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")
    (OUT / "rasters.json").write_text(json.dumps(rasters(), indent=1) + "\n")
    for name in ("cases.json", "rasters.json"):
        print(name, (OUT / name).stat().st_size, "bytes")


if __name__ == "__main__":
    main()
