"""Stage 7: English as a better English teacher sees it, every other language where it is. Begins with a model folder.

    python3 english.py --model models/lectern-embed --teacher OUT/beside/e5-small-v2 --pairs OUT/pairs --learn OUT/learn.jsonl --out OUT/english

The last layers and the map learn; the states that the layers below give are kept on disk, and so are the teacher's vectors.
A batch has groups of English pairs, each group of questions whose words stand in the others' passages too (BM25), and texts of
other languages with their translations. The likeness of every question to every passage of the batch, and the other way round,
is to be that of two together: the teacher, and our own pooled vectors before the map cuts them (KL divergence of softmaxes of
their sum, each at the temperature at which it spreads as ours does). Texts in other languages stay near the vectors before, and
find their translations, as in stage 5. A checkpoint every few minutes and at SIGTERM; started again with the same folder it
goes on. Seeds are fixed, and the order of the batches is the seed's.

The map begins anew (--map fresh): the principal directions without half the mean, which keep more of what tells passages about
the same matter apart than those without all of it. "Before" is what it gives.
"""
import argparse
import json
import os
import random
import signal
import sys
import time

import numpy as np
import torch
from torch.nn import functional as F

# Behind this folder, which has an export.py of its own.
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import cached
import evaluate
import states
from encoder import PREFIXES, cosine_schedule
from shipped import encoder_of, inner_session, layers_of, states_name, tensors_of
from tune import PAIR_TEMPERATURE, TEMPERATURE, Texts, forward, groups, loss_of

TAKE = {"arxiv": 26, "qa_misc": 22, "docs": 14, "openstax": 12, "medquad": 9, "code": 7, "wiki": 6, "tldr": 2, "paraphrase": 2}
QUESTION_CHARS, PASSAGE_CHARS = 300, 600
PIECES = 144
GROUP, GROUPS = 8, 6
OTHERS = 16
HELD_GROUPS, HELD_OTHERS = 32, 256
TEACH_WEIGHT, ENGLISH_PAIR_WEIGHT, ENGLISH_NEAR_WEIGHT, OTHERS_WEIGHT = 1.0, 0.1, 0.1, 1.0
# Of the losses of prefixes (PREFIXES); what most stores keep counts most.
PREFIX_WEIGHTS = (0.15, 0.25, 0.6)
MEAN_SHARE = 0.5
TOGETHER = 32
SAVE_SECONDS = 200


