"""The int8 graph of the encoder, from its tensors by name; alone, an older graph of it laid out anew, with the same weights:

    python3 layout.py OLDER.onnx NEWER.onnx

Laid out for the ONNX Runtime that the server has (1.27); what a newer one takes longer for may be another thing:
- queries, keys and values share one rounding of their input;
- attention without a mask where no text of a batch is padded: a third less time for it, and texts one by one have none;
- Gelu after the matrix's own bias takes a third of BiasGelu's time, SkipLayerNormalization a sixth of LayerNormalization's.
"""
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HIDDEN, INNER, HEADS, OUT = 384, 1536, 12, 256
EPSILON = 1e-12
MS = "com.microsoft"
BLOCK = 32
STATES = "layer9.second_norm"
PARTS = ("q", "k", "v")


class Graph:
    def __init__(self, tensors):
        self.nodes, self.tensors, self.given = [], {}, tensors

    def own(self, name):
        """A tensor of the encoder."""
        return self.tensor(name, self.given[name])

    def tensor(self, name, value):
        self.tensors[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def node(self, op, inputs, output, domain="", **attributes):
        outputs = [output] if isinstance(output, str) else output
        self.nodes.append(helper.make_node(op, inputs, outputs, name=outputs[0], domain=domain, **attributes))
        return outputs[0]

    def linear(self, x, name):
        """x times int8 weights, x in 8 bit by its range in this run."""
        if name + ".smooth" in self.given:
            x = self.node("Mul", [x, self.own(name + ".smooth")], name + ".smoothed")
        return self.node("DynamicQuantizeMatMul", [x, self.own(name + ".q"), self.own(name + ".scale"), "", self.own(name + ".bias")], name, MS)

    def parts(self, x, at):
        """Queries, keys and values."""
        eight = self.node("DynamicQuantizeLinear", [x], [at + "x8", at + "x8_scale", at + "x8_zero"])
        for part in PARTS:
            name = at + part
            self.node("MatMulIntegerToFloat", [eight, self.own(name + ".q"), at + "x8_scale", self.own(name + ".scale"), at + "x8_zero", "", self.own(name + ".bias")], name, MS)
        return [at + part for part in PARTS]

    def attention(self, inputs, name):
        def branch(output, more):
            node = helper.make_node("MultiHeadAttention", inputs + more, [output], name=output, domain=MS, num_heads=HEADS)
            return helper.make_graph([node], output, [], [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", "tokens", HIDDEN])])

        return self.node("If", ["no_padding"], name, then_branch=branch(name + "_whole", []), else_branch=branch(name + "_padded", ["", "mask32"]))

    def norm(self, x, skip, name):
        return self.node("SkipLayerNormalization", [x, skip, self.own(name + ".gamma"), self.own(name + ".beta")], name, MS, epsilon=EPSILON)


def words(g):
    """Rows of the word table: in 4 bit, or in half precision where it has no scales."""
    if "words.scale" not in g.given:
        g.node("Gather", [g.own("words"), "input_ids"], "word16")
        return g.node("Cast", ["word16"], "word", to=TensorProto.FLOAT)
    g.node("Gather", [g.own("words"), "input_ids"], "packed")
    g.node("BitwiseAnd", ["packed", "fifteen"], "low")
    g.node("BitShift", ["packed", "four"], "high", direction="RIGHT")
    g.node("Unsqueeze", ["low", "last"], "low4")
    g.node("Unsqueeze", ["high", "last"], "high4")
    g.node("Concat", ["low4", "high4"], "nibbles", axis=-1)
    g.node("Reshape", ["nibbles", "blocks"], "in_blocks")
    g.node("Cast", ["in_blocks"], "as_float", to=TensorProto.FLOAT)
    g.node("Sub", ["as_float", "eight"], "signed")
    g.node("Gather", [g.own("words.scale"), "input_ids"], "scale16")
    g.node("Cast", ["scale16"], "scale32", to=TensorProto.FLOAT)
    g.node("Unsqueeze", ["scale32", "last"], "scale4")
    g.node("Mul", ["signed", "scale4"], "scaled")
    return g.node("Reshape", ["scaled", "joined"], "word")


def embeddings(g):
    for name, value in (("four", np.array([4], np.uint8)), ("fifteen", np.array([15], np.uint8)), ("eight", np.array([8], np.float32)), ("last", np.array([-1], np.int64)), ("blocks", np.array([0, 0, HIDDEN // BLOCK, BLOCK], np.int64)), ("joined", np.array([0, 0, HIDDEN], np.int64)), ("zero_axis", np.array([0], np.int64)), ("one_axis", np.array([1], np.int64))):
        g.tensor(name, value)
    words(g)
    g.node("Shape", ["input_ids"], "width", start=1, end=2)
    g.node("Slice", [g.own("positions"), "zero_axis", "width", "zero_axis"], "position16")
    g.node("Cast", ["position16"], "position", to=TensorProto.FLOAT)
    return g.norm("word", "position", "norm")


def pooled(g, x):
    g.node("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
    g.node("Unsqueeze", ["mask", "one_axis"], "mask_row")
    g.node("MatMul", ["mask_row", x], "summed3")
    g.node("Squeeze", ["summed3", "one_axis"], "summed")
    g.tensor("tiny", np.array([1e-9], np.float32))
    unit(g, "summed", "mean")
    g.node("Gemm", ["mean", g.own("project"), g.own("project.bias")], "projected", transB=1)
    return unit(g, "projected", "sentence_embedding")


def unit(g, value, name):
    g.node("ReduceL2", [value, "one_axis"], name + "_length", keepdims=1)
    g.node("Max", [name + "_length", "tiny"], name + "_safe")
    return g.node("Div", [value, name + "_safe"], name)


def build(tensors, layers, inner=False):
    """inner: the pooled vector before the last map is an output too ('mean'), and what the layers that are tuned begin with."""
    g = Graph(tensors)
    x = embeddings(g)
    g.node("Cast", ["attention_mask"], "mask32", to=TensorProto.INT32)
    g.node("ReduceMin", ["attention_mask"], "least", keepdims=0)
    g.node("Cast", ["least"], "no_padding", to=TensorProto.BOOL)
    for i in range(layers):
        at = f"layer{i}."
        y = g.norm(g.linear(g.attention(g.parts(x, at), at + "attention"), at + "attended"), x, at + "first_norm")
        g.node("Gelu", [g.linear(y, at + "up")], at + "gelu", MS)
        x = g.norm(g.linear(at + "gelu", at + "down"), y, at + "second_norm")
    pooled(g, x)
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "tokens"]) for n in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", len(tensors["project"])])]
    if inner:
        outputs.append(helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["batch", HIDDEN]))
        outputs.append(helper.make_tensor_value_info(STATES, TensorProto.FLOAT, ["batch", "tokens", HIDDEN]))
    graph = helper.make_graph(g.nodes, "lectern-embed", inputs, outputs, list(g.tensors.values()))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid(MS, 1)], producer_name="lectern")
    made.ir_version = 8
    return made


def in_parts(tensors):
    """The tensors of queries, keys and values apart, where they are one ('qkv')."""
    out = {}
    for name, value in tensors.items():
        if ".qkv." not in name:
            out[name] = value
            continue
        for part, piece in zip(PARTS, np.split(value, len(PARTS), axis=-1)):
            out[name.replace(".qkv.", f".{part}.")] = piece
    return out


def main():
    older, newer = sys.argv[1:]
    tensors = in_parts({t.name: numpy_helper.to_array(t) for t in onnx.load(older).graph.initializer})
    onnx.save(build(tensors, 1 + max(int(n.split(".")[0][5:]) for n in tensors if n.startswith("layer"))), newer)


if __name__ == "__main__":
    main()
