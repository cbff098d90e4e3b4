"""Learns how much each English query word says about the passage wanted.

    python3 models/train/lexicon.py --data DIR --out models/lexicon/english.json

For a stem t, over the training pairs: p = how often a passage has t when its
question has t, u = how often any passage has t. log(p(1-u) / u(1-p)) is the
relevance weight of Robertson and Sparck Jones (1976). A store's own idf knows
u; this adds p ("how" seldom comes back in an answer) and what u is in English
at large, so that a small store does not take a rare "would" for a keyword.
Written as {stem: [multiply, add]}: weight = max(0, idf + add) * multiply.
"""
import argparse
import json
import os
from collections import Counter

import numpy as np

from pairs import read
from porter import stem
from text import words

SKIPPED = ("wordnet", "tldr", "clinc", "banking", "factbook")  # not questions, or of one template
MOST_OF_ONE_SOURCE = 8000
PRIOR, PRIOR_PAIRS = 0.52, 50  # the mean of p, as if seen this often
LEAST_SEEN = 100
ADD_SHARE, FULL_WEIGHT = 0.8, 3.0


def stems(text):
    return {stem(w) for w in words(text) if w.isalnum()}


def learn(folder):
    asked, found, anywhere, taken = Counter(), Counter(), Counter(), Counter()
    for q, p, source in read(folder):
        if source.startswith(SKIPPED) or taken[source] >= MOST_OF_ONE_SOURCE:
            continue
        taken[source] += 1
        question, passage = stems(q), stems(p)
        asked.update(question)
        found.update(question & passage)
        anywhere.update(passage)
    pairs = sum(taken.values())
    out = {}
    for t in sorted(asked):
        if asked[t] < LEAST_SEEN and anywhere[t] < 5 * LEAST_SEEN:
            continue
        p = (found[t] + PRIOR_PAIRS * PRIOR) / (asked[t] + PRIOR_PAIRS)
        u = (anywhere[t] + 0.5) / (pairs + 1)
        relevance = np.log(p * (1 - u) / (u * (1 - p)))
        multiply = min(1.0, max(0.0, relevance / FULL_WEIGHT))
        out[t] = [round(float(multiply), 3), round(float(ADD_SHARE * np.log(p / (1 - p))), 3)]
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    o = parser.parse_args()
    weights = learn(o.data)
    os.makedirs(os.path.dirname(o.out), exist_ok=True)
    with open(o.out, "w", encoding="utf-8") as f:
        json.dump(weights, f, separators=(",", ":"))
        f.write("\n")
    print(f"{len(weights)} stems")


if __name__ == "__main__":
    main()
