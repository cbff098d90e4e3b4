"""Last stage: the trained encoder as a model folder: int8 graph, tokenizer, configuration.

The graph (layout.py) has ONNX Runtime's fused operators. Its matrices are int8 with a scale a column, 7 bit wide: processors without
VNNI add two products of 8 bit up in 16, which would overflow. Inputs of the inner layers have a few values twenty times the
others: every channel is scaled by its range in sample texts, and the weights the other way, before both are rounded (cosine
with the float encoder 0.994 instead of 0.985). The word table has 4 bit in blocks of 32, two values a byte.
"""
import argparse
import json
import os

import numpy as np
import onnx
import torch
from tokenizers import Tokenizer

from encoder import HIDDEN, OUT, PREFIXES, Encoder, embed
from layout import BLOCK, HEADS, INNER, build, in_parts
from teachers import multilingual_e5_small, xlm_tokenizer

RANGE = 63
MAX_TOKENS = 512
PAD = 1
SAMPLES = 128
SMOOTHED = {"up": 0.7, "down": 0.7}


def four_bit(table):
    """float [V, D] -> uint8 [V, D / 2], float16 [V, D / 32]: value = (nibble - 8) * scale; exact for what came from this form."""
    blocks = table.reshape(len(table), -1, BLOCK)
    far = np.take_along_axis(blocks, np.abs(blocks).argmax(2)[:, :, None], 2)[:, :, 0]
    scale = (far / -8).astype(np.float16)
    safe = np.where(scale == 0, 1, scale).astype(np.float32)[:, :, None]
    q = np.clip(np.round(blocks / safe) + 8, 0, 15).astype(np.uint8).reshape(len(table), -1)
    return q[:, 0::2] | q[:, 1::2] << 4, scale


def linear(module, name, smooth=None):
    """{name: tensor} of a matrix in int8, with a scale a column; smooth: scale of every input channel."""
    weight, out = module.weight.detach().numpy().T, {}
    if smooth is not None:
        out[name + ".smooth"] = 1 / smooth
        weight = weight * smooth[:, None]
    scale = np.maximum(np.abs(weight).max(0), 1e-9) / RANGE
    out[name + ".q"] = np.clip(np.round(weight / scale), -RANGE, RANGE).astype(np.int8)
    out[name + ".scale"] = scale.astype(np.float32)
    out[name + ".bias"] = module.bias.detach().numpy()
    return out


def norm(module, name):
    return {name + ".gamma": module.weight.detach().numpy(), name + ".beta": module.bias.detach().numpy()}


def smoothing(model, rows, pad):
    """{(layer, module): scale of every input channel} from the ranges that these token lists make."""
    reach = {}

    def watch(key):
        def hook(_, inputs):
            most = inputs[0].abs().flatten(0, -2).max(0).values
            reach[key] = torch.maximum(reach[key], most) if key in reach else most
        return hook

    hooks = [getattr(layer, name).register_forward_pre_hook(watch((i, name))) for i, layer in enumerate(model.layers) for name in SMOOTHED]
    embed(model.pooled, rows, pad)
    for hook in hooks:
        hook.remove()
    out = {}
    for (i, name), most in reach.items():
        weights = getattr(model.layers[i], name).weight.detach().abs().max(0).values.clamp_min(1e-4)
        scale = most.clamp_min(1e-3) ** SMOOTHED[name] / weights ** (1 - SMOOTHED[name])
        out[i, name] = (scale / scale.median()).numpy()
    return out


def tensors(model, smooth, half=False):
    """{name: tensor} as the graph has them (layout.py); half: the word table in half precision instead of 4 bit."""
    words = model.words.weight.detach().numpy()
    out = {"words": words.astype(np.float16)} if half else dict(zip(("words", "words.scale"), four_bit(words)))
    out = {**out, "positions": model.positions.weight.detach().numpy().astype(np.float16), **norm(model.norm, "norm")}
    for i, layer in enumerate(model.layers):
        for name in ("qkv", "attended", "up", "down"):
            out.update(linear(getattr(layer, name), f"layer{i}.{name}", smooth.get((i, name))))
        for name in ("first_norm", "second_norm"):
            out.update(norm(getattr(layer, name), f"layer{i}.{name}"))
    out.update({"project": model.project.weight.detach().numpy(), "project.bias": model.project.bias.detach().numpy()})
    return in_parts(out)


