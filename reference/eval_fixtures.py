"""Writes src/eval/fixtures/statistics.json: intervals and tests by scipy, for the tests of src/eval/statistics.ts.

    python reference/eval_fixtures.py
"""

import itertools
import json
import pathlib

import numpy as np
import scipy
from scipy.stats import binomtest, chi2

wilson = []
for n in [1, 2, 5, 17, 40, 100, 1234, 88996]:
    for share in [0.0, 0.01, 0.25, 0.5, 0.77, 1.0]:
        k = round(n * share)
        interval = binomtest(k, n).proportion_ci(confidence_level=0.95, method="wilson")
        wilson.append({"correct": k, "n": n, "low": interval.low, "high": interval.high})

mcnemar = []
for b, c in itertools.product([0, 1, 2, 5, 10, 37, 150, 600, 4000], repeat=2):
    exact = binomtest(min(b, c), b + c, 0.5).pvalue if b + c > 0 else 1.0
    statistic = max(0.0, abs(b - c) - 1) ** 2 / (b + c) if b + c > 0 else 0.0
    mcnemar.append({"only_a": b, "only_b": c, "exact": exact, "statistic": statistic, "corrected": chi2.sf(statistic, 1)})

# The unbiased estimator of the Codex paper, by its own product.
passk = []
for n, c, k in [(1, 0, 1), (1, 1, 1), (8, 3, 1), (8, 3, 2), (8, 3, 4), (8, 3, 8), (8, 0, 8), (16, 1, 4), (100, 7, 10), (64, 64, 3)]:
    value = 1.0 if n - c < k else float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))
    passk.append({"n": n, "c": c, "k": k, "value": value})

path = pathlib.Path(__file__).parent.parent / "src/eval/fixtures/statistics.json"
path.parent.mkdir(exist_ok=True)
path.write_text(json.dumps({"scipy": scipy.__version__, "wilson": wilson, "mcnemar": mcnemar, "pass_at_k": passk}, indent=0) + "\n")
print(path, len(wilson), len(mcnemar))
