"""Writes src/data/fixtures/med-r1-extraction.json: what the expressions of Med-R1's scripts find in tricky completions.

The expressions are those of its accuracy reward, format reward and evaluation scripts; they run here in Python's own `re`,
so that the TypeScript port is checked for every difference between the two languages' regular expressions.

    python reference/med_r1_fixtures.py
"""

import itertools
import json
import pathlib
import re

THINK = re.compile(r"<think>.*?</think>\s*<answer>.*?</answer>", re.DOTALL)
NO_THINK = re.compile(r"\s*<answer>.*?</answer>", re.DOTALL)

SPACES = ["", " ", "\n", "\r", "\t", "\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\xa0", "\u2003", "\u2028", "\u200b", "\ufeff", "\u3000"]
INSIDE = ["C", "c", "C.", "C)", "(C)", "C) Kidney", "Kidney", "", "é", "_", "²", "e\u0301", "漢", "\U0001d49e", "1"]
WHOLE = [
    "C", " C\n", "\ufeffC", "\x1cC\x85", "", "<answer>C", "C</answer>", "</answer>C<answer>", "<ANSWER>C</ANSWER>",
    "<answer>A</answer> <answer>C</answer>", "<answer><answer>C</answer>", "<answer>C</answer></answer>",
    "<think>a</think><answer>C</answer>", "<think>a\nb</think>\n\n<answer>\nC\n</answer>", " <think>a</think><answer>C</answer>",
    "<think>a</think><answer>C</answer>\n", "<think>a</think>,<answer>C</answer>", "<think></think><answer></answer>",
    "<think>a</think>b</think><answer>C</answer>", "<think>a</think>\u200b<answer>C</answer>", "<think>a</think>\x1c<answer>C</answer>",
    "\n<answer>C</answer>", "\x85<answer>C</answer>", "\ufeff<answer>C</answer>", "<answer>C</answer>.", "The answer is C",
]


def look(text: str) -> dict:
    pair = re.search(r"<answer>(.*?)</answer>", text)
    word = re.search(r"<answer>\s*(\w+)\s*</answer>", text)
    return {
        "text": text,
        "reward_text": pair.group(1).strip() if pair else text.strip(),
        "think_format": int(bool(THINK.fullmatch(text))),
        "no_think_format": int(bool(NO_THINK.fullmatch(text))),
        "extracted": word.group(1) if word else None,
    }


cases = [f"<answer>{a}{inside}{a}</answer>" for a, inside in itertools.product(SPACES, INSIDE)]
rows = [look(text) for text in cases + [f"{s}C{s}" for s in SPACES] + WHOLE]
path = pathlib.Path(__file__).parent.parent / "src/data/fixtures/med-r1-extraction.json"
path.parent.mkdir(exist_ok=True)
path.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
print(f"{path}: {len(rows)} completions")
