"""Stage 5: the last layers and the map to 256 values learn. The layers below stay; their states are read from states.py.

Every text of a pair is to find its other half (a question its passage, a text its translation) among all texts of the batch,
and all are to stay near where they were. Loss = cross entropy of the pairs + 1 - cosine with the vector before + divergence
of the similarities in the batch from those before, each on the first 64, 128 and 256 values. A checkpoint every few minutes;
started again with the same folder it goes on. Seeds are fixed, and the order of the batches is the seed's.
"""
import argparse
import os
import time

import numpy as np
import torch
from torch.nn import functional as F

import states
from encoder import PREFIXES, cosine_schedule
from export import load
from states import learn

TUNED = 2
HELD = 512
PAIR_TEMPERATURE, TEMPERATURE = 0.05, 0.05
PAIR_WEIGHT, NEAR_WEIGHT, ALIKE_WEIGHT = 0.3, 1.0, 0.5
MOST_LIKE = 0.95


class Texts:
    def __init__(self, o, project):
        mean, self.states = states.load(o.states, o.count)
        self.rows = learn(o.learn, o.count)[:len(mean)]
        with torch.inference_mode():
            self.before = F.normalize(project(torch.from_numpy(mean)), dim=1).numpy()
        self.length = np.array([len(s) for s in self.states])
        numbers = {}
        for i, r in enumerate(self.rows):
            if r["pair"] is not None:
                numbers.setdefault(r["pair"], []).append(i)
        self.partner = np.full(len(self.rows), -1)
        for pair in numbers.values():
            if len(pair) == 2:
                self.partner[pair] = pair[::-1]

    def batches(self, rng, size):
        """Pairs stay together; texts of like length otherwise."""
        usable = np.arange(HELD, len(self.rows))
        units = [i for i in usable if self.partner[i] < 0 or self.partner[i] > i]
        order = rng.permutation(units)
        out = []
        for at in range(0, len(order), size * 16):
            some = order[at:at + size * 16]
            width = np.maximum(self.length[some], np.where(self.partner[some] < 0, 0, self.length[self.partner[some]]))
            some = some[np.argsort(width, kind="stable")]
            out += [some[i:i + size] for i in range(0, len(some), size)]
        for i in rng.permutation(len(out)):
            partners = self.partner[out[i]]
            yield np.concatenate([out[i], partners[partners >= 0]])

    def padded(self, some):
        width = self.length[some].max()
        x = np.zeros((len(some), width, 384), np.float32)
        mask = np.zeros((len(some), width), np.int64)
        for row, i in enumerate(some):
            x[row, :self.length[i]], mask[row, :self.length[i]] = self.states[i], 1
        return torch.from_numpy(x), torch.from_numpy(mask)

    def partners_within(self, some):
        """The place in `some` of each text's other half, or -1."""
        place = {int(i): n for n, i in enumerate(some)}
        return torch.tensor([place.get(int(self.partner[i]), -1) for i in some])


def forward(layers, project, x, mask, half=False):
    """half: the layers' products in bfloat16, twice as fast where a processor has it."""
    wide = mask.bool()[:, None, None, :]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        for layer in layers:
            x = layer(x, wide)
    m = mask[:, :, None].float()
    return project(F.normalize((x.float() * m).sum(1) / m.sum(1), dim=1))


def loss_of(v, before, partner):
    total = 0.0
    have = partner >= 0
    for size in PREFIXES:
        a, b = F.normalize(v[:, :size], dim=1), F.normalize(before[:, :size], dim=1)
        diagonal = torch.eye(len(a), dtype=torch.bool)
        theirs = b @ b.T
        mine = a @ a.T
        alike = F.kl_div(F.log_softmax((mine / TEMPERATURE).masked_fill(diagonal, -1e9), 1), F.softmax((theirs / TEMPERATURE).masked_fill(diagonal, -1e9), 1), reduction="batchmean")
        total = total + NEAR_WEIGHT * (1 - (a * b).sum(1)).mean() + ALIKE_WEIGHT * alike
        if have.any():
            # What says nearly the same as the other half is no wrong answer.
            right = F.one_hot(partner.clamp_min(0), len(a)).bool()
            same = (theirs[partner.clamp_min(0)] > MOST_LIKE) & ~right
            total = total + PAIR_WEIGHT * F.cross_entropy((mine / PAIR_TEMPERATURE).masked_fill(diagonal | same, -1e9)[have], partner[have])
    return total / len(PREFIXES)


