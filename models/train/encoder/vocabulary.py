"""Stage 2: which pieces of the multilingual teacher's vocabulary text really has.

Every language weighs the same in the ranking, English as much as eight: pieces of running text (stage 1 and the English
pairs) and of the words of everyday use (wordfreq's lists; Thai from PyThaiNLP's). Marks, digits and every single character
of the teacher stay whatever their count. The places that are left go to the teacher's own commonest pieces (its ids fall with
their use). Writes the kept ids in the order of the teacher's, special pieces first.
"""
import argparse
import gzip
import json
import os
import random
from collections import Counter, defaultdict

import msgpack

from teachers import multilingual_e5_small, xlm_tokenizer

ENGLISH_WEIGHT = 8
CHARS_A_LANGUAGE = 600_000
RUNNING, WORDS = 0.5, 0.5


def running_texts(multilingual, pairs):
    """{language: texts}, at most CHARS_A_LANGUAGE each; English five times as much."""
    out, size = defaultdict(list), Counter()
    with open(multilingual, encoding="utf-8") as f:
        for line in f:
            row = json.loads(line)
            if size[row["lang"]] < CHARS_A_LANGUAGE:
                size[row["lang"]] += len(row["text"])
                out[row["lang"]].append(row["text"])
    rng = random.Random(1)
    for name in sorted(os.listdir(pairs)):
        if name.endswith(".jsonl"):
            with open(os.path.join(pairs, name), encoding="utf-8") as f:
                lines = f.readlines()
            for line in rng.sample(lines, min(1500, len(lines))):
                pair = json.loads(line)
                out["en"] += [pair["q"], pair["p"][:2000]]
    return out


def everyday_words(wordfreq, thai):
    """{language: [(word, share)]}: 'large' lists hold words down to one in a hundred million."""
    out = {}
    for name in sorted(os.listdir(wordfreq)):
        if not name.endswith(".msgpack.gz") or name.startswith("_"):
            continue
        size, lang = name.split(".")[0].split("_")
        if size == "small" and lang in out:
            continue
        with gzip.open(os.path.join(wordfreq, name), "rb") as f:
            bins = msgpack.load(f, raw=False)[1:]
        out[lang] = [(w, 10 ** (-i / 100)) for i, words in enumerate(bins) if i <= 650 for w in words]
    if thai:
        with open(thai, encoding="utf-8") as f:
            rows = [line.rstrip("\n").split("\t") for line in f]
        total = sum(int(r[1]) for r in rows if len(r) == 2)
        out["th"] = [(r[0], int(r[1]) / total) for r in rows if len(r) == 2 and int(r[1]) > 5]
    return out


def count(o, tokenizer):
    score = Counter()

    def add(shares, weight):
        total = sum(shares.values())
        for piece, n in shares.items():
            score[piece] += weight * n / total

    for lang, texts in running_texts(o.multilingual, o.pairs).items():
        found = Counter(i for e in tokenizer.encode_batch(texts, add_special_tokens=False) for i in e.ids)
        add(found, RUNNING * (ENGLISH_WEIGHT if lang == "en" else 1))
    for lang, words in everyday_words(o.wordfreq, o.thai).items():
        found = Counter()
        for (_, share), e in zip(words, tokenizer.encode_batch([w for w, _ in words], add_special_tokens=False)):
            for i in e.ids:
                found[i] += share
        add(found, WORDS * (ENGLISH_WEIGHT if lang == "en" else 1))
        # Names and words with a capital are pieces of their own.
        titled = tokenizer.encode_batch([w.title() for w, _ in words[:20000]], add_special_tokens=False)
        add(Counter({i: 0.0 + share for (_, share), e in zip(words, titled) for i in e.ids}), 0.1 * WORDS * (ENGLISH_WEIGHT if lang == "en" else 1))
    return score


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("teacher", "multilingual", "pairs", "wordfreq", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--thai")
    parser.add_argument("--counted", type=int, default=124_000, help="pieces chosen by count")
    parser.add_argument("--size", type=int, default=150_000)
    o = parser.parse_args()
    _, vocabulary = multilingual_e5_small(o.teacher)
    score = count(o, xlm_tokenizer(vocabulary))
    always = {i for i, (piece, _) in enumerate(vocabulary) if i < 4 or len(piece.lstrip("▁")) <= 1 and (len(piece) <= 1 or score[i] > 0 or ord(piece[-1]) < 0x250)}
    ranked = [i for i, _ in sorted(score.items(), key=lambda x: (-x[1], x[0])) if i not in always]
    kept = always | set(ranked[:o.counted - len(always)])
    for i in range(len(vocabulary)):
        if len(kept) >= o.size:
            break
        kept.add(i)
    kept = sorted(kept)
    held = set(kept)
    lost = sum(n for i, n in score.items() if i not in held) / sum(score.values())
    with open(o.out, "w") as f:
        json.dump(kept, f)
    print(f"{len(kept)} pieces of {len(vocabulary)}: {len(always)} single characters, {len(score)} seen; pieces cut carry {lost:.5f} of the weighed text")


if __name__ == "__main__":
    main()
