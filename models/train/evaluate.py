"""nDCG@10 of keyword, vectors and both, over test sets in BEIR layout.

    python3 models/train/evaluate.py --sets DIR --model models/lectern-embed-en --lexicon models/lexicon/english.json
"""
import argparse
import json
import math
import os
import re
from collections import Counter

import numpy as np

import graph
from porter import stem
from text import WordPiece

SETS = ["cisi", "cacm", "npl", "cosqa-dev", "se-coffee", "se-beer", "pubmedqa"]
MEAN_OF = SETS[:6]
LUCENE_STOP = set("a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was will with".split())
PARTS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
VECTOR_SHARE = 0.4


def plain(text):
    return [stem(w) for w in re.findall(r"[^\W_]+", text.lower()) if w not in LUCENE_STOP]


def parts(text):
    return [stem(x.lower()) for w in re.findall(r"[^\W_]+", text) for x in PARTS.split(w) if x]


class Bm25:
    def __init__(self, texts, k1, b):
        self.count = len(texts)
        length = np.array([len(t) for t in texts], float)
        self.k1, self.slow = k1, k1 * (1 - b + b * length / max(length.mean(), 1e-9))
        postings = {}
        for i, terms in enumerate(texts):
            for term, times in Counter(terms).items():
                postings.setdefault(term, []).append((i, times))
        self.postings = {t: tuple(map(np.array, zip(*p))) for t, p in postings.items()}

    def idf(self, term):
        found = len(self.postings[term][0])
        return math.log(1 + (self.count - found + 0.5) / (found + 0.5))

    def score(self, terms, weight):
        """weight(term, idf) is the term's weight for one mention in the query."""
        out = np.zeros(self.count)
        for term, mentions in Counter(terms).items():
            if term in self.postings:
                where, times = self.postings[term]
                out[where] += mentions * weight(term, self.idf(term)) * times * (self.k1 + 1) / (times + self.slow[where])
        return out


def load(folder):
    lines = lambda name: [json.loads(line) for line in open(os.path.join(folder, name), encoding="utf-8")]
    docs = lines("corpus.jsonl")
    number = {d["_id"]: i for i, d in enumerate(docs)}
    judged = {}
    with open(os.path.join(folder, "qrels.tsv"), encoding="utf-8") as f:
        for line in list(f)[1:]:
            query, doc, grade = line.rstrip("\n").split("\t")
            if doc in number:
                judged.setdefault(query, {})[number[doc]] = float(grade)
    queries = [(q["text"], judged[q["_id"]]) for q in lines("queries.jsonl") if q["_id"] in judged]
    return docs, queries


def ndcg(scores, judged, k=10):
    total = 0.0
    for row, grades in zip(scores, judged):
        top = np.lexsort((np.arange(len(row)), -row))[:k]
        gained = sum(grades.get(int(d), 0) / math.log2(i + 2) for i, d in enumerate(top))
        best = sorted(grades.values(), reverse=True)[:k]
        total += gained / sum(g / math.log2(i + 2) for i, g in enumerate(best))
    return total / len(judged)


def embed(pieces, table, texts):
    out = np.stack([table[pieces.encode(t)].sum(axis=0) for t in texts])
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--lexicon", required=True)
    o = parser.parse_args()
    with open(os.path.join(o.model, "tokenizer.json"), encoding="utf-8") as f:
        ids = json.load(f)["model"]["vocab"]
    pieces = WordPiece(sorted(ids, key=ids.get))
    table = graph.read(os.path.join(o.model, "onnx", "model.onnx"))
    with open(o.lexicon, encoding="utf-8") as f:
        lexicon = json.load(f)

    def learned(term, idf):
        multiply, add = lexicon.get(term, (1, 0))
        return max(0.0, idf + add) * multiply

    rows = []
    for name in SETS:
        docs, queries = load(os.path.join(o.sets, name))
        judged = [g for _, g in queries]
        texts = [d["title"] + " " + d["text"] for d in docs]
        reference = Bm25([plain(t) for t in texts], 0.9, 0.4)
        keyword = Bm25([parts(d["title"]) * 2 + parts(d["text"]) for d in docs], 0.9, 0.6)
        by_reference = np.array([reference.score(plain(q), lambda _, idf: idf) for q, _ in queries])
        by_keyword = np.array([keyword.score(parts(q), learned) for q, _ in queries])
        by_vector = embed(pieces, table, [q for q, _ in queries]) @ embed(pieces, table, texts).T
        best = np.maximum(by_keyword.max(axis=1, keepdims=True), 1e-9)
        both = (1 - VECTOR_SHARE) * by_keyword / best + VECTOR_SHARE * by_vector
        rows.append([ndcg(s, judged) for s in (by_reference, by_keyword, by_vector, both)])
    print("| set | BM25 reference | keyword | vectors | hybrid |\n|---|---|---|---|---|")
    mean = np.mean([r for name, r in zip(SETS, rows) if name in MEAN_OF], axis=0)
    for name, row in [*zip(SETS, rows), ("mean of the first six", mean)]:
        print(f"| {name} | " + " | ".join(f"{x:.4f}" for x in row) + " |")


if __name__ == "__main__":
    main()