def held_out(texts, layers, project):
    """(cosine with the vectors before, share of the held-out texts whose nearest is their other half)."""
    with torch.inference_mode():
        some = np.arange(HELD)
        v = F.normalize(torch.cat([forward(layers, project, *texts.padded(some[i:i + 64])) for i in range(0, HELD, 64)]), dim=1)
        partner = texts.partners_within(some)
        have = partner >= 0
        near = (v @ v.T).fill_diagonal_(-1).argmax(1)
        return (v * torch.from_numpy(texts.before[:HELD])).sum(1).mean().item(), (near == partner)[have].float().mean().item()


def groups(layers, project, rate):
    weights = [w for m in layers for w in m.parameters()]
    return [{"params": weights, "rate": rate}, {"params": list(project.parameters()), "rate": rate * 10}]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("learn", "weights", "states", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--count", type=int, default=60_000, help="texts")
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--batch", type=int, default=64, help="pairs and single texts")
    parser.add_argument("--rate", type=float, default=5e-5)
    parser.add_argument("--minutes", type=float, default=100, help="stops then; the rate falls with the steps")
    parser.add_argument("--threads", type=int, default=2)
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(0)
    os.makedirs(o.out, exist_ok=True)
    model = load(o.weights)
    texts = Texts(o, model.project)
    print(f"{len(texts.rows)} texts, {(texts.partner >= 0).sum() // 2} pairs, {texts.length.sum()} pieces", flush=True)
    train(o, texts, model)


def train(o, texts, model):
    layers, project = model.layers[-TUNED:], model.project
    optimiser = torch.optim.AdamW(groups(layers, project, o.rate), lr=o.rate, betas=(0.9, 0.98), weight_decay=0.01)
    path, step = os.path.join(o.out, "checkpoint.pt"), 0
    if os.path.exists(path):
        held = torch.load(path)
        model.load_state_dict(held["model"])
        optimiser.load_state_dict(held["optimiser"])
        step = held["step"]
    begin = saved = time.time()
    report = lambda: print(f"step {step}: held-out cosine {{:.4f}}, pairs {{:.4f}}".format(*held_out(texts, layers, project)), flush=True)
    report()
    epoch, done = 0, 0
    while step < o.steps and time.time() - begin < o.minutes * 60:
        for some in texts.batches(np.random.default_rng(epoch), o.batch):
            done += 1
            if done <= step:
                continue
            for g in optimiser.param_groups:
                g["lr"] = g["rate"] * cosine_schedule(step, o.steps, 20)
            v = forward(layers, project, *texts.padded(some))
            loss = loss_of(v, torch.from_numpy(texts.before[some]), texts.partners_within(some))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([w for g in optimiser.param_groups for w in g["params"]], 1.0)
            optimiser.step()
            step += 1
            if step % 25 == 0:
                print(f"step {step}, {time.time() - begin:.0f} s, loss {loss.item():.4f}", flush=True)
            is_over = step >= o.steps or time.time() - begin > o.minutes * 60
            if time.time() - saved > 120 or is_over:
                report()
                torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step}, path + ".part")
                os.replace(path + ".part", path)
                saved = time.time()
                if is_over:
                    break
        epoch += 1
    torch.save(model.state_dict(), os.path.join(o.out, "tuned.pt"))


if __name__ == "__main__":
    main()
