"""nDCG@10 of an encoder over test sets in BEIR layout: vectors alone, and with keywords at several weights.

    python3 models/train/encoder/measure.py --sets SETS --model models/lectern-embed --lexicon models/lexicon/english.json --cache CACHE

Documents in windows of 200 pieces, the best window counts. Hybrid = (1 - w) keyword / best + w (cosine - median) / (best -
median), question by question. Vectors are kept in the cache, by the graph's bytes; a run that was stopped goes on.
"""
import argparse
import hashlib
import json
import os
import random
import sys
import time

import numpy as np
import torch
from tokenizers import Tokenizer

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import cached
import evaluate

WINDOW = 200
WEIGHTS = (0.3, 0.5, 0.7)
QUESTIONS = 200


class Model:
    """A graph with its tokenizer; `head` is a map (matrix, offset) put on the output 'mean'."""

    def __init__(self, graph, tokenizer, cache, head=None, threads=2, output=None):
        self.run = cached.forward(cached.session(graph, threads), output)
        self.tokenizer = Tokenizer.from_file(tokenizer)
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        with open(graph, "rb") as f:
            self.cache = os.path.join(cache, hashlib.sha256(f.read()).hexdigest()[:12] + (output or ""))
        self.pad = self.tokenizer.token_to_id("<pad>") or 0
        self.heads = head

    def vectors(self, name, texts, prompt):
        """(vectors of all windows, number of the text of each)."""
        around = [e.ids for e in self.tokenizer.encode_batch([prompt, prompt + "a"])]
        first, last = around[0][0], around[0][-1]
        before = self.tokenizer.encode(prompt.strip(), add_special_tokens=False).ids
        rows, of = [], []
        for i, e in enumerate(self.tokenizer.encode_batch([prompt + t for t in texts], add_special_tokens=False)):
            body = e.ids[len(before):]
            for at in range(0, max(len(body), 1), WINDOW):
                rows.append([first, *before, *body[at:at + WINDOW], last])
                of.append(i)
        return cached.vectors(os.path.join(self.cache, name), self.run, rows, self.pad), np.array(of)


def put(v, head):
    if head is None:
        return v
    v = v @ head[0].T + head[1]
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def best_window(queries, docs, of):
    cosines = queries @ docs.T
    out = np.full((len(queries), of[-1] + 1), -1.0, np.float32)
    for window, doc in enumerate(of):
        out[:, doc] = np.maximum(out[:, doc], cosines[:, window])
    return out


def keyword_scores(docs, queries, lexicon):
    def learned(term, idf):
        multiply, add = lexicon.get(term, (1, 0))
        return max(0.0, idf + add) * multiply

    bm25 = evaluate.Bm25([evaluate.parts(d["title"]) * 2 + evaluate.parts(d["text"]) for d in docs], 0.9, 0.6)
    return np.array([bm25.score(evaluate.parts(q), learned) for q, _ in queries])


def hybrid(keyword, cosine, w):
    median = np.median(cosine, axis=1, keepdims=True)
    spread = np.maximum(cosine.max(axis=1, keepdims=True) - median, 1e-9)
    return (1 - w) * keyword / np.maximum(keyword.max(axis=1, keepdims=True), 1e-9) + w * (cosine - median) / spread


def one_set(model, folder, lexicon, heads):
    """{head: [vectors, hybrid by weight]} of one set, and the keyword leg's own figure."""
    docs, queries = evaluate.load(folder)
    judged = [g for _, g in queries]
    name = os.path.basename(folder)
    v, of = model.vectors(name + "-docs", [(d["title"] + " " + d["text"]).strip() for d in docs], "passage: ")
    q, _ = model.vectors(name + "-queries", [text[:1500] for text, _ in queries], "query: ")
    q = q[np.unique(_, return_index=True)[1]]
    keyword = keyword_scores(docs, queries, lexicon)
    out = {}
    for label, head in heads.items():
        cosine = best_window(put(q, head), put(v, head), of)
        out[label] = [evaluate.ndcg(cosine, judged)] + [evaluate.ndcg(hybrid(keyword, cosine, w), judged) for w in WEIGHTS]
    return out, evaluate.ndcg(keyword, judged)


