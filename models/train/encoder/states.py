"""What the frozen lower layers make of every text: the states that the tuned layers begin with, and the pooled
vectors of the encoder as it was. Kept in blocks; run it again to go on.
"""
import argparse
import json
import os
import time

import numpy as np
from tokenizers import Tokenizer

from cached import BLOCK, session
from encoder import by_length, padded
from export import PAD
from layout import STATES


PIECES = 96


def learn(path, count):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for _, line in zip(range(count), f)]


def pieces(path, texts, most=PIECES):
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_padding()
    tokenizer.enable_truncation(most)
    return [e.ids for e in tokenizer.encode_batch(texts)]


def block(graph, rows, name):
    mean, states = np.zeros((len(rows), 384), np.float16), [None] * len(rows)
    for some in by_length(rows, 2048):
        ids, mask = padded([rows[i] for i in some], PAD)
        pooled, inner = graph.run(["mean", name], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
        mean[some] = pooled
        for at, i in enumerate(some):
            states[i] = inner[at, :len(rows[i])].astype(np.float16)
    return {"mean": mean, "states": np.concatenate(states), "lengths": np.array(list(map(len, rows)))}


def keep(folder, graph, rows, name=STATES):
    """The states of all token lists, in blocks; those that `folder` holds are not computed again."""
    os.makedirs(folder, exist_ok=True)
    for at in range(0, len(rows), BLOCK):
        path = os.path.join(folder, f"{at:07d}.npz")
        if not os.path.exists(path):
            np.savez(f"{path}.{os.getpid()}.npz", **block(graph, rows[at:at + BLOCK], name))
            os.replace(f"{path}.{os.getpid()}.npz", path)


def load(folder, count):
    """(pooled [texts, 384], states of each text) of the blocks that are there."""
    means, states = [], []
    for at in range(0, count, BLOCK):
        path = os.path.join(folder, f"{at:07d}.npz")
        if not os.path.exists(path):
            break
        got = np.load(path)
        means.append(got["mean"].astype(np.float32))
        states += np.split(got["states"], np.cumsum(got["lengths"])[:-1])
    return np.concatenate(means), states


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("learn", "model", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--count", type=int, default=60_000)
    parser.add_argument("--threads", type=int, default=2)
    o = parser.parse_args()
    graph = session(os.path.join(o.model, "onnx", "model.onnx"), o.threads)
    rows = pieces(os.path.join(o.model, "tokenizer.json"), [f"{r['kind']}: {r['text']}" for r in learn(o.learn, o.count)])
    begin = time.time()
    keep(o.out, graph, rows)
    print(f"{len(rows)} texts, {sum(map(len, rows))} pieces in {time.time() - begin:.0f} s")


if __name__ == "__main__":
    main()
