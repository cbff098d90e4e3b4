"""A trial: fewer layers learn the vectors of all twelve, to see what their speed costs. Nothing of it ships.

    python3 distil.py --learn OUT/learn.jsonl --weights OUT/mapped.pt --states OUT/states --tokenizer OUT/inner/tokenizer.json --layers 0,1,2,4,5,6,8,9,11 --out OUT/nine

The student begins with those layers and everything else of the encoder of stage 4, whose vectors stage 5 keeps beside the
states. The loss is stage 5's: near the vector before, as like the others as before, each half of a pair to find the other.
The word table stays as it is. --minutes is of processor time, so that a busy machine makes the same student later; a
checkpoint every few minutes, and a repeat goes on from there.
"""
import argparse
import os
import time

import numpy as np
import torch
from torch.nn import functional as F

from encoder import Encoder, padded
from export import PAD, load
from states import pieces
from tune import HELD, Texts, loss_of


class Learned(Texts):
    """Texts as the student reads them: by their pieces."""

    def __init__(self, o, project):
        super().__init__(o, project)
        self.states = None
        self.ids = pieces(o.tokenizer, [f"{r['kind']}: {r['text']}" for r in self.rows])

    def padded(self, some):
        return padded([self.ids[i] for i in some], PAD)


def student_of(teacher, layers):
    model = Encoder(len(teacher.words.weight), len(layers), len(teacher.positions.weight))
    for name in ("words", "positions", "norm", "project"):
        getattr(model, name).load_state_dict(getattr(teacher, name).state_dict())
    for own, i in zip(model.layers, layers):
        own.load_state_dict(teacher.layers[i].state_dict())
    model.words.weight.requires_grad_(False)
    return model


def vectors(model, ids, mask):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return model(ids, mask).float()


def agreement(texts, model):
    """(cosine with the teacher's vectors, share of held-out texts whose nearest is their other half)."""
    with torch.inference_mode():
        some = np.arange(HELD)
        v = F.normalize(torch.cat([vectors(model, *texts.padded(some[i:i + 64])) for i in range(0, HELD, 64)]), dim=1)
        partner = texts.partners_within(some)
        near = (v @ v.T).fill_diagonal_(-1).argmax(1)
        return (v * torch.from_numpy(texts.before[:HELD])).sum(1).mean().item(), (near == partner)[partner >= 0].float().mean().item()


def train(o, texts, model):
    weights = [w for w in model.parameters() if w.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=o.rate, betas=(0.9, 0.98), weight_decay=0.01)
    path, step, spent, seen = os.path.join(o.out, "checkpoint.pt"), 0, 0.0, 0
    if os.path.exists(path):
        held = torch.load(path)
        model.load_state_dict(held["model"])
        optimiser.load_state_dict(held["optimiser"])
        step, spent, seen = held["step"], held["spent"], held["seen"]
    begin, saved = time.process_time() - spent, time.time()
    used = lambda: (time.process_time() - begin) / 60
    report = lambda: print(f"step {step}, {used():.1f} min, {seen / 1e6:.2f} million pieces: held-out cosine {{:.4f}}, pairs {{:.4f}}".format(*agreement(texts, model)), flush=True)
    report()
    epoch, done = 0, 0
    while used() < o.minutes:
        for some in texts.batches(np.random.default_rng(epoch), o.batch):
            done += 1
            if done <= step:
                continue
            if used() >= o.minutes:
                break
            for group in optimiser.param_groups:
                group["lr"] = o.rate * min(1, (step + 1) / 50) * (1 - used() / o.minutes)
            ids, mask = texts.padded(some)
            loss = loss_of(vectors(model, ids, mask), torch.from_numpy(texts.before[some]), texts.partners_within(some))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimiser.step()
            step, seen = step + 1, seen + int(mask.sum())
            if time.time() - saved > 180:
                report()
                torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "spent": used() * 60, "seen": seen}, path + ".part")
                os.replace(path + ".part", path)
                saved = time.time()
        epoch += 1
    report()
    torch.save(model.state_dict(), os.path.join(o.out, "tuned.pt"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("learn", "weights", "states", "tokenizer", "layers", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--count", type=int, default=56_000, help="texts")
    parser.add_argument("--batch", type=int, default=48, help="pairs and single texts")
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--minutes", type=float, default=25, help="of processor time")
    parser.add_argument("--threads", type=int, default=1)
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(0)
    os.makedirs(o.out, exist_ok=True)
    teacher = load(o.weights)
    texts = Learned(o, teacher.project)
    train(o, texts, student_of(teacher, [int(i) for i in o.layers.split(",")]))


if __name__ == "__main__":
    main()
