"""Writes the model as an ONNX graph, protobuf by hand (the onnx package is not needed).

sentence_embedding = normalise(sum over tokens of mask * scale[id] * table[id]);
the table is int8 with one scale a row.
"""
import struct

import numpy as np

FLOAT, INT8, INT64 = 1, 3, 7


def _varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def _int(field, n):
    return _varint(field << 3) + _varint(n)


def _bytes(field, data):
    if isinstance(data, str):
        data = data.encode()
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _float(field, x):
    return _varint(field << 3 | 5) + struct.pack("<f", x)


def _tensor(name, array, kind):
    dims = b"".join(_int(1, d) for d in array.shape)
    return dims + _int(2, kind) + _bytes(8, name) + _bytes(9, array.tobytes())


def _value(name, kind, dims):
    shape = b"".join(_bytes(1, _bytes(2, d) if isinstance(d, str) else _int(1, d)) for d in dims)
    return _bytes(1, name) + _bytes(2, _bytes(1, _int(1, kind) + _bytes(2, shape)))


def _node(op, inputs, output, **attributes):
    out = b"".join(_bytes(1, i) for i in inputs) + _bytes(2, output) + _bytes(3, output) + _bytes(4, op)
    for name, value in attributes.items():
        if isinstance(value, list):
            body = b"".join(_int(8, v) for v in value) + _int(20, 7)
        elif isinstance(value, float):
            body = _float(2, value) + _int(20, 1)
        else:
            body = _int(3, value) + _int(20, 2)
        out += _bytes(5, _bytes(1, name) + body)
    return out


def quantise(table):
    """float [V, D] -> int8 [V, D] and float scale [V, 1], so that int8 * scale is near."""
    scale = np.abs(table).max(axis=1, keepdims=True) / 127
    return np.round(table / np.maximum(scale, 1e-12)).astype(np.int8), scale.astype(np.float32)


def write(path, int8, scale):
    dim = int8.shape[1]
    nodes = [
        _node("Gather", ["table", "input_ids"], "rows8", axis=0),
        _node("Cast", ["rows8"], "rows", to=FLOAT),
        _node("Gather", ["scale", "input_ids"], "row_scale", axis=0),
        _node("Cast", ["attention_mask"], "mask", to=FLOAT),
        _node("Mul", ["row_scale", "mask"], "weight"),
        _node("Unsqueeze", ["weight", "one"], "weight3"),
        _node("MatMul", ["weight3", "rows"], "summed3"),
        _node("Squeeze", ["summed3", "one"], "summed"),
        _node("ReduceL2", ["summed"], "length", axes=[1], keepdims=1),
        _node("Max", ["length", "tiny"], "safe_length"),
        _node("Div", ["summed", "safe_length"], "sentence_embedding"),
    ]
    tensors = [
        _tensor("table", int8, INT8),
        _tensor("scale", scale.reshape(-1), FLOAT),
        _tensor("one", np.array([1], np.int64), INT64),
        _tensor("tiny", np.array([1e-9], np.float32), FLOAT),
    ]
    graph = b"".join(_bytes(1, n) for n in nodes) + _bytes(2, "lectern-embed-en")
    graph += b"".join(_bytes(5, t) for t in tensors)
    for name in ("input_ids", "attention_mask"):
        graph += _bytes(11, _value(name, INT64, ["batch", "tokens"]))
    graph += _bytes(12, _value("sentence_embedding", FLOAT, ["batch", dim]))
    model = _int(1, 8) + _bytes(2, "lectern") + _bytes(7, graph) + _bytes(8, _int(2, 17))
    with open(path, "wb") as f:
        f.write(model)


def _fields(data):
    """(field, value) of one protobuf message; bytes for strings and messages."""
    at = 0
    view = memoryview(data)

    def varint():
        nonlocal at
        out = shift = 0
        while True:
            byte = view[at]
            at += 1
            out |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return out

    while at < len(view):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        elif key & 7 == 2:
            size = varint()
            yield key >> 3, view[at:at + size]
            at += size
        else:
            size = 4 if key & 7 == 5 else 8
            yield key >> 3, bytes(view[at:at + size])
            at += size


def read(path):
    """The float table of a graph that `write` wrote."""
    with open(path, "rb") as f:
        model = f.read()
    (graph,) = [v for k, v in _fields(model) if k == 7]
    found = {}
    for field, value in _fields(graph):
        if field == 5:
            parts = list(_fields(value))
            name = bytes(next(v for k, v in parts if k == 8)).decode()
            found[name] = ([v for k, v in parts if k == 1], next(v for k, v in parts if k == 9))
    shape, raw = found["table"]
    table = np.frombuffer(raw, np.int8).reshape(shape).astype(np.float32)
    return table * np.frombuffer(found["scale"][1], np.float32)[:, None]
