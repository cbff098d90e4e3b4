"""Trains the table of token vectors and writes the model folder.

    python3 models/train/train.py --data DIR --out models/lectern-embed-en

A text's vector is the sum of its tokens' rows, normalised; a row's length is
the learned weight of its token. Questions and passages of a batch are matched
by softmax over cosines (InfoNCE, both directions), on the whole vector and on
a shorter prefix of it (Matryoshka). Gradients are written out by hand: the
automatic ones cost twice the time here.
"""
import argparse
import time

import numpy as np
import torch

import export
from pairs import Pairs

PREFIXES = (64, 128)
PREFIX_WEIGHT = 0.7
BACKWARD_WEIGHT = 0.5  # passage -> question, beside question -> passage
MOMENTUM, VARIANCE = 0.9, 0.98
WARMUP_STEPS = 50


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder with the .jsonl files of train.tar.xz")
    parser.add_argument("--out", required=True, help="model folder to write")
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--whole-words", type=int, default=50000)
    parser.add_argument("--merges", type=int, default=8000)
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--temperature", type=float, default=0.05)
    parser.add_argument("--passage-tokens", type=int, default=160)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def initial_table(counts, dim):
    """Random directions, each as long as the token is rare: a random projection of tf-idf."""
    rarity = np.log(1 + counts.sum() / 100 / (counts + 5.0))
    length = torch.from_numpy(rarity / rarity.mean()).float().unsqueeze(1)
    table = torch.randn(len(counts), dim) / np.sqrt(dim) * length
    table[:2] = 0  # padding and unknown
    return table


def same_texts(*columns):
    """Index pairs (row, column) of different pairs that share a question or a passage."""
    rows, cols = [], []
    for tokens, offsets in columns:
        key = np.add.reduceat(tokens.astype(np.int64) * 2654435761 % 1000003, offsets)
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        for i in np.flatnonzero(ordered[1:] == ordered[:-1]):
            j = i + 1
            while j < len(order) and ordered[j] == ordered[i]:
                rows += [order[i], order[j]]
                cols += [order[j], order[i]]
                j += 1
    return torch.tensor(rows, dtype=torch.long), torch.tensor(cols, dtype=torch.long)


def contrast(x, size, dim, temperature, excluded):
    """Loss and gradient by x (questions, then passages) of the two-way softmax on a prefix."""
    y = x[:, :dim]
    length = y.norm(dim=1, keepdim=True).clamp_min(1e-6)
    y = y / length
    q, p = y[:size], y[size:]
    # cosines are at most 1, so exp((cos - 1) / temperature) needs no other shift
    e = ((q @ p.T - 1) / temperature).exp_()
    e[excluded] = 0
    own = torch.arange(size)
    diagonal = e[own, own].clone()
    by_row, by_col = e.sum(1), e.sum(0)
    loss = -(diagonal / by_row).clamp_min(1e-30).log().mean().item()
    e.mul_(1 / by_row.clamp_min(1e-30).unsqueeze(1) + BACKWARD_WEIGHT / by_col.clamp_min(1e-30).unsqueeze(0))
    e[own, own] -= 1 + BACKWARD_WEIGHT
    e.mul_(1 / (temperature * size))
    g = torch.cat([e @ p, e.T @ q])
    return loss, (g - y * (g * y).sum(1, keepdim=True)) / length


def train(pairs, o):
    torch.manual_seed(o.seed)
    rng = np.random.default_rng(o.seed)
    table = initial_table(pairs.counts(), o.dim)
    mean, variance = torch.zeros_like(table), torch.zeros(len(table))
    prefixes = [d for d in PREFIXES if d < o.dim]
    started, losses = time.time(), []
    for step in range(o.steps):
        chosen = pairs.draw(rng, o.batch)
        (qt, qo, ql), (pt, po, pl) = pairs.texts(rng, chosen, o.passage_tokens)
        used, place = np.unique(np.concatenate([qt, pt]), return_inverse=True)
        used, place = torch.from_numpy(used).long(), torch.from_numpy(place)
        offsets = torch.from_numpy(np.concatenate([qo, po + len(qt)]))
        x = torch.nn.functional.embedding_bag(place, table[used], offsets, mode="sum")
        excluded = same_texts((qt, qo), (pt, po))
        loss, gradient = contrast(x, len(chosen), o.dim, o.temperature, excluded)
        prefix = prefixes[rng.integers(len(prefixes))]
        gradient[:, :prefix] += PREFIX_WEIGHT * contrast(x, len(chosen), prefix, o.temperature, excluded)[1]
        by_token = gradient.repeat_interleave(torch.from_numpy(np.concatenate([ql, pl])), 0)
        g = torch.zeros(len(used), o.dim).index_add_(0, place, by_token)
        # Adam with one variance a row, moved only where the batch has the token
        rate = o.rate * min(1, (step + 1) / WARMUP_STEPS) * (1 - step / o.steps)
        m = mean[used] * MOMENTUM + g * (1 - MOMENTUM)
        v = variance[used] * VARIANCE + (g * g).mean(1) * (1 - VARIANCE)
        mean[used], variance[used] = m, v
        spread = (v / (1 - VARIANCE ** (step + 1))).sqrt().unsqueeze(1) + 1e-9
        table[used] -= rate * m / (1 - MOMENTUM ** (step + 1)) / spread
        losses.append(loss)
        if step % 100 == 0 or step == o.steps - 1:
            print(f"step {step} loss {np.mean(losses[-50:]):.3f} {time.time() - started:.0f} s", flush=True)
    return table.numpy()


def main():
    o = options()
    torch.set_num_threads(o.threads)
    pairs = Pairs(o.data, o.whole_words, o.merges)
    print(f"{len(pairs.vocab)} tokens, {len(pairs.p.start) - 1} pairs, {len(pairs.p.flat)} passage tokens", flush=True)
    export.save(o.out, pairs.vocab, train(pairs, o))


if __name__ == "__main__":
    main()
