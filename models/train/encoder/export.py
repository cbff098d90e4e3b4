"""Last stage: the trained encoder as a model folder: int8 graph, tokenizer, configuration.

The graph has ONNX Runtime's fused operators. Its matrices are int8 with a scale a column, 7 bit wide: processors without
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
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

from encoder import EPSILON, HEADS, HIDDEN, OUT, PREFIXES, Encoder, embed
from teachers import multilingual_e5_small, xlm_tokenizer

MS = "com.microsoft"
BLOCK = 32
RANGE = 63
MAX_TOKENS = 512
PAD = 1
SAMPLES = 128
STATES = "layer9.second_norm"
SMOOTHED = {"up": 0.7, "down": 0.7}


def four_bit(table):
    """float [V, D] -> uint8 [V, D / 2], float16 [V, D / 32]: value = (nibble - 8) * scale; exact for what came from this form."""
    blocks = table.reshape(len(table), -1, BLOCK)
    far = np.take_along_axis(blocks, np.abs(blocks).argmax(2)[:, :, None], 2)[:, :, 0]
    scale = (far / -8).astype(np.float16)
    safe = np.where(scale == 0, 1, scale).astype(np.float32)[:, :, None]
    q = np.clip(np.round(blocks / safe) + 8, 0, 15).astype(np.uint8).reshape(len(table), -1)
    return q[:, 0::2] | q[:, 1::2] << 4, scale


class Graph:
    def __init__(self):
        self.nodes, self.tensors = [], []

    def tensor(self, name, value):
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, op, inputs, output, domain="", **attributes):
        outputs = [output] if isinstance(output, str) else output
        self.nodes.append(helper.make_node(op, inputs, outputs, name=outputs[0], domain=domain, **attributes))
        return outputs[0]

    def linear(self, x, module, name, bias=True, smooth=None):
        """x times the module's weights in int8, x in 8 bit by its range in this run."""
        weight = module.weight.detach().numpy().T
        if smooth is not None:
            x = self.node("Mul", [x, self.tensor(name + ".smooth", 1 / smooth)], name + ".smoothed")
            weight = weight * smooth[:, None]
        scale = np.maximum(np.abs(weight).max(0), 1e-9) / RANGE
        q = np.clip(np.round(weight / scale), -RANGE, RANGE).astype(np.int8)
        inputs = [x, self.tensor(name + ".q", q), self.tensor(name + ".scale", scale.astype(np.float32)), self.tensor(name + ".zero", np.zeros(len(scale), np.int8))]
        if bias:
            inputs.append(self.tensor(name + ".bias", module.bias.detach().numpy()))
        return self.node("DynamicQuantizeMatMul", inputs, name, MS)

    def norm(self, x, skip, module, name):
        inputs = [x, skip, self.tensor(name + ".gamma", module.weight.detach().numpy()), self.tensor(name + ".beta", module.bias.detach().numpy())]
        return self.node("SkipLayerNormalization", inputs, name, MS, epsilon=EPSILON)


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


