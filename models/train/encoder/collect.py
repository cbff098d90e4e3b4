"""Stage 3: the texts that are learned from: English questions with their passages, texts in other languages with the English
original where there is one.

One JSON object a line: {"id", "kind": "query" or "passage", "text", "lang", "pair": number of the pair or null}.
"""
import argparse
import json
import os
import random
from collections import Counter

TAKE = {"qa_misc": 20, "openstax": 15, "docs": 15, "arxiv": 10, "medquad": 10, "code": 8, "wiki": 8, "paraphrase": 4, "tldr": 3, "wordnet": 3}
PASSAGE_CHARS, OTHER_CHARS = 500, 300


def english(folder, count, rng):
    for name, share in TAKE.items():
        with open(os.path.join(folder, name + ".jsonl"), encoding="utf-8") as f:
            lines = f.readlines()
        for line in rng.sample(lines, min(len(lines), count * share // sum(TAKE.values()))):
            pair = json.loads(line)
            yield pair["q"][:300], pair["p"][:PASSAGE_CHARS]


def others(path, count):
    """The same number of texts of every language, those with an original first; a language that has few gives what it has."""
    by_language = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            row = json.loads(line)
            if len(row["text"]) >= 30:
                by_language.setdefault(row["lang"], []).append(row)
    each = -(-count // len(by_language))
    for lang, rows in sorted(by_language.items()):
        rows.sort(key=lambda r: r["en"] is None)  # stable: the file is shuffled
        some = rows[:each * 3 // 4] + [r for r in rows[each * 3 // 4:] if r["en"] is None][:each - each * 3 // 4]
        yield from some


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("pairs", "multilingual", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--english", type=int, default=16_000, help="pairs")
    parser.add_argument("--others", type=int, default=14_000, help="texts")
    o = parser.parse_args()
    rng = random.Random(7)
    rows = []
    for number, (q, p) in enumerate(english(o.pairs, o.english, rng)):
        rows += [{"kind": "query", "text": q, "lang": "en", "pair": number}, {"kind": "passage", "text": p, "lang": "en", "pair": number}]
    for number, row in enumerate(others(o.multilingual, o.others), o.english):
        # A question in one language, the passage in the other: now this way round, now that.
        kinds = rng.choice([("query", "passage"), ("passage", "query")])
        pair = number if row["en"] else None
        rows.append({"kind": kinds[0], "text": row["text"][:OTHER_CHARS], "lang": row["lang"], "pair": pair})
        if pair is not None:
            rows.append({"kind": kinds[1], "text": row["en"][:OTHER_CHARS], "lang": "en", "pair": pair})
    # Pairs stay together, everything else in any order: a beginning of the file is a sample of it.
    units, at = [], 0
    while at < len(rows):
        n = 2 if rows[at]["pair"] is not None else 1
        units.append(rows[at:at + n])
        at += n
    rng.shuffle(units)
    with open(o.out, "w", encoding="utf-8") as f:
        for i, row in enumerate(r for unit in units for r in unit):
            f.write(json.dumps({"id": i, **row}, ensure_ascii=False) + "\n")
    print(sum(map(len, units)), "texts,", Counter(r["lang"] for u in units for r in u).most_common(8))


if __name__ == "__main__":
    main()
