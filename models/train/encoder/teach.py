"""Vectors of the texts of stage 3, by a graph: the English teacher's (of English, or of the English original) or
the encoder's own, pooled and before its last map. Kept in blocks; run it again to go on, or with a larger --count for more.
"""
import argparse
import json
import time

from tokenizers import Tokenizer

from cached import forward, session, vectors

PIECES = 96


def learn(path, count):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for _, line in zip(range(count), f)]


def english(rows):
    """(rows that have an English text, those texts with their prompts)."""
    chosen = [r for r in rows if r["lang"] == "en" or r["en"]]
    return chosen, [f"{r['kind']}: {r['text'] if r['lang'] == 'en' else r['en']}" for r in chosen]


def own(rows):
    return rows, [f"{r['kind']}: {r['text']}" for r in rows]


def pieces(path, texts, most=PIECES):
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_padding()
    tokenizer.enable_truncation(most)
    return [e.ids for e in tokenizer.encode_batch(texts)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("learn", "graph", "tokenizer", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--of", choices=["english", "own"], required=True)
    parser.add_argument("--output", help="output of the graph that is taken ('mean': before the last map)")
    parser.add_argument("--pad", type=int, default=0)
    parser.add_argument("--count", type=int, default=60_000)
    parser.add_argument("--threads", type=int, default=2)
    o = parser.parse_args()
    rows, texts = (english if o.of == "english" else own)(learn(o.learn, o.count))
    begin = time.time()
    got = vectors(o.out, forward(session(o.graph, o.threads), o.output), pieces(o.tokenizer, texts), o.pad)
    print(f"{got.shape} in {time.time() - begin:.0f} s")


if __name__ == "__main__":
    main()
