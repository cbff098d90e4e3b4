"""The space that the encoder learns: the English teacher's, without its mean, turned so that its first 64, 128 and 256
directions hold the most; and the map into it from the encoder's own pooled vectors, by ridge regression.
"""
import numpy as np

from encoder import OUT

RIDGE = (1e-4, 1e-3, 1e-2)


def unit(x):
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)


def principal(vectors, size=OUT):
    """(directions [size, D], mean): the mean is taken away since random texts have a cosine of 0.75 with it."""
    mean = vectors.mean(0)
    return np.linalg.svd(vectors - mean, full_matrices=False)[2][:size], mean


def ridge(x, y, strength):
    """(matrix [D_out, D_in], offset) with the least |x W + b - y|^2 + strength n |W|^2."""
    mx, my = x.mean(0), y.mean(0)
    x, y = x - mx, y - my
    matrix = np.linalg.solve(x.T @ x + strength * len(x) * x.var(0).mean() * np.eye(x.shape[1]), x.T @ y).T
    return matrix, my - matrix @ mx


def best_ridge(x, y):
    """The ridge map whose strength does best on the last tenth; fitted on all in the end. Returns (map, cosine there)."""
    cut = len(x) * 9 // 10
    tried = []
    for strength in RIDGE:
        w, b = ridge(x[:cut], y[:cut], strength)
        tried.append(((unit(x[cut:] @ w.T + b) * unit(y[cut:])).sum(1).mean(), strength))
    cosine, strength = max(tried)
    return ridge(x, y, strength), cosine


class Target:
    """For every text: the vector to learn, of length 1. English, or translated from English: the teacher's; others: `own` mapped."""

    def __init__(self, rows, english, own):
        at = np.array([i for i, r in enumerate(rows) if r["lang"] == "en" or r["en"]])
        is_english = np.array([rows[i]["lang"] == "en" for i in at])
        self.directions, self.mean = principal(english[is_english])
        y = (english - self.mean) @ self.directions.T
        (self.matrix, self.offset), self.cosine = best_ridge(own[at[is_english]], y[is_english])
        self.vectors = unit(own @ self.matrix.T + self.offset).astype(np.float32)
        # A translation's target is its original's vector, half: the rest is what the text itself was mapped to.
        self.vectors[at] = unit(np.where(is_english[:, None], unit(y), unit(y) + self.vectors[at]))
        self.taught = np.zeros(len(rows), bool)
        self.taught[at] = True