def embeddings(g, model):
    table, scale = four_bit(model.words.weight.detach().numpy())
    for name, value in (("four", np.array([4], np.uint8)), ("fifteen", np.array([15], np.uint8)), ("eight", np.array([8], np.float32)), ("last", np.array([-1], np.int64)), ("blocks", np.array([0, 0, HIDDEN // BLOCK, BLOCK], np.int64)), ("joined", np.array([0, 0, HIDDEN], np.int64)), ("zero_axis", np.array([0], np.int64)), ("one_axis", np.array([1], np.int64))):
        g.tensor(name, value)
    g.node("Gather", [g.tensor("words", table), "input_ids"], "packed")
    g.node("BitwiseAnd", ["packed", "fifteen"], "low")
    g.node("BitShift", ["packed", "four"], "high", direction="RIGHT")
    g.node("Unsqueeze", ["low", "last"], "low4")
    g.node("Unsqueeze", ["high", "last"], "high4")
    g.node("Concat", ["low4", "high4"], "nibbles", axis=-1)
    g.node("Reshape", ["nibbles", "blocks"], "in_blocks")
    g.node("Cast", ["in_blocks"], "as_float", to=TensorProto.FLOAT)
    g.node("Sub", ["as_float", "eight"], "signed")
    g.node("Gather", [g.tensor("words.scale", scale), "input_ids"], "scale16")
    g.node("Cast", ["scale16"], "scale32", to=TensorProto.FLOAT)
    g.node("Unsqueeze", ["scale32", "last"], "scale4")
    g.node("Mul", ["signed", "scale4"], "scaled")
    g.node("Reshape", ["scaled", "joined"], "word")
    g.node("Shape", ["input_ids"], "width", start=1, end=2)
    g.node("Slice", [g.tensor("positions", model.positions.weight.detach().numpy().astype(np.float16)), "zero_axis", "width", "zero_axis"], "position16")
    g.node("Cast", ["position16"], "position", to=TensorProto.FLOAT)
    g.node("Add", ["word", "position"], "embedded")
    return g.node("LayerNormalization", ["embedded", g.tensor("norm.gamma", model.norm.weight.detach().numpy()), g.tensor("norm.beta", model.norm.bias.detach().numpy())], "x", axis=-1, epsilon=EPSILON)


def pooled(g, model, x):
    g.node("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
    g.node("Unsqueeze", ["mask", "one_axis"], "mask_row")
    g.node("MatMul", ["mask_row", x], "summed3")
    g.node("Squeeze", ["summed3", "one_axis"], "summed")
    for value, name in (("summed", "mean"),):
        unit(g, value, name)
    g.node("Gemm", ["mean", g.tensor("project", model.project.weight.detach().numpy()), g.tensor("project.bias", model.project.bias.detach().numpy())], "projected", transB=1)
    return unit(g, "projected", "sentence_embedding")


def unit(g, value, name):
    if name == "mean":
        g.tensor("tiny", np.array([1e-9], np.float32))
    g.node("ReduceL2", [value, "one_axis"], name + "_length", keepdims=1)
    g.node("Max", [name + "_length", "tiny"], name + "_safe")
    return g.node("Div", [value, name + "_safe"], name)


def build(model, smooth, inner=False):
    """inner: the pooled vector before the last map is an output too ('mean'), and what the layers that are tuned begin with."""
    g = Graph()
    x = embeddings(g, model)
    g.node("Cast", ["attention_mask"], "mask32", to=TensorProto.INT32)
    for i, layer in enumerate(model.layers):
        at = f"layer{i}."
        g.linear(x, layer.qkv, at + "qkv")
        g.node("Split", [at + "qkv"], [at + "q", at + "k", at + "v"], axis=-1, num_outputs=3)
        g.node("MultiHeadAttention", [at + "q", at + "k", at + "v", "", "mask32"], at + "attention", MS, num_heads=HEADS)
        y = g.norm(g.linear(at + "attention", layer.attended, at + "attended", smooth=smooth.get((i, "attended"))), x, layer.first_norm, at + "first_norm")
        g.linear(y, layer.up, at + "up", bias=False, smooth=smooth.get((i, "up")))
        g.node("BiasGelu", [at + "up", g.tensor(at + "up.bias", layer.up.bias.detach().numpy())], at + "gelu", MS)
        x = g.norm(g.linear(at + "gelu", layer.down, at + "down", smooth=smooth.get((i, "down"))), y, layer.second_norm, at + "second_norm")
    pooled(g, model, x)
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "tokens"]) for n in ("input_ids", "attention_mask")]
    output = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", OUT])
    outputs = [output]
    if inner:
        outputs.append(helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["batch", HIDDEN]))
        outputs.append(helper.make_tensor_value_info(STATES, TensorProto.FLOAT, ["batch", "tokens", HIDDEN]))
    graph = helper.make_graph(g.nodes, "lectern-embed", inputs, outputs, g.tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid(MS, 1)], producer_name="lectern")
    made.ir_version = 8
    return made


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


def save(folder, model, pieces, samples, inner=False):
    """pieces: tokenizer.json; samples: texts with their prompts, whose ranges the rounding is made for."""
    os.makedirs(os.path.join(folder, "onnx"), exist_ok=True)
    rows = [e.ids for e in Tokenizer.from_str(json.dumps(pieces)).encode_batch(samples)]
    onnx.save(build(model, smoothing(model, rows, PAD), inner), os.path.join(folder, "onnx", "model.onnx"))
    write(folder, "tokenizer.json", pieces)
    write(folder, "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": MAX_TOKENS, "bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "clean_up_tokenization_spaces": False})
    write(folder, "config.json", {
        "model_type": "bert", "architectures": ["BertModel"], "hidden_size": HIDDEN, "num_hidden_layers": len(model.layers), "num_attention_heads": HEADS, "intermediate_size": 1536,
        "hidden_act": "gelu", "vocab_size": len(model.words.weight), "max_position_embeddings": MAX_TOKENS, "pad_token_id": PAD, "bos_token_id": 0, "eos_token_id": 2, "matryoshka_dimensions": list(PREFIXES)})
    write(folder, "modules.json", [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])
    write(folder, "1_Pooling/config.json", {"word_embedding_dimension": OUT, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False})
    write(folder, "sentence_bert_config.json", {"max_seq_length": MAX_TOKENS, "do_lower_case": False})
    write(folder, "config_sentence_transformers.json", {"prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": None, "similarity_fn_name": "cosine"})


def load(path):
    state = torch.load(path, map_location="cpu")
    model = Encoder(len(state["words.weight"]), 1 + max(int(k.split(".")[1]) for k in state if k.startswith("layers.")))
    model.load_state_dict(state)
    return model.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("weights", "teacher", "kept", "learn", "out"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--inner", action="store_true", help="for the stages of training: with the output 'mean'")
    o = parser.parse_args()
    with open(o.kept) as f:
        kept = json.load(f)
    with open(o.learn, encoding="utf-8") as f:
        samples = [f"{r['kind']}: {r['text'][:200]}" for _, r in zip(range(SAMPLES), map(json.loads, f))]
    save(o.out, load(o.weights), tokenizer(multilingual_e5_small(o.teacher)[1], kept), samples, o.inner)


if __name__ == "__main__":
    main()
