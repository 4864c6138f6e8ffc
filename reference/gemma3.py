"""Writes src/models/families/gemma3/fixtures/: what the Rust tokenizers, Jinja2 and transformers' processor make of text and
pictures that the family must agree with.

    python reference/gemma3.py

Needs tokenizers 0.23, Pillow and transformers 5. Everything is seeded. The tokenizer is trained here, on a page of text, in
the shape of Gemma's: no published vocabulary is copied. The template is the family's own, see its template.ts.
"""
import json
import pathlib
import random

import numpy as np
import tokenizers
import transformers
from PIL import Image
from text import CORPUS, STRINGS
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.gemma3.processing_gemma3 import Gemma3Processor
from vision import picture, sha

ROOT = pathlib.Path(__file__).resolve().parent.parent / "src" / "models" / "families"
OUT = ROOT / "gemma3" / "fixtures"
SPECIAL = [
    "<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>",
    "<image_soft_token>",
]
MORE = [
    "\n\n\n", " \n \n", "user\n\n\nWhat?", "  two  spaces ", "\u2581", "a\u2581b", "<bos>x", "<start_of_turn>user\nhi<end_of_turn>\n",
    "\n\n<start_of_image><image_soft_token><end_of_image>\n\n", "<0x0A>", "\x00\x01", "lesion\u2028lobe", "\U0001f9e0 opacity",
]


def build() -> Tokenizer:
    tok = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tok.normalizer = normalizers.Replace(" ", "\u2581")
    tok.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous", invert=False)
    tok.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    # Trained in words, as whole texts would be one each.
    words = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    words.normalizer = tok.normalizer
    words.pre_tokenizer = pre_tokenizers.Split("\u2581", behavior="merged_with_next", invert=False)
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=560, special_tokens=SPECIAL + bytes_, show_progress=False)
    words.train_from_iterator([CORPUS, "\n\n\n\n" * 5], trainer)
    model = json.loads(words.to_str())["model"]
    merges = [tuple(pair) for pair in model["merges"]]
    tok.model = models.BPE(vocab=model["vocab"], merges=merges, byte_fallback=True, unk_token="<unk>", fuse_unk=True)
    tok.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[("<bos>", 2)]
    )
    tok.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in SPECIAL])
    return tok


def random_strings(rng: random.Random, n: int) -> list[str]:
    def char() -> str:
        kind = rng.random()
        if kind < 0.5:
            return rng.choice("abcdefgh THE .,'\n\t0123456789")
        if kind < 0.6:
            return rng.choice(["<end_of_turn>", "<image_soft_token>", "\n\n", "\u2581", "  "])
        while True:
            code = rng.randrange(0x110000) if kind < 0.75 else rng.randrange(0x3000)
            if not 0xD800 <= code < 0xE000:
                return chr(code)

    return ["".join(char() for _ in range(rng.randrange(1, 24))) for _ in range(n)]


def conversations() -> list[dict]:
    img, txt = {"type": "image"}, lambda t: {"type": "text", "text": t}
    user = lambda *parts: {"role": "user", "content": list(parts)}
    system = {"role": "system", "content": " Be brief. "}
    said = {"role": "assistant", "content": " It is B.\n"}
    return [
        {"messages": [{"role": "user", "content": "  plain "}], "gen": False},
        {"messages": [system, user(img, txt(" What is it? "))], "gen": True},
        {"messages": [user(txt("compare "), img, txt(" with "), img, txt("?")), said], "gen": False},
        {"messages": [system, user(img, txt("x")), said, user(txt("And "), img)], "gen": True},
    ]


PICTURES = [(30, 80, "noise"), (61, 47, "edges"), (28, 28, "noise"), (90, 40, "edges"), (57, 57, "noise"), (64, 20, "edges")]


def pictures() -> list[dict]:
    cases = []
    for scan in (False, True):
        settings = dict(size={"height": 56, "width": 56}, do_pan_and_scan=scan)
        if scan:
            settings |= dict(pan_and_scan_min_crop_size=16, pan_and_scan_max_num_crops=3, pan_and_scan_min_ratio_to_activate=1.2)
        for height, width, kind in PICTURES:
            image = Image.fromarray(picture(height, width, kind))
            found = Gemma3ImageProcessorPil(**settings)(image, return_tensors="np")
            values = found["pixel_values"]
            assert values.dtype == np.float32
            cases.append({
                "settings": settings, "height": height, "width": width, "kind": kind, "views": len(values), "sha256": sha(values),
            })
    return cases


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    tok = build()
    (OUT / "tokenizer.json").write_text(json.dumps(json.loads(tok.to_str()), ensure_ascii=True, indent=0) + "\n")
    rng = random.Random(0)
    strings = STRINGS + MORE + random_strings(rng, 200)
    size = tok.get_vocab_size()
    # Bytes only as they make up characters: of others the Rust tokenizer gives up the whole run, which no stream could.
    first = len(SPECIAL) + 256
    id_lists = [[rng.choice([*range(len(SPECIAL)), *range(first, size)]) for _ in range(rng.randrange(1, 30))] for _ in range(100)]
    id_lists += [tok.encode(s, add_special_tokens=False).ids for s in strings[::3]]

    source = (ROOT / "gemma3-text" / "template.ts").read_text()
    template = source[source.index("GEMMA3_TEMPLATE = `\\\n") + len("GEMMA3_TEMPLATE = `\\\n"): source.rindex("`;")]
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tok, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>",
        extra_special_tokens={
            "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>",
        },
    )
    processor = Gemma3Processor(Gemma3ImageProcessorPil(size={"height": 56, "width": 56}), fast, image_seq_length=4)
    scan = dict(
        do_pan_and_scan=True, pan_and_scan_min_crop_size=16, pan_and_scan_max_num_crops=3, pan_and_scan_min_ratio_to_activate=1.2
    )
    chats = []
    for c in conversations():
        text = fast.apply_chat_template(
            c["messages"], chat_template=template.replace("\\\\", "\\"), tokenize=False, add_generation_prompt=c["gen"]
        )
        shapes = PICTURES[: text.count("<start_of_image>")]
        shown = [Image.fromarray(picture(*shape)) for shape in shapes] or None
        encode = lambda **kw: processor(images=shown, text=text, add_special_tokens=False, **kw)["input_ids"][0]
        chats.append({**c, "text": text, "pictures": [s[:2] for s in shapes], "ids": encode(), "scanned": encode(**(scan if shown else {}))})
    cases = {
        "versions": {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__},
        "encode": [{"text": s, "ids": tok.encode(s, add_special_tokens=False).ids} for s in strings],
        "decode": [
            {"ids": ids, "text": tok.decode(ids, skip_special_tokens=False), "skipped": tok.decode(ids, skip_special_tokens=True)}
            for ids in id_lists
        ],
        "chat": chats,
        "pictures": pictures(),
    }
    (OUT / "cases.json").write_text(json.dumps(cases, ensure_ascii=True, separators=(",", ":")) + "\n")
    print(size, "tokens;", len(strings), "strings;", (OUT / "cases.json").stat().st_size, "bytes")


if __name__ == "__main__":
    main()