def english_pairs(folder, count):
    """[(source, question, passage)], by source."""
    rng = random.Random(11)
    for name, share in TAKE.items():
        with open(os.path.join(folder, name + ".jsonl"), encoding="utf-8") as f:
            lines = f.readlines()
        for line in rng.sample(lines, min(len(lines), count * share // sum(TAKE.values()))):
            pair = json.loads(line)
            yield name, pair["q"][:QUESTION_CHARS], pair["p"][:PASSAGE_CHARS]


def hard_groups(pairs):
    """Lists of GROUP places each: a pair, and those whose passages answer its question best by words; the last few are left out."""
    bm25 = evaluate.Bm25([evaluate.plain(p) for _, _, p in pairs], 0.9, 0.4)
    left = set(range(len(pairs)))
    while len(left) >= GROUP:
        first = min(left)
        score = bm25.score(evaluate.plain(pairs[first][1]), lambda _, idf: idf)
        near = [int(i) for i in np.argsort(-score, kind="stable") if int(i) in left and i != first][:GROUP - 1]
        left -= {first, *near}
        yield [first, *near]


def other_units(path, count):
    """Texts in other languages, with their English originals where there are any: about so many texts, in units of one or two."""
    units = {}
    with open(path, encoding="utf-8") as f:
        for row in map(json.loads, f):
            units.setdefault(("pair", row["pair"]) if row["pair"] is not None else ("text", row["id"]), []).append(row)
    out = 0
    for unit in units.values():
        if any(row["lang"] != "en" for row in unit):
            yield unit
            out += len(unit)
            if out >= count:
                return


def rows_of(o):
    """(rows, how many of them are English pairs): the questions and passages of the groups in turn, then the units."""
    by_source = {}
    for pair in english_pairs(o.pairs, o.english):
        by_source.setdefault(pair[0], []).append(pair)
    made = [[pairs[i] for i in group] for pairs in by_source.values() for group in hard_groups(pairs)]
    random.Random(12).shuffle(made)
    rows = []
    for number, (_, q, p) in enumerate(pair for group in made for pair in group):
        rows += [{"kind": "query", "text": q, "pair": number}, {"kind": "passage", "text": p, "pair": number}]
    count = len(rows)
    for number, unit in enumerate(other_units(o.learn, o.others), count):
        rows += [{"kind": r["kind"], "text": r["text"], "pair": number if len(unit) == 2 else None} for r in unit]
    return rows, count


def kept(path, make):
    """What was made before, or is made now."""
    if not os.path.exists(path):
        with open(path + ".part", "w", encoding="utf-8") as f:
            json.dump(make(), f)
        os.replace(path + ".part", path)
    with open(path, encoding="utf-8") as f:
        return json.load(f)


class Rows(Texts):
    def __init__(self, o, rows, english, project):
        mean, self.states = states.load(os.path.join(o.out, "states"), len(rows))
        self.rows, self.english = rows, english
        middle = (mean[:english].mean(0) + mean[english:].mean(0)) / 2
        off = mean - MEAN_SHARE * middle
        self.own = (off / np.linalg.norm(off, axis=1, keepdims=True))[:english]
        if o.map == "fresh":
            begin_map(project, off, english, MEAN_SHARE * middle)
        with torch.inference_mode():
            self.before = F.normalize(project(torch.from_numpy(mean)), dim=1).numpy()
        self.length = np.array([len(s) for s in self.states])
        self.teacher = taught(o, rows[:english])
        numbers, self.units = {}, []
        for i, r in enumerate(rows):
            numbers.setdefault(("text", i) if r["pair"] is None else r["pair"], []).append(i)
        self.partner = np.full(len(rows), -1)
        for unit in numbers.values():
            if len(unit) == 2:
                self.partner[unit] = unit[::-1]
            if unit[0] >= english:
                self.units.append(unit)
        self.groups = np.arange(english).reshape(-1, 2 * GROUP)

    def held(self):
        """Groups and units that nothing learns from."""
        return self.groups[:HELD_GROUPS], [i for unit in self.units[:HELD_OTHERS] for i in unit]

    def batches(self, seed):
        """(English rows, questions and passages in turn, other rows): once through the groups."""
        rng = np.random.default_rng(seed)
        some, others = rng.permutation(self.groups[HELD_GROUPS:]), rng.permutation(np.arange(HELD_OTHERS, len(self.units)))
        for n, at in enumerate(range(0, len(some) - GROUPS + 1, GROUPS)):
            units = [self.units[others[(n * OTHERS + i) % len(others)]] for i in range(OTHERS)]
            yield some[at:at + GROUPS].reshape(-1), np.array([i for unit in units for i in unit])


def begin_map(project, off, english, taken):
    """The principal directions of as many English texts as others."""
    some = np.concatenate([off[:english:max(1, english // (len(off) - english))], off[english:]])
    directions = np.linalg.svd(some, full_matrices=False)[2][:len(project.weight)]
    with torch.no_grad():
        project.weight.copy_(torch.from_numpy(directions))
        project.bias.copy_(torch.from_numpy(-directions @ taken))


def taught(o, rows):
    """The teacher's vectors."""
    tokens = states.pieces(os.path.join(o.teacher, "tokenizer.json"), [f"{r['kind']}: {r['text']}" for r in rows], PIECES)
    run = cached.forward(cached.session(os.path.join(o.teacher, "onnx/model.onnx"), o.threads))
    return cached.vectors(os.path.join(o.out, "teacher"), run, tokens, 0)


def vectors_of(texts, layers, project, some):
    """Of rows in any order; those of like length are computed together."""
    order = np.argsort(texts.length[some], kind="stable")
    parts = [forward(layers, project, *texts.padded(some[order[at:at + TOGETHER]]), half=True) for at in range(0, len(order), TOGETHER)]
    return torch.cat(parts)[np.argsort(order)]


def divergence(mine, theirs):
    """KL divergence of our likenesses from those of the teachers, which are over their temperatures, both ways."""
    one = lambda a, b: F.kl_div(F.log_softmax(a / TEMPERATURE, 1), F.softmax(b, 1), reduction="batchmean")
    return (one(mine, theirs) + one(mine.T, theirs.T)) / 2


def spread(vectors, groups):
    """How far passages are from each other in the eyes of a question, within groups: the easy ones of others would count too much."""
    likeness = [vectors[g[0::2]] @ vectors[g[1::2]].T for g in groups]
    return float(np.mean([(x - x.mean(1, keepdims=True)).std() for x in likeness]))


class Teachers:
    """The two, each at its temperature."""

    def __init__(self, texts):
        groups = texts.held()[0]
        ours = spread(texts.before, groups)
        self.texts = texts
        self.temperatures = [TEMPERATURE * spread(v, groups) / ours for v in (texts.teacher, texts.own)]

    def likeness(self, some):
        """Of the questions to the passages, over the temperatures."""
        of = lambda v: v[some[0::2]] @ v[some[1::2]].T
        texts, (first, second) = self.texts, self.temperatures
        return torch.from_numpy((of(texts.teacher) / first + of(texts.own) / second) / 2)


def english_loss(v, texts, some, theirs):
    before = torch.from_numpy(texts.before[some])
    right, total = torch.arange(len(some) // 2), 0.0
    for size, weight in zip(PREFIXES, PREFIX_WEIGHTS):
        a, b = F.normalize(v[:, :size], dim=1), F.normalize(before[:, :size], dim=1)
        mine = a[0::2] @ a[1::2].T
        near = 1 - (a * b).sum(1).mean()
        found = F.cross_entropy(mine / PAIR_TEMPERATURE, right)
        total = total + weight * (TEACH_WEIGHT * divergence(mine, theirs) + ENGLISH_PAIR_WEIGHT * found + ENGLISH_NEAR_WEIGHT * near)
    return total


def held_out(texts, layers, project, teachers):
    """Divergence from the teachers within groups, share of the questions whose passage is the nearest (of all held-out ones),
    the same of the teachers; of the other texts the cosine with the vectors before, and the share that find their translations."""
    some, others = texts.held()
    some, others = some.reshape(-1), np.array(others)
    with torch.inference_mode():
        v = F.normalize(torch.cat([vectors_of(texts, layers, project, x) for x in (some, others)]), dim=1)
        english, rest = v[:len(some)], v[len(some):]
        mine, theirs = english[0::2] @ english[1::2].T, teachers.likeness(some)
        far = np.mean([divergence(mine[i:i + GROUP, i:i + GROUP], theirs[i:i + GROUP, i:i + GROUP]).item() for i in range(0, len(mine), GROUP)])
        right = torch.arange(len(mine))
        partner = texts.partners_within(others)
        near = (rest @ rest.T).fill_diagonal_(-1).argmax(1)
        share = lambda hits: hits.float().mean().item()
        return far, share(mine.argmax(1) == right), share(theirs.argmax(1) == right), (rest * torch.from_numpy(texts.before[others])).sum(1).mean().item(), share((near == partner)[partner >= 0])


def tuned_of(model, first):
    return {k: v for k, v in model.state_dict().items() if k.startswith("project.") or k.startswith("layers.") and int(k.split(".")[1]) >= first}


class Run:
    """What a checkpoint keeps."""

    def __init__(self, o, model, first):
        self.o, self.model, self.first, self.step, self.stopped = o, model, first, 0, False
        self.optimiser = torch.optim.AdamW(groups(model.layers[first:], model.project, o.rate), lr=o.rate, betas=(0.9, 0.98), weight_decay=0.01)
        for g, times in zip(self.optimiser.param_groups, (1, o.map_rate / o.rate)):
            g["rate"] = o.rate * times
        self.path = os.path.join(o.out, "checkpoint.pt")
        if os.path.exists(self.path):
            held = torch.load(self.path)
            model.load_state_dict(held["tuned"], strict=False)
            self.optimiser.load_state_dict(held["optimiser"])
            self.step = held["step"]
        signal.signal(signal.SIGTERM, self.stop)

    def stop(self, *_):
        self.stopped = True

    def save(self):
        torch.save({"tuned": tuned_of(self.model, self.first), "optimiser": self.optimiser.state_dict(), "step": self.step}, self.path + ".part")
        os.replace(self.path + ".part", self.path)
        torch.save(tuned_of(self.model, self.first), os.path.join(self.o.out, "tuned.pt.part"))
        os.replace(os.path.join(self.o.out, "tuned.pt.part"), os.path.join(self.o.out, "tuned.pt"))

    def learn(self, loss):
        for g in self.optimiser.param_groups:
            g["lr"] = g["rate"] * cosine_schedule(self.step, self.o.steps, 20)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([w for g in self.optimiser.param_groups for w in g["params"]], 1.0)
        self.optimiser.step()
        self.step += 1


def train(o, texts, model, first):
    run, teachers = Run(o, model, first), Teachers(texts)
    layers, project = model.layers[first:], model.project
    print("the teachers' temperatures", [round(x, 4) for x in teachers.temperatures], flush=True)
    report = lambda: print(f"step {run.step}: {{:.4f}} from the teachers, passages {{:.4f}} (teachers {{:.4f}}); others' cosine {{:.4f}}, translations {{:.4f}}".format(*held_out(texts, layers, project, teachers)), flush=True)
    report()
    begin = saved = time.time()
    epoch, done, is_over = 0, 0, run.step >= o.steps
    while not is_over:
        for some, others in texts.batches(epoch):
            done += 1
            if done <= run.step:
                continue
            v = vectors_of(texts, layers, project, np.concatenate([some, others]))
            english = english_loss(v[:len(some)], texts, some, teachers.likeness(some))
            rest = loss_of(v[len(some):], torch.from_numpy(texts.before[others]), texts.partners_within(others))
            run.learn(english + OTHERS_WEIGHT * rest)
            is_over = run.step >= o.steps or time.time() - begin > o.minutes * 60 or run.stopped
            if run.step % 10 == 0:
                print(f"step {run.step}, {time.time() - begin:.0f} s, of the processor {time.process_time():.0f}, loss {english.item():.4f} + {rest.item():.4f}", flush=True)
            if time.time() - saved > SAVE_SECONDS or is_over:
                run.save()
                saved = time.time()
                if not run.stopped:
                    report()
            if is_over:
                break
        epoch += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("model", "teacher", "pairs", "learn", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--english", type=int, default=7_000, help="pairs")
    parser.add_argument("--others", type=int, default=5_000, help="texts")
    parser.add_argument("--map", choices=("fresh", "kept"), default="fresh", help="what the map to 256 values begins with")
    parser.add_argument("--layers", type=int, default=3, help="that learn")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rate", type=float, default=7e-5)
    parser.add_argument("--map-rate", type=float, default=3e-4)
    parser.add_argument("--minutes", type=float, default=100, help="stops then; the rate falls with the steps")
    parser.add_argument("--threads", type=int, default=2)
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(0)
    os.makedirs(o.out, exist_ok=True)
    tensors = tensors_of(o.model)
    first = layers_of(tensors) - o.layers
    rows, english = kept(os.path.join(o.out, "rows.json"), lambda: rows_of(o))
    tokens = states.pieces(os.path.join(o.model, "tokenizer.json"), [f"{r['kind']}: {r['text']}" for r in rows], PIECES)
    states.keep(os.path.join(o.out, "states"), inner_session(o.model, first - 1, o.threads), tokens, states_name(first - 1))
    model = encoder_of(tensors)
    texts = Rows(o, rows, english, model.project)
    print(f"{english // 2} English pairs, {len(rows) - english} other texts, {texts.length.sum()} pieces", flush=True)
    train(o, texts, model, first)


if __name__ == "__main__":
    main()
