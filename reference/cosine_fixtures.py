"""Makes src/rollout/fixtures/trl-cosine.json: TRL's cosine-scaled length reward. Which answers are right is given.

    python reference/cosine_fixtures.py
"""

import json
from pathlib import Path

from trl.rewards import accuracy_rewards, get_cosine_scaled_reward

OUT = Path(__file__).parent.parent / "src" / "rollout" / "fixtures" / "trl-cosine.json"

# TRL asks math_verify; here each completion says itself whether it is right.
accuracy_rewards.accuracy_reward = lambda completions, solution: completions
lengths = [0, 1, 13, 50, 99, 100, 101, 250]
rows = []
for bounds in [(-1.0, -0.5, 0.5, 1.0), (-10.0, 0.0, 1.0, 2.0)]:
    reward = get_cosine_scaled_reward(100, *bounds)
    for right in [True, False]:
        values = reward([right] * len(lengths), ["x"] * len(lengths), [[1] * n for n in lengths])
        rows.append(dict(bounds=bounds, right=right, lengths=lengths, values=values))
OUT.write_text(json.dumps(rows, indent=1) + "\n")
