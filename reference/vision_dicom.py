"""Writes src/vision/fixtures/dicoms.json: DICOM files of many kinds and the pictures they show, by pydicom and numpy.

    python reference/vision_dicom.py

Needs pydicom 3, Pillow, numpy, and the programs of Debian's packages dcmtk and libgdcm-tools, which compress.
Pixels are made here; there are no patients.
"""
import base64
import io
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_modality_lut, apply_voi_lut, convert_color_space
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian,
    JPEGBaseline8Bit, JPEG2000, JPEG2000Lossless, RLELossless, SecondaryCaptureImageStorage,
)

OUT = pathlib.Path(__file__).resolve().parent.parent / "src" / "vision" / "fixtures" / "dicoms.json"
H, W = 20, 26
rng = np.random.default_rng(0)


def pattern(low: int, high: int, shape=(H, W)) -> np.ndarray:
    """A slope with noise: compresses a little, uses the whole range."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    slope = (x + y) / (shape[0] + shape[1] - 2)
    values = low + (high - low) * slope + rng.normal(0, (high - low) / 20, shape)
    return np.clip(np.round(values), low, high).astype(np.int64)


def dataset(pixels: np.ndarray, bits: int, signed: bool = False, photometric: str = "MONOCHROME2",
            allocated: int | None = None, syntax: str = ExplicitVRLittleEndian, frames: int = 0, **tags) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    meta.TransferSyntaxUID = syntax
    ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID = meta.MediaStorageSOPClassUID
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    ds.Modality = "OT"
    ds.PatientName = "Phantom"
    colour = pixels.shape[-1] == 3 and photometric not in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
    ds.Rows, ds.Columns = (pixels.shape[-3], pixels.shape[-2]) if colour else (pixels.shape[-2], pixels.shape[-1])
    ds.SamplesPerPixel = 3 if colour else 1
    if colour:
        ds.PlanarConfiguration = 0
    if frames:
        ds.NumberOfFrames = frames
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated = allocated or (8 if bits <= 8 else 16)
    ds.BitsStored = bits
    ds.HighBit = bits - 1
    ds.PixelRepresentation = int(signed)
    kind = {8: "u1", 16: "u2", 32: "u4"}[ds.BitsAllocated]
    # Only the stored bits: the ones above may hold anything and here stay 0.
    words = (pixels.astype(np.int64) & ((1 << bits) - 1)).astype(kind)
    data = words.astype((">" if syntax == ExplicitVRBigEndian else "<") + kind).tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"
    for key, value in tags.items():
        setattr(ds, key, value)
    return ds


def write(ds: Dataset) -> bytes:
    buffer = io.BytesIO()
    syntax = ds.file_meta.TransferSyntaxUID
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True, implicit_vr=syntax == ImplicitVRLittleEndian,
                     little_endian=syntax != ExplicitVRBigEndian)
    return buffer.getvalue()


def run(data: bytes, *command: str) -> bytes:
    """Passes a file through a program whose last two arguments are input and output."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder) / "in.dcm", pathlib.Path(folder) / "out.dcm"
        source.write_bytes(data)
        subprocess.run([*command, str(source), str(target)], check=True, capture_output=True)
        return target.read_bytes()


def levels(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.floor(np.clip((values.astype(np.float64) - low) / (high - low), 0, 1) * 255 + 0.5).astype(np.uint8)


def shown(data: bytes, frame: int | None = None, stored: np.ndarray | None = None) -> np.ndarray:
    """What a grey file shows, through pydicom's modality and VOI functions."""
    ds = pydicom.dcmread(io.BytesIO(data))
    stored = ds.pixel_array if stored is None else stored
    if frame is not None:
        stored = stored[frame]
    values = apply_modality_lut(stored, ds)
    if "VOILUTSequence" in ds:
        top = 2 ** int(ds.VOILUTSequence[0].LUTDescriptor[2]) - 1
        out = levels(apply_voi_lut(values, ds).astype(np.float64), 0, top)
    elif "WindowCenter" in ds:
        windowed = apply_voi_lut(values, ds)
        signed, bits = ds.PixelRepresentation == 1, int(ds.BitsStored)
        ends = np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] if signed else [0, 2**bits - 1], dtype=np.float64)
        if "RescaleSlope" in ds:
            ends = ends * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
        out = levels(windowed, *ends)
    else:
        known = values if "PixelPaddingValue" not in ds else values[stored != ds.PixelPaddingValue]
        out = levels(values, known.min(), known.max())
    if ds.PhotometricInterpretation == "MONOCHROME1":
        out = 255 - out
    return np.repeat(out[..., None], 3, axis=-1)


