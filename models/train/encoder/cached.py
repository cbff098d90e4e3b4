"""Vectors of many texts by an ONNX graph, kept in blocks on disk: a stage that was stopped goes on where it was."""
import os

import numpy as np
import onnxruntime
import torch

from encoder import embed

BLOCK = 256


def session(path, threads=2):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options)


def forward(graph, output=None):
    """ids, mask -> vectors; a graph that gives pieces' vectors is pooled by their mean, to length 1."""
    names = [i.name for i in graph.get_inputs()]

    def run(ids, mask):
        feeds = {"input_ids": ids.numpy(), "attention_mask": mask.numpy(), "token_type_ids": np.zeros_like(ids.numpy())}
        got = graph.run([output] if output else None, {n: feeds[n] for n in names})[0]
        if got.ndim == 3:
            m = mask.numpy()[:, :, None]
            got = (got * m).sum(1) / m.sum(1)
        return torch.from_numpy(got / np.linalg.norm(got, axis=1, keepdims=True))

    return run


def vectors(folder, run, rows, pad):
    """float32 [rows, D] of token lists; blocks that `folder` holds are not computed again."""
    os.makedirs(folder, exist_ok=True)
    out = []
    for at in range(0, len(rows), BLOCK):
        path = os.path.join(folder, f"{at:07d}.npy")
        if not os.path.exists(path):
            np.save(path + ".part.npy", embed(run, rows[at:at + BLOCK], pad, 2048).astype(np.float16))
            os.replace(path + ".part.npy", path)
        out.append(np.load(path).astype(np.float32))
    return np.concatenate(out)
