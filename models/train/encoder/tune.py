"""The last layers and the map to 256 values learn. The layers below stay; their states are read from states.py.

Loss = 1 - cosine with the target, + divergence of the similarities in the batch at a low temperature, both on the first 64,
128 and 256 values, + the pairs of the batch against each other. A checkpoint every few minutes; started again with the same
folder it goes on. Seeds are fixed, and the order of the batches is the seed's.
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
from space import Target
from teach import english, learn
from cached import BLOCK

TUNED = 2
HELD = 256
PAIR_TEMPERATURE, TEMPERATURE = 0.05, 0.05


def read_english(folder, count):
    blocks = [os.path.join(folder, f"{at:07d}.npy") for at in range(0, count, BLOCK)]
    return np.concatenate([np.load(b).astype(np.float32) for b in blocks if os.path.exists(b)])


class Texts:
    def __init__(self, o):
        rows = learn(o.learn, o.count)
        self.mean, self.states = states.load(o.states, o.count)
        rows = rows[:len(self.mean)]
        taught = read_english(o.english, o.count)
        reached = 0
        for n, r in enumerate(rows):  # as many as both stages have come to
            reached += bool(r["lang"] == "en" or r["en"])
            if reached > len(taught):
                rows = rows[:n]
                break
        self.rows, self.mean = rows, self.mean[:len(rows)]
        self.target = Target(rows, taught[:len(english(rows)[0])], self.mean)
        self.length = np.array([len(s) for s in self.states[:len(rows)]])
        numbers = {}
        for i, r in enumerate(rows):
            if r["pair"] is not None:
                numbers.setdefault(r["pair"], []).append(i)
        self.partner = np.full(len(rows), -1)
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
            some = some[np.argsort(self.length[some], kind="stable")]
            out += [some[i:i + size] for i in range(0, len(some), size)]
        for i in rng.permutation(len(out)):
            chosen = out[i]
            partners = self.partner[chosen]
            yield np.concatenate([chosen, partners[partners >= 0]])

    def padded(self, some):
        width = self.length[some].max()
        x = np.zeros((len(some), width, 384), np.float32)
        mask = np.zeros((len(some), width), np.int64)
        for row, i in enumerate(some):
            x[row, :self.length[i]], mask[row, :self.length[i]] = self.states[i], 1
        return torch.from_numpy(x), torch.from_numpy(mask)


def forward(layers, project, x, mask):
    wide = mask.bool()[:, None, None, :]
    for layer in layers:
        x = layer(x, wide)
    m = mask[:, :, None].float()
    return project(F.normalize((x * m).sum(1) / m.sum(1), dim=1))


def loss_of(v, t, partner):
    """partner: number in the batch of each text's other half, or -1."""
    total = 0.0
    for size in PREFIXES:
        a, b = F.normalize(v[:, :size], dim=1), F.normalize(t[:, :size], dim=1)
        diagonal = torch.eye(len(a), dtype=torch.bool)
        mine = (a @ a.T / TEMPERATURE).masked_fill(diagonal, -1e9)
        theirs = (b @ b.T / TEMPERATURE).masked_fill(diagonal, -1e9)
        like = F.kl_div(F.log_softmax(mine, 1), F.softmax(theirs, 1), reduction="batchmean")
        have = partner >= 0
        pairs = F.cross_entropy((a @ a.T / PAIR_TEMPERATURE).masked_fill(diagonal, -1e9)[have], partner[have]) if have.any() else 0.0
        total = total + (1 - (a * b).sum(1)).mean() + 0.5 * like + 0.1 * pairs
    return total / len(PREFIXES)


def within(texts, some):
    place = {int(i): n for n, i in enumerate(some)}
    return torch.tensor([place.get(int(texts.partner[i]), -1) for i in some])


def agreement(texts, layers, project):
    with torch.inference_mode():
        v = forward(layers, project, *texts.padded(np.arange(HELD)))
        return F.cosine_similarity(v, torch.from_numpy(texts.target.vectors[:HELD])).mean().item()


def groups(layers, project, rate):
    weights = [w for m in layers for w in m.parameters()]
    return [{"params": weights, "rate": rate}, {"params": list(project.parameters()), "rate": rate * 10}]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("learn", "weights", "states", "english", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--count", type=int, default=60_000)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--rate", type=float, default=5e-5)
    parser.add_argument("--minutes", type=float, default=100, help="stops then; the rate falls with the steps")
    parser.add_argument("--threads", type=int, default=2)
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(0)
    os.makedirs(o.out, exist_ok=True)
    texts = Texts(o)
    print(f"{len(texts.rows)} texts; ridge map: cosine {texts.target.cosine:.4f} with the teacher where it was not fitted", flush=True)
    model = load(o.weights)
    with torch.no_grad():
        model.project.weight.copy_(torch.tensor(texts.target.matrix))
        model.project.bias.copy_(torch.tensor(texts.target.offset))
    torch.save(model.state_dict(), os.path.join(o.out, "ridge.pt"))
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
    print(f"step {step}: held-out cosine {agreement(texts, layers, project):.4f}", flush=True)
    epoch, done = 0, 0
    while step < o.steps and time.time() - begin < o.minutes * 60:
        for some in texts.batches(np.random.default_rng(epoch), o.batch):
            done += 1
            if done <= step:
                continue
            for g in optimiser.param_groups:
                g["lr"] = g["rate"] * cosine_schedule(step, o.steps, 20)
            v = forward(layers, project, *texts.padded(some))
            loss = loss_of(v, torch.from_numpy(texts.target.vectors[some]), within(texts, some))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([w for g in optimiser.param_groups for w in g["params"]], 1.0)
            optimiser.step()
            step += 1
            if step % 25 == 0:
                print(f"step {step}, {time.time() - begin:.0f} s, loss {loss.item():.4f}", flush=True)
            if time.time() - saved > 120 or step >= o.steps or time.time() - begin > o.minutes * 60:
                print(f"step {step}: held-out cosine {agreement(texts, layers, project):.4f}", flush=True)
                torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step}, path + ".part")
                os.replace(path + ".part", path)
                saved = time.time()
                if step >= o.steps or time.time() - begin > o.minutes * 60:
                    break
        epoch += 1
    torch.save(model.state_dict(), os.path.join(o.out, "tuned.pt"))


if __name__ == "__main__":
    main()
