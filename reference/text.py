"""Writes src/text/fixtures/: what the Rust tokenizers, Jinja2 and transformers make of text that src/text must agree with.

    python reference/text.py

Needs tokenizers 0.23 and transformers 5. Everything is seeded. The tokenizer is trained here, on a page of text, in the
shape of Qwen2's: no published vocabulary is copied.
"""
import json
import pathlib
import random
import tempfile

import tokenizers
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

OUT = pathlib.Path(__file__).resolve().parent.parent / "src" / "text" / "fixtures"

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
]
ORDINARY = ["<tool_call>", "</tool_call>", "<|fim_prefix|>"]

CORPUS = """
The image shows a chest radiograph of an adult patient. There is an opacity in the right lower lobe, consistent with
pneumonia. The heart is not enlarged. What is the most likely diagnosis? A: pneumonia B: pleural effusion C: normal
Let's think step by step. First, the modality: this is a computed tomography of the abdomen. I'll look at the liver,
and there's a lesion that doesn't enhance. <think>We've seen that it isn't a cyst.</think> <answer>B</answer>
fundus photography dermoscopy microscopy ultrasound magnetic resonance imaging optical coherence tomography
""" * 3

STRINGS = [
    "", " ", "\n", "\n\n\n", " \t \n x", "Hello, world!", "it's IT'S we'Ll 'x 're", "1234567890 12 3", "don't\u2019s",
    "\u017fs 'S '\u017f", "a\u00a0b\u2003c\u3000d", "x  y   z    ", "trailing  ", "\r\n\r\nCRLF\r", "\u0085next\u2028line",
    "caf\u00e9 cafe\u0301", "\u1e9b\u0323", "\ufb01 \u2126 \u212b", "\u4f60\u597d\uff0c\u4e16\u754c", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "\u05e9\u05dc\u05d5\u05dd", "\u0939\u093f\u0928\u094d\u0926\u0940", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea", "\U0001d54f\U00010348", "\u0000\u0001\u007f\u00ad",
    "\ufeffbom", "\u200b\u200c", "\u00b2\u2075 \u2160 \u0663 \u00bd", "a<|im_end|>b", "<|im_start|>user\nhi<|im_end|>\n", "<|image_pad|><|image_pad|>",
    "<|im_end", "<|im_end|", "<<|im_end|>>", "<tool_call>{\"a\": 1}</tool_call>", " <|im_end|> ", "<think>\nright lower lobe\n</think>\n<answer>B</answer>",
    "The most likely diagnosis is pneumonia.", "!!!???...---\n\n", "\u00e9<|im_end|>\u0301", "SELECT * FROM t;\n\tfoo(bar)[0] += 1;",
]


def build() -> Tokenizer:
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False),
    ])
    tok.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    tok.decoder = decoders.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=640, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    tok.train_from_iterator([CORPUS], trainer)
    tok.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in SPECIAL])
    tok.add_tokens([AddedToken(s, normalized=False, special=False) for s in ORDINARY])
    return tok


def random_strings(rng: random.Random, n: int) -> list[str]:
    def char() -> str:
        kind = rng.random()
        if kind < 0.4:
            return rng.choice("abcdefgh THE .,'\n\r\t0123456789")
        if kind < 0.5:
            return rng.choice(["<|im_end|>", "<|image_pad|>", "<tool_call>", "'s", "'LL", "\u0301", "\u00a0"])
        while True:
            code = rng.randrange(0x110000) if kind < 0.7 else rng.randrange(0x3000)
            if not 0xD800 <= code < 0xE000:
                return chr(code)
    return ["".join(char() for _ in range(rng.randrange(1, 24))) for _ in range(n)]


def conversations() -> list[dict]:
    img, txt = {"type": "image"}, lambda t: {"type": "text", "text": t}
    user = lambda *parts: {"role": "user", "content": list(parts)}
    return [
        {"messages": [{"role": "system", "content": "SYS"}, user(img, txt("What?"))], "gen": True},
        {"messages": [user(img, txt("What?"))], "gen": True},
        {"messages": [{"role": "user", "content": "plain"}], "gen": False},
        {"messages": [user(txt("compare "), img, txt(" with "), img, txt("?")), {"role": "assistant", "content": "Same."}], "gen": False, "ids": True},
        {"messages": [user(img, img, txt("x")), {"role": "assistant", "content": "y"}, user(img, txt("z"))], "gen": True, "ids": True},
    ]


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    tok = build()
    model = json.loads(tok.to_str())
    (OUT / "tokenizer.json").write_text(json.dumps(model, ensure_ascii=False, indent=0) + "\n")
    rng = random.Random(0)
    strings = STRINGS + random_strings(rng, 300)
    size = tok.get_vocab_size()
    id_lists = [[rng.randrange(size) for _ in range(rng.randrange(1, 30))] for _ in range(200)]
    id_lists += [[rng.randrange(256) for _ in range(rng.randrange(1, 30))] for _ in range(100)]

    source = (OUT.parent / "default-templates.ts").read_text()
    template = source[source.index("QWEN_VL_TEMPLATE = `\\\n") + len("QWEN_VL_TEMPLATE = `\\\n"): source.rindex("`;")]
    template = template.replace("\\\\", "\\")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        f.write(tok.to_str())
        f.flush()
        fast = PreTrainedTokenizerFast(tokenizer_file=f.name)
    chats = []
    for c in conversations():
        text = fast.apply_chat_template(
            c["messages"], chat_template=template, tokenize=False, add_generation_prompt=c["gen"], add_vision_id=c.get("ids", False)
        )
        chats.append({**c, "text": text})
    # What transformers' processor does: one placeholder in the text becomes one per merged patch, then it is encoded.
    counts = [4, 1, 6]
    expanded = chats[4]["text"]
    for n in counts:
        expanded = expanded.replace("<|image_pad|>", "<|placeholder|>" * n, 1)
    expanded = expanded.replace("<|placeholder|>", "<|image_pad|>")
    cases = {
        "versions": {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__},
        "encode": [{"text": s, "ids": tok.encode(s, add_special_tokens=False).ids} for s in strings],
        "decode": [
            {"ids": ids, "text": tok.decode(ids, skip_special_tokens=False), "skipped": tok.decode(ids, skip_special_tokens=True)}
            for ids in id_lists
        ],
        "chat": chats,
        "expanded": {"chat": 4, "counts": counts, "ids": tok.encode(expanded, add_special_tokens=False).ids},
    }
    (OUT / "cases.json").write_text(json.dumps(cases, ensure_ascii=True, separators=(",", ":")) + "\n")
    print(size, "tokens;", len(strings), "strings;", (OUT / "cases.json").stat().st_size, "bytes")


if __name__ == "__main__":
    main()
