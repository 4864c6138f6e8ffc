"""Makes src/data/fixtures/text-scores.json: exact match and F1 of words, ROUGE-L and BLEU-4, by their formulas in float64.

    python reference/text_scores.py

ROUGE-L is that of Google's rouge_score without a stemmer; BLEU-4 that of one sentence with Lin and Och's smoothing (NLTK's
method 2); F1 that of SQuAD, but that a stop between digits stays and hyphens part words.
"""

import json
import math
import random
import re
from collections import Counter
from pathlib import Path

OUT = Path(__file__).parent.parent / "src" / "data" / "fixtures" / "text-scores.json"
WORDS = "the a an no acute pleural effusion is seen in left right lung base heart size normal 3.5 cm mass T2-weighted".split()


def answer_words(text):
    text = re.sub(r"['’]", "", text.lower())
    text = re.sub(r"(?<=\d)\.(?=\d)", "\0", text)
    text = re.sub(r"[!\"#%&()*,\-./:;?@\[\\\]_{}]", " ", text).replace("\0", ".")
    return [w for w in text.split() if w not in ("a", "an", "the")]


def f1(said, wanted):
    said, wanted = answer_words(said), answer_words(wanted)
    if not said or not wanted:
        return float(len(said) == len(wanted))
    shared = sum((Counter(said) & Counter(wanted)).values())
    if shared == 0:
        return 0.0
    precision, recall = shared / len(said), shared / len(wanted)
    return 2 * precision * recall / (precision + recall)


def report_words(text):
    return re.findall(r"[a-z0-9]+", text.lower())


def rouge_l(said, wanted):
    a, b = report_words(said), report_words(wanted)
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for k, y in enumerate(b):
            table[i + 1][k + 1] = table[i][k] + 1 if x == y else max(table[i][k + 1], table[i + 1][k])
    common = table[-1][-1]
    if common == 0:
        return 0.0
    precision, recall = common / len(a), common / len(b)
    return 2 * precision * recall / (precision + recall)


def bleu(said, wanted):
    a, b = report_words(said), report_words(wanted)
    if not a or not b:
        return 0.0
    product = 1.0
    for n in range(1, 5):
        own = Counter(tuple(a[i : i + n]) for i in range(len(a) - n + 1))
        other = Counter(tuple(b[i : i + n]) for i in range(len(b) - n + 1))
        found, total, added = sum((own & other).values()), sum(own.values()), int(n > 1)
        if n == 1 and found == 0:
            return 0.0
        product *= (found + added) / (total + added)
    penalty = 1.0 if len(a) >= len(b) else math.exp(1 - len(b) / len(a))
    return penalty * product**0.25


def main():
    rng = random.Random(7)
    pairs = [("", "no"), ("The left lung.", "left lung"), ("3.5 cm", "35 cm"), ("T2 weighted", "T2-weighted"), ("a", "the")]
    for _ in range(40):
        wanted = [rng.choice(WORDS) for _ in range(rng.randint(1, 14))]
        said = [w for w in wanted if rng.random() < 0.7] + [rng.choice(WORDS) for _ in range(rng.randint(0, 5))]
        pairs.append((" ".join(said) + rng.choice(["", ".", " ?"]), ", ".join(wanted)))
    rows = [dict(said=a, wanted=b, f1=f1(a, b), rouge_l=rouge_l(a, b), bleu=bleu(a, b)) for a, b in pairs]
    OUT.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")


main()