def cases() -> dict:
    out: dict[str, dict] = {}

    def add(name: str, data: bytes, expected: np.ndarray, tolerance: int = 0, **options) -> None:
        frames = expected.reshape(-1, *expected.shape[-3:])
        out[name] = {
            "file": base64.b64encode(data).decode(), "height": frames.shape[1], "width": frames.shape[2],
            "frames": [base64.b64encode(np.ascontiguousarray(f).tobytes()).decode() for f in frames],
            "tolerance": tolerance, "options": options,
        }

    def grey(name: str, ds: Dataset, **options) -> bytes:
        data = write(ds)
        add(name, data, shown(data), **options)
        return data

    ct = pattern(-1000, 1500)
    hounsfield = dict(RescaleSlope="1", RescaleIntercept="-1024")
    grey("u8", dataset(pattern(0, 255), 8))
    u12 = grey("u12", dataset(pattern(100, 4000), 12))
    grey("u16-implicit", dataset(pattern(0, 65535), 16, syntax=ImplicitVRLittleEndian))
    grey("s16", dataset(ct, 16, signed=True))
    grey("s12-big-endian", dataset(pattern(-2000, 2000), 12, signed=True, syntax=ExplicitVRBigEndian))
    grey("u12-deflated", dataset(pattern(100, 4000), 12, syntax=DeflatedExplicitVRLittleEndian))
    grey("u32", dataset(pattern(0, 2**31), 32, allocated=32))
    grey("ct-window", dataset(ct + 1024, 12, WindowCenter=["40", "300"], WindowWidth=["400", "1500"], **hounsfield))
    grey("ct-range", dataset(ct + 1024, 12, **hounsfield))
    grey("slope", dataset(pattern(0, 4000), 12, RescaleSlope="0.37", RescaleIntercept="5.5", WindowCenter="700", WindowWidth="801"))
    grey("linear-exact", dataset(ct + 1024, 12, WindowCenter="40", WindowWidth="400", VOILUTFunction="LINEAR_EXACT", **hounsfield))
    grey("sigmoid", dataset(ct + 1024, 12, WindowCenter="40", WindowWidth="400", VOILUTFunction="SIGMOID", **hounsfield), tolerance=1)
    grey("monochrome1", dataset(pattern(0, 1000), 10, photometric="MONOCHROME1"))
    grey("monochrome1-window", dataset(pattern(0, 1000), 10, photometric="MONOCHROME1", WindowCenter="500", WindowWidth="600"))
    padded = pattern(200, 900)
    padded[:, :4] = -2000
    ds = dataset(padded, 16, signed=True)
    ds.add_new(0x00280120, "SS", -2000)
    grey("padding", ds)

    # Junk above the stored bits, as old files have overlays there.
    ds = dataset(pattern(0, 4095), 12)
    clean = np.frombuffer(ds.PixelData, "<u2")
    data = write(ds)
    expected = shown(data)
    ds.PixelData = (clean | (rng.integers(0, 16, clean.shape).astype("<u2") << 12)).astype("<u2").tobytes()
    add("overlay-bits", write(ds), expected)

    lut = Dataset()
    # Of more than eight bits: with fewer, pydicom wraps samples beyond the table around.
    lut.LUTDescriptor = [256, 100, 10]
    lut.LUTData = (1023 - np.arange(256) * 4).astype("<u2").tobytes()
    lut["LUTDescriptor"].VR, lut["LUTData"].VR = "US", "OW"
    grey("voi-lut", dataset(pattern(0, 500), 12, VOILUTSequence=Sequence([lut])))
    modality = Dataset()
    modality.LUTDescriptor = [512, 0, 16]
    modality.LUTData = (np.arange(512) ** 2 // 8).astype("<u2").tobytes()
    modality.ModalityLUTType = "US"
    modality["LUTDescriptor"].VR, modality["LUTData"].VR = "US", "OW"
    grey("modality-lut", dataset(pattern(0, 511), 9, ModalityLUTSequence=Sequence([modality])))

    # Several frames.
    volume = np.stack([pattern(i * 100, 1000 + i * 300) for i in range(5)])
    ds = dataset(volume, 12, frames=5)
    data = write(ds)
    add("frames-all", data, np.stack([shown(data, i) for i in range(5)]), frames="all")
    add("frames-middle", data, shown(data, 2), frames="middle")
    add("frames-last", data, shown(data, 4), frames=4)
    rle = run(data, "dcmcrle")
    add("frames-rle", rle, np.stack([shown(data, i) for i in range(5)]), frames="all")
    # Enhanced: each frame has its own window and slope.
    groups = []
    expected = []
    for i in range(5):
        window, transform, item = Dataset(), Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = str(500 + 50 * i), "801"
        transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = str(1 + i), "-7", "US"
        item.FrameVOILUTSequence, item.PixelValueTransformationSequence = Sequence([window]), Sequence([transform])
        groups.append(item)
        values = volume[i] * (1.0 + i) - 7
        expected.append(np.repeat(levels(values, 500 + 50 * i - 0.5 - 400, 500 + 50 * i - 0.5 + 400)[..., None], 3, -1))
    ds.PerFrameFunctionalGroupsSequence = Sequence(groups)
    add("enhanced", write(ds), np.stack(expected), frames="all")

    # Windows that the caller chooses.
    add("chosen-window", u12, np.repeat(levels(pydicom.dcmread(io.BytesIO(u12)).pixel_array, 500, 3000)[..., None], 3, -1),
        window={"low": 500, "high": 3000})
    add("chosen-full", u12, np.repeat(levels(pydicom.dcmread(io.BytesIO(u12)).pixel_array, 0, 4095)[..., None], 3, -1), window="full")

    # Compressed without loss: the picture must be that of the original.
    s16 = write(dataset(ct, 16, signed=True))
    u8 = write(dataset(pattern(0, 255), 8))
    for name, data in (("u12", u12), ("u8", u8)):
        expected = shown(data)
        add(f"{name}-rle", run(data, "dcmcrle"), expected)
        for predictor in (1, 2, 3, 4, 5, 6, 7):
            if name == "u12" or predictor == 1:
                add(f"{name}-lossless-{predictor}", run(data, "dcmcjpeg", "+el", "+sv", str(predictor), "+pt", "0"), expected)
        add(f"{name}-lossless-sv1", run(data, "dcmcjpeg", "+e1"), expected)
        add(f"{name}-ls", run(data, "dcmcjpls"), expected)
        add(f"{name}-j2k", run(data, "gdcmconv", "--j2k"), expected)
    add("s16-lossless", run(s16, "gdcmconv", "--jpeg"), shown(s16))
    add("s16-ls", run(s16, "gdcmconv", "--jpegls"), shown(s16))
    add("s16-j2k", run(s16, "gdcmconv", "--j2k"), shown(s16))
    add("s16-rle", run(s16, "gdcmconv", "--rle"), shown(s16))
    # Near-lossless JPEG-LS: the picture that dcmtk's decoder gives.
    near = run(u8, "dcmcjpls", "+en", "+md", "3")
    raw = run(near, "dcmdjpls")
    add("u8-near-ls", near, shown(raw))

    # Colour.
    rgb = np.stack([pattern(0, 255), pattern(0, 255).T[::-1][:H, :W] if H == W else pattern(0, 255)[::-1], pattern(0, 255)[:, ::-1]], -1)
    data = write(dataset(rgb, 8, photometric="RGB"))
    add("rgb", data, rgb.astype(np.uint8))
    ds = dataset(rgb, 8, photometric="RGB", PlanarConfiguration=1)
    ds.PixelData = np.ascontiguousarray(rgb.astype(np.uint8).transpose(2, 0, 1)).tobytes()
    add("rgb-planar", write(ds), rgb.astype(np.uint8))
    add("rgb-rle", run(data, "dcmcrle"), rgb.astype(np.uint8))
    add("rgb-lossless", run(data, "dcmcjpeg", "+e1"), rgb.astype(np.uint8))
    add("rgb-ls", run(data, "dcmcjpls"), rgb.astype(np.uint8))
    add("rgb-ls-planes", run(data, "dcmcjpls", "+in"), rgb.astype(np.uint8))
    add("rgb-j2k", run(data, "gdcmconv", "--j2k"), rgb.astype(np.uint8))
    ybr = convert_color_space(rgb.astype(np.uint8), "RGB", "YBR_FULL")
    add("ybr-full", write(dataset(ybr.astype(np.int64), 8, photometric="YBR_FULL")), convert_color_space(ybr, "YBR_FULL", "RGB"), tolerance=1)
    ds = dataset(ybr.astype(np.int64), 8, photometric="YBR_FULL_422")
    pairs = ybr.reshape(H, W // 2, 2, 3)
    ds.PixelData = np.stack([pairs[:, :, 0, 0], pairs[:, :, 1, 0], pairs[:, :, 0, 1], pairs[:, :, 0, 2]], -1).astype(np.uint8).tobytes()
    wide = ybr.copy()
    wide[:, 1::2, 1:] = wide[:, 0::2, 1:]
    add("ybr-422", write(ds), convert_color_space(wide, "YBR_FULL", "RGB"), tolerance=1)
    rgb16 = rgb * 256 + 77
    add("rgb16", write(dataset(rgb16, 16, photometric="RGB")), rgb.astype(np.uint8))

    palette = rng.integers(0, 256, (3, 64))
    ds = dataset(pattern(0, 70), 8, photometric="PALETTE COLOR")
    for channel, name in enumerate(("Red", "Green", "Blue")):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [64, 3, 16])
        ds[f"{name}PaletteColorLookupTableDescriptor"].VR = "US"
        setattr(ds, f"{name}PaletteColorLookupTableData", (palette[channel] * 257).astype("<u2").tobytes())
    data = write(ds)
    index = np.clip(pydicom.dcmread(io.BytesIO(data)).pixel_array.astype(int) - 3, 0, 63)
    add("palette", data, palette.T[index].astype(np.uint8))

    ds = dataset(pattern(0, 255), 8)
    bits = pattern(0, 1)
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit = 0
    packed = np.packbits(bits.ravel().astype(np.uint8), bitorder="little").tobytes()
    ds.PixelData = packed + b"\0" * (len(packed) % 2)
    add("bits", write(ds), np.repeat((bits * 255).astype(np.uint8)[..., None], 3, -1))

    # Lossy: Pillow's decoders are the reference, the same libraries as in pydicom's plugins.
    def lossy(name: str, image: Image.Image, fmt: str, syntax: str, photometric: str, tolerance: int = 0, fragments: int = 1, **save) -> None:
        buffer = io.BytesIO()
        image.save(buffer, fmt, **save)
        pixels = np.asarray(image).astype(np.int64)
        ds = dataset(pixels, 8, photometric=photometric)
        ds.file_meta.TransferSyntaxUID = syntax
        ds.PixelData = encapsulate([buffer.getvalue()], fragments_per_frame=fragments)
        ds["PixelData"].is_undefined_length = True
        decoded = np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))
        if photometric.startswith("MONO"):
            grey8 = decoded[..., 0].astype(np.float64)
            decoded = np.repeat(levels(grey8, grey8.min(), grey8.max())[..., None], 3, -1)
        add(name, write(ds), decoded, tolerance)

    colour = Image.fromarray(rgb.astype(np.uint8))
    lossy("jpeg", colour.convert("L"), "JPEG", JPEGBaseline8Bit, "MONOCHROME2", quality=90)
    lossy("jpeg-fragments", colour.convert("L"), "JPEG", JPEGBaseline8Bit, "MONOCHROME2", fragments=3, quality=90)
    lossy("jpeg-colour", colour, "JPEG", JPEGBaseline8Bit, "YBR_FULL_422", quality=90)
    lossy("j2k-lossy", colour.convert("L"), "JPEG2000", JPEG2000, "MONOCHROME2", irreversible=True, quality_mode="rates", quality_layers=[4], no_jp2=True, num_resolutions=3)
    lossy("j2k-colour", colour, "JPEG2000", JPEG2000Lossless, "YBR_RCT", no_jp2=True, mct=1, num_resolutions=3)
    lossy("j2k-jp2", colour.convert("L"), "JPEG2000", JPEG2000Lossless, "MONOCHROME2", no_jp2=False, num_resolutions=3)
    return out


def main() -> None:
    made = cases()
    OUT.write_text(json.dumps(made, indent=1) + "\n")
    print(len(made), "files;", OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
