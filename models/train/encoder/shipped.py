"""A model folder that export.py wrote, to train on from and to write again: what is not trained keeps its bytes.

    python3 shipped.py --model models/lectern-embed --tuned OUT/english/tuned.pt --out OUT/lectern-embed

writes the folder anew with the layers and the map that english.py trained.
"""
import argparse
import os
import shutil

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from cached import session
from encoder import Encoder
from export import linear, norm
from layout import BLOCK, HIDDEN, PARTS, build, in_parts

GRAPH = "onnx/model.onnx"


def tensors_of(folder):
    """{name: tensor} as the graph has them (layout.py)."""
    graph = onnx.load(os.path.join(folder, GRAPH)).graph
    return {t.name: numpy_helper.to_array(t) for t in graph.initializer}


def layers_of(tensors):
    return 1 + max(int(n.split(".")[0][5:]) for n in tensors if n.startswith("layer"))


def states_name(layer):
    return f"layer{layer}.second_norm"


def inner_session(folder, layer, threads):
    """The graph as it computes, with two outputs more: the pooled vector ('mean'), and the states after a layer."""
    made = onnx.load(os.path.join(folder, GRAPH))
    made.graph.output.append(helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["batch", HIDDEN]))
    made.graph.output.append(helper.make_tensor_value_info(states_name(layer), TensorProto.FLOAT, ["batch", "tokens", HIDDEN]))
    return session(made.SerializeToString(), threads)


def full_width(tensors, name):
    """A matrix [inputs, outputs] out of 8 bit, without the scaling of its inputs."""
    weight = tensors[name + ".q"].astype(np.float32) * tensors[name + ".scale"]
    return weight * tensors[name + ".smooth"][:, None] if name + ".smooth" in tensors else weight


def word_table(tensors):
    packed, scale = tensors["words"], tensors["words.scale"].astype(np.float32)
    nibbles = np.stack([packed & 15, packed >> 4], 2).reshape(len(packed), -1, BLOCK)
    return ((nibbles.astype(np.float32) - 8) * scale[:, :, None]).reshape(len(packed), -1)


def encoder_of(tensors):
    """The encoder in PyTorch, its weights as they are after rounding."""
    model = Encoder(len(tensors["words"]), layers_of(tensors), len(tensors["positions"]))
    put = lambda parameter, value: parameter.data.copy_(torch.from_numpy(np.array(value, np.float32)))
    put(model.words.weight, word_table(tensors))
    put(model.positions.weight, tensors["positions"])
    for module, name in [(model.norm, "norm")] + [(getattr(layer, n), f"layer{i}.{n}") for i, layer in enumerate(model.layers) for n in ("first_norm", "second_norm")]:
        put(module.weight, tensors[name + ".gamma"])
        put(module.bias, tensors[name + ".beta"])
    for i, layer in enumerate(model.layers):
        put(layer.qkv.weight, np.concatenate([full_width(tensors, f"layer{i}.{part}").T for part in PARTS]))
        put(layer.qkv.bias, np.concatenate([tensors[f"layer{i}.{part}.bias"] for part in PARTS]))
        for n in ("attended", "up", "down"):
            put(getattr(layer, n).weight, full_width(tensors, f"layer{i}.{n}").T)
            put(getattr(layer, n).bias, tensors[f"layer{i}.{n}.bias"])
    put(model.project.weight, tensors["project"])
    put(model.project.bias, tensors["project.bias"])
    return model.eval()


def rounded(model, first, tensors):
    """The tensors, with those of the layers from `first` on and of the map out of the model; inputs are scaled as before."""
    out = {}
    for i in range(first, len(model.layers)):
        layer = model.layers[i]
        for name in ("qkv", "attended", "up", "down"):
            smooth = tensors.get(f"layer{i}.{name}.smooth")
            out.update(linear(getattr(layer, name), f"layer{i}.{name}", None if smooth is None else 1 / smooth))
        for name in ("first_norm", "second_norm"):
            out.update(norm(getattr(layer, name), f"layer{i}.{name}"))
    out.update({"project": model.project.weight.detach().numpy(), "project.bias": model.project.bias.detach().numpy()})
    return {**tensors, **in_parts(out)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("model", "tuned", "out"):
        parser.add_argument("--" + name, required=True)
    o = parser.parse_args()
    tensors = tensors_of(o.model)
    model, tuned = encoder_of(tensors), torch.load(o.tuned)
    model.load_state_dict(tuned, strict=False)
    first = min(int(k.split(".")[1]) for k in tuned if k.startswith("layers."))
    shutil.copytree(o.model, o.out, dirs_exist_ok=True)
    onnx.save(build(rounded(model, first, tensors), len(model.layers)), os.path.join(o.out, GRAPH))


if __name__ == "__main__":
    main()
