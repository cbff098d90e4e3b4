"""The training pairs: read, tokenised into flat arrays, and drawn in balanced batches."""
import json
import os
from collections import Counter

import numpy as np

import vocab
from text import WordPiece, words

FILES = ["arxiv", "code", "docs", "medquad", "openstax", "paraphrase", "qa_misc", "tldr", "wiki", "wordnet"]
# Short or noisy sources get less than the square root of their size.
LESS = {"wordnet/def": 0.35, "wordnet/syn": 0.35, "wordnet/ex": 0.35, "tldr": 0.5, "clinc150-train": 0.3, "banking77-train": 0.3}
PYTHON = ("scipy", "networkx", "sqlalchemy", "TheAlgorithms", "python-")
QUERY_CHARS, PASSAGE_CHARS = 600, 2400
QUERY_TOKENS = 64


def group_of(source):
    """Sources that are sampled as one."""
    if source.startswith("openstax"):
        return source.split("#")[0]
    if source.startswith("code"):
        return "code-python" if any(name in source for name in PYTHON) else "code-other"
    for name in ("medquad", "wiki", "stackexchange"):
        if source.startswith(name):
            return name
    return source


def read(folder):
    """Yields (question, passage, source) of every pair."""
    for name in FILES:
        with open(os.path.join(folder, name + ".jsonl"), encoding="utf-8") as lines:
            for line in lines:
                pair = json.loads(line)
                yield pair["q"][:QUERY_CHARS], pair["p"][:PASSAGE_CHARS], pair["src"]


class Ragged:
    """Many token lists in one flat array."""

    def __init__(self, lists):
        lengths = np.fromiter((len(x) for x in lists), np.int64, len(lists))
        self.start = np.concatenate([[0], np.cumsum(lengths)])
        self.flat = np.fromiter((i for x in lists for i in x), np.int32, int(lengths.sum()))


def cut(flat, start, end):
    """The slices start[i]:end[i] of flat, joined. Returns (tokens, offsets, lengths)."""
    lengths = end - start
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    index = np.repeat(start - offsets, lengths) + np.arange(int(lengths.sum()))
    return flat[index], offsets, lengths


class Pairs:
    """Every pair as token ids, the vocabulary built from them, and the groups to draw from."""

    def __init__(self, folder, whole_words, merges):
        counts, questions, passages, sources = Counter(), [], [], []
        names = {}  # each word is kept once, so that the lists hold small references
        for q, p, source in read(folder):
            question = [names.setdefault(w, w) for w in words(q)]
            passage = [names.setdefault(w, w) for w in words(p)]
            counts.update(question)
            counts.update(passage)
            questions.append(question)
            passages.append(passage)
            sources.append(source)
        self.vocab = vocab.build(counts, whole_words, merges)
        pieces = WordPiece(self.vocab)
        known = {w: [i for i in pieces.word(w) if i > 1] for w in names}
        self.q = Ragged([[i for w in text for i in known[w]] for text in questions])
        self.p = Ragged([[i for w in text for i in known[w]] for text in passages])
        self._group(sources)

    def _group(self, sources):
        groups = sorted({group_of(s) for s in sources})
        number = {g: i for i, g in enumerate(groups)}
        ids = np.array([number[group_of(s)] for s in sources])
        usable = (np.diff(self.q.start) > 0) & (np.diff(self.p.start) > 1)
        self.members = [np.flatnonzero((ids == i) & usable) for i in range(len(groups))]
        weight = np.array([len(m) ** 0.5 * LESS.get(g, 1.0) if len(m) >= 100 else 0.0 for g, m in zip(groups, self.members)])
        self.weight = weight / weight.sum()

    def counts(self):
        size = len(self.vocab)
        return np.bincount(self.p.flat, minlength=size) + np.bincount(self.q.flat, minlength=size)

    def draw(self, rng, size):
        """Pair numbers of one batch, square-root balanced over the groups."""
        picked = rng.multinomial(size, self.weight)
        return np.concatenate([rng.choice(m, min(k, len(m)), replace=False) for m, k in zip(self.members, picked) if k])

    def texts(self, rng, pairs, cap):
        """Question and passage tokens of these pairs; a window of a passage longer than cap."""
        qs = self.q.start[pairs]
        qe = np.minimum(self.q.start[pairs + 1], qs + QUERY_TOKENS)
        ps, pe = self.p.start[pairs], self.p.start[pairs + 1]
        spare = np.maximum(pe - ps - cap, 0)
        shift = (rng.random(len(pairs)) ** 2 * spare).astype(np.int64)
        shift[rng.random(len(pairs)) < 0.5] = 0
        return cut(self.q.flat, qs, qe), cut(self.p.flat, ps + shift, np.minimum(pe, ps + shift + cap))