def write(folder, name, value):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    tight = name == "tokenizer.json"
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False, indent=None if tight else 2, separators=(",", ":") if tight else None)
        f.write("\n")


def tokenizer(vocabulary, kept):
    out = json.loads(xlm_tokenizer([vocabulary[i] for i in kept], size=len(kept) + 1).to_str())
    out["model"]["vocab"] = [[piece, round(score, 3)] for piece, score in out["model"]["vocab"]]
    return out


def write_graph(folder, model, rows, pad, inner=False, half=False):
    """rows: token lists whose ranges the rounding is made for."""
    os.makedirs(os.path.join(folder, "onnx"), exist_ok=True)
    onnx.save(build(tensors(model, smoothing(model, rows, pad), half), len(model.layers), inner), os.path.join(folder, "onnx", "model.onnx"))


def describe(folder, model, special, prompts, longest=MAX_TOKENS):
    """The files around a graph. special: what config.json says of tokens and prefixes; prompts: before questions and passages."""
    write(folder, "config.json", {
        "model_type": "bert", "architectures": ["BertModel"], "hidden_size": HIDDEN, "num_hidden_layers": len(model.layers), "num_attention_heads": HEADS, "intermediate_size": INNER,
        "hidden_act": "gelu", "vocab_size": len(model.words.weight), "max_position_embeddings": MAX_TOKENS, **special})
    write(folder, "modules.json", [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])
    write(folder, "1_Pooling/config.json", {"word_embedding_dimension": len(model.project.weight), "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False})
    write(folder, "sentence_bert_config.json", {"max_seq_length": longest, "do_lower_case": False})
    write(folder, "config_sentence_transformers.json", {"prompts": prompts, "default_prompt_name": None, "similarity_fn_name": "cosine"})


E5_PROMPTS = {"query": "query: ", "passage": "passage: "}
XLM_SPECIAL = {"pad_token_id": PAD, "bos_token_id": 0, "eos_token_id": 2}
XLM_TOKENS = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": MAX_TOKENS, "bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "clean_up_tokenization_spaces": False}


def save(folder, model, pieces, samples, inner=False):
    """pieces: tokenizer.json; samples: texts with their prompts, whose ranges the rounding is made for."""
    rows = [e.ids for e in Tokenizer.from_str(json.dumps(pieces)).encode_batch(samples)]
    write_graph(folder, model, rows, PAD, inner)
    write(folder, "tokenizer.json", pieces)
    write(folder, "tokenizer_config.json", XLM_TOKENS)
    describe(folder, model, {**XLM_SPECIAL, "matryoshka_dimensions": list(PREFIXES)}, E5_PROMPTS)


def load(path):
    state = torch.load(path, map_location="cpu")
    model = Encoder(len(state["words.weight"]), 1 + max(int(k.split(".")[1]) for k in state if k.startswith("layers.")))
    model.load_state_dict(state)
    return model.eval()


def samples_of(path):
    with open(path, encoding="utf-8") as f:
        return [f"{r['kind']}: {r['text'][:200]}" for _, r in zip(range(SAMPLES), map(json.loads, f))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("weights", "teacher", "kept", "learn", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--inner", action="store_true", help="for the stages of training: with the output 'mean'")
    o = parser.parse_args()
    with open(o.kept) as f:
        kept = json.load(f)
    save(o.out, load(o.weights), tokenizer(multilingual_e5_small(o.teacher)[1], kept), samples_of(o.learn), o.inner)


if __name__ == "__main__":
    main()