def across(model, sets, documents, questions, heads):
    """{head: {(documents' language, questions' language): nDCG@10}}; a fixed sample of questions."""
    out = {label: {} for label in heads}
    held = {}
    for lang in questions:
        docs, queries = evaluate.load(os.path.join(sets, "xquad-" + lang))
        some = random.Random(3).sample(range(len(queries)), QUESTIONS)
        held[lang] = model.vectors(f"xquad-{lang}-some", [queries[i][0] for i in some], "query: ")[0], [queries[i][1] for i in some]
    for lang in documents:
        docs, _ = evaluate.load(os.path.join(sets, "xquad-" + lang))
        v, of = model.vectors(f"xquad-{lang}-docs", [(d["title"] + " " + d["text"]).strip() for d in docs], "passage: ")
        for other, (q, judged) in held.items():
            for label, head in heads.items():
                out[label][lang, other] = evaluate.ndcg(best_window(put(q, head), put(v, head), of), judged)
    return out


def heads_of(paths):
    """The maps of trained encoders (.pt) that stand on the output 'mean', by their names; none: the graph as it is."""
    out = {}
    for path in paths:
        state = torch.load(path, map_location="cpu")
        weight, bias = state["project.weight"].numpy(), state["project.bias"].numpy()
        for size in (256, 128, 64):
            if size == 256 or len(paths) == 1:  # 256, or all there are
                out[f"{os.path.basename(path)} {size}"] = (weight, bias) if size == 256 else (weight[:size], bias[:size])
    return out or {"as it is": None}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("sets", "model", "lexicon", "cache"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--graph", default="onnx/model.onnx")
    parser.add_argument("--tokenizer", default="tokenizer.json")
    parser.add_argument("--names", default="cisi,cacm,npl,cosqa-dev,se-coffee,se-beer,pubmedqa")
    parser.add_argument("--documents", default="", help="XQuAD's languages of the documents: de,zh,ar")
    parser.add_argument("--questions", default="")
    parser.add_argument("--heads", nargs="*", default=[])
    parser.add_argument("--threads", type=int, default=2)
    o = parser.parse_args()
    heads = heads_of(o.heads)
    model = Model(os.path.join(o.model, o.graph), os.path.join(o.model, o.tokenizer), o.cache, threads=o.threads, output="mean" if o.heads else None)
    with open(o.lexicon, encoding="utf-8") as f:
        lexicon = json.load(f)
    rows = {label: [] for label in heads}
    print("| set | map | keyword | vectors | " + " | ".join(f"hybrid {w}" for w in WEIGHTS) + " |\n|---|---|---|---|" + "---|" * len(WEIGHTS))
    for name in filter(None, o.names.split(",")):
        begin = time.time()
        figures, keyword = one_set(model, os.path.join(o.sets, name), lexicon, heads)
        for label, row in figures.items():
            rows[label].append(row)
            print(f"| {name} | {label} | {keyword:.4f} | " + " | ".join(f"{x:.4f}" for x in row) + " |", flush=True)
        print(f"{name}: {time.time() - begin:.0f} s", file=sys.stderr, flush=True)
    for label, some in rows.items():
        if some:
            print(f"| mean | {label} | | " + " | ".join(f"{x:.4f}" for x in np.mean(some, axis=0)) + " |")
    if o.documents:
        for label, pairs in across(model, o.sets, o.documents.split(","), o.questions.split(","), heads).items():
            other = [x for (a, b), x in pairs.items() if a != b]
            print(f"XQuAD across languages, {label}: mean of {len(other)} pairs {np.mean(other):.4f};", " ".join(f"{a}<-{b} {x:.3f}" for (a, b), x in pairs.items()))


if __name__ == "__main__":
    main()
