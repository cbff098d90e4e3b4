"""The encoder in PyTorch: BERT's layers, mean pooling, length 1, a linear map to 256 values, length 1."""
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from layout import EPSILON, HEADS, HIDDEN, INNER, OUT

PREFIXES = (64, 128, 256)


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.attended = nn.Linear(HIDDEN, 3 * HIDDEN), nn.Linear(HIDDEN, HIDDEN)
        self.first_norm, self.second_norm = nn.LayerNorm(HIDDEN, EPSILON), nn.LayerNorm(HIDDEN, EPSILON)
        self.up, self.down = nn.Linear(HIDDEN, INNER), nn.Linear(INNER, HIDDEN)

    def forward(self, x, mask):
        rows, width, _ = x.shape
        q, k, v = self.qkv(x).view(rows, width, 3, HEADS, HIDDEN // HEADS).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(rows, width, HIDDEN)
        x = self.first_norm(x + self.attended(y))
        return self.second_norm(x + self.down(F.gelu(self.up(x))))


class Encoder(nn.Module):
    def __init__(self, pieces, layers, positions=512):
        super().__init__()
        self.words, self.positions = nn.Embedding(pieces, HIDDEN), nn.Embedding(positions, HIDDEN)
        self.norm = nn.LayerNorm(HIDDEN, EPSILON)
        self.layers = nn.ModuleList(Layer() for _ in range(layers))
        self.project = nn.Linear(HIDDEN, OUT)

    def pooled(self, ids, mask):
        """Mean of the pieces' vectors, of length 1: [texts, 384]."""
        x = self.norm(self.words(ids) + self.positions.weight[:ids.shape[1]])
        wide = None if bool(mask.all()) else mask.bool()[:, None, None, :]
        for layer in self.layers:
            x = layer(x, wide)
        m = mask[:, :, None].to(x.dtype)
        return F.normalize((x * m).sum(1) / m.sum(1), dim=1)

    def forward(self, ids, mask):
        return F.normalize(self.project(self.pooled(ids, mask)), dim=1)


def from_bert(state, kept=None, layers=None):
    """An Encoder with the weights of a BERT state (teachers.py): the rows `kept` of the word table, these layers."""
    state = {k: torch.tensor(np.ascontiguousarray(v)) for k, v in state.items()}
    count = 1 + max(int(k.split(".")[2]) for k in state if k.startswith("encoder.layer."))
    layers = list(range(count)) if layers is None else layers
    words = state["embeddings.word_embeddings.weight"]
    words = words if kept is None else words[kept]
    positions = state["embeddings.position_embeddings.weight"][-512:]
    model = Encoder(len(words), len(layers), len(positions))
    put = lambda parameter, value: parameter.data.copy_(value)
    put(model.words.weight, words)
    # Token types are all 0: their one row is part of the positions.
    put(model.positions.weight, positions + state["embeddings.token_type_embeddings.weight"][0])
    put(model.norm.weight, state["embeddings.LayerNorm.weight"])
    put(model.norm.bias, state["embeddings.LayerNorm.bias"])
    for layer, i in zip(model.layers, layers):
        at = f"encoder.layer.{i}."
        for kind in ("weight", "bias"):
            put(getattr(layer.qkv, kind), torch.cat([state[f"{at}attention.self.{n}.{kind}"] for n in ("query", "key", "value")]))
            for module, name in ((layer.attended, "attention.output.dense"), (layer.first_norm, "attention.output.LayerNorm"), (layer.up, "intermediate.dense"), (layer.down, "output.dense"), (layer.second_norm, "output.LayerNorm")):
                put(getattr(module, kind), state[f"{at}{name}.{kind}"])
    with torch.no_grad():
        model.project.weight.copy_(torch.eye(OUT, HIDDEN))
        model.project.bias.zero_()
    return model


def padded(rows, pad):
    width = max(map(len, rows))
    ids, mask = np.full((len(rows), width), pad, np.int64), np.zeros((len(rows), width), np.int64)
    for i, row in enumerate(rows):
        ids[i, :len(row)], mask[i, :len(row)] = row, 1
    return torch.from_numpy(ids), torch.from_numpy(mask)


def by_length(rows, tokens):
    """Batches of row numbers of like length, at most `tokens` pieces each with the padding."""
    out, some = [], []
    for i in sorted(range(len(rows)), key=lambda i: len(rows[i])):
        if some and (len(some) + 1) * len(rows[i]) > tokens:
            out.append(some)
            some = []
        some.append(i)
    return out + [some] if some else out


def embed(forward, rows, pad, tokens=4096):
    """Vectors of token lists, in their order."""
    out = None
    with torch.inference_mode():
        for some in by_length(rows, tokens):
            v = forward(*padded([rows[i] for i in some], pad)).float().numpy()
            out = np.zeros((len(rows), v.shape[1]), np.float32) if out is None else out
            out[some] = v
    return out


def cosine_schedule(step, steps, warm):
    return min(1.0, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
