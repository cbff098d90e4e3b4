"""Stage 4: the map from the pooled vector to 256 values: the principal directions of texts in many languages, without their
mean. The mean stands halfway between English and the mean of the other languages, each of which weighs the same.
"""
import argparse
import json
import os
import random

import numpy as np
import torch
from tokenizers import Tokenizer

from encoder import embed
from export import PAD, load
from space import principal
from states import PIECES

SOURCES = ("arxiv", "docs", "openstax", "qa_misc", "medquad", "wiki")
PAIRS_A_SOURCE, TEXTS_A_LANGUAGE, LINES = 80, 12, 4000


def sample(pairs, multilingual):
    """(texts with their prompts, their languages)."""
    rng = random.Random(1)
    texts, languages = [], []
    for name in SOURCES:
        with open(os.path.join(pairs, name + ".jsonl"), encoding="utf-8") as f:
            lines = f.read().split("\n")[:-1]
        for pair in map(json.loads, rng.sample(lines, PAIRS_A_SOURCE)):
            texts += ["query: " + pair["q"], "passage: " + pair["p"][:400]]
            languages += ["en", "en"]
    seen = {}
    with open(multilingual, encoding="utf-8") as f:
        for _, line in zip(range(LINES), f):
            row = json.loads(line)
            if seen.get(row["lang"], 0) < TEXTS_A_LANGUAGE:
                seen[row["lang"]] = seen.get(row["lang"], 0) + 1
                texts.append("passage: " + row["text"][:300])
                languages.append(row["lang"])
    return texts, np.array(languages)


def map_of(vectors, languages):
    """(matrix [256, 384], offset)."""
    matrix, _ = principal(vectors)
    others = [vectors[languages == lang].mean(0) for lang in sorted(set(languages) - {"en"})]
    mean = (vectors[languages == "en"].mean(0) + np.mean(others, axis=0)) / 2
    return matrix, -matrix @ mean


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("weights", "tokenizer", "pairs", "multilingual", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--vectors", help="kept pooled vectors of the sample; made if there are none")
    parser.add_argument("--threads", type=int, default=2)
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    model = load(o.weights)
    texts, languages = sample(o.pairs, o.multilingual)
    if o.vectors and os.path.exists(o.vectors):
        vectors = np.load(o.vectors)
    else:
        tokenizer = Tokenizer.from_file(o.tokenizer)
        tokenizer.enable_truncation(PIECES)
        vectors = embed(model.pooled, [e.ids for e in tokenizer.encode_batch(texts)], PAD)
        if o.vectors:
            np.save(o.vectors, vectors)
    matrix, offset = map_of(vectors, languages)
    with torch.no_grad():
        model.project.weight.copy_(torch.tensor(matrix))
        model.project.bias.copy_(torch.tensor(offset))
    torch.save(model.state_dict(), o.out)
    print(f"{len(texts)} texts; the first 64, 128, 256 directions hold", [round(float(((vectors - vectors.mean(0)) @ matrix[:n].T).var(0).sum() / vectors.var(0).sum()), 3) for n in (64, 128, 256)])


if __name__ == "__main__":
    main()
