"""The space of the encoder: the principal directions of its pooled vectors, so that the first 64, 128 and 256 hold the most."""
import numpy as np

from encoder import OUT


def principal(vectors, size=OUT):
    """(directions [size, D], mean): the mean is taken away since random texts have a cosine of 0.75 with it."""
    mean = vectors.mean(0)
    return np.linalg.svd(vectors - mean, full_matrices=False)[2][:size], mean
