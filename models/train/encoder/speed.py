"""Pieces a second, size and memory of encoders side by side: the bare ONNX Runtime, in turns, on 1 and 2 threads.

    python3 speed.py --texts OUT/learn.jsonl --models ours=FOLDER/onnx/model.onnx,FOLDER/tokenizer.json e5=GRAPH,TOKENIZER
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import onnxruntime
from tokenizers import Tokenizer

from cached import forward, session
from encoder import by_length, padded

PIECES = 128


def batches(tokenizer, texts):
    t = Tokenizer.from_file(tokenizer)
    t.no_padding()
    t.enable_truncation(PIECES)
    rows = [e.ids for e in t.encode_batch(texts)]
    return [padded([rows[i] for i in some], t.token_to_id("<pad>") or 0) for some in by_length(rows, 1024)], sum(map(len, rows))


def one_round(run, made):
    """Seconds by the clock and of processor time, of all threads together."""
    begin, cpu = time.perf_counter(), time.process_time()
    for ids, mask in made:
        run(ids, mask)
    return time.perf_counter() - begin, time.process_time() - cpu


def memory(graph):
    """MiB that one model takes in a process of its own, at its peak, with runs of 8 texts of 128 pieces."""
    code = """
import resource, sys
import numpy as np
import onnxruntime
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options)
given = {"input_ids": 5, "attention_mask": 1, "token_type_ids": 0}
session.run(None, {i.name: np.full((8, 128), given[i.name], np.int64) for i in session.get_inputs()})
print((peak() - before) // 1024)
"""
    return int(subprocess.run([sys.executable, "-c", code, graph], check=True, capture_output=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--texts", required=True)
    parser.add_argument("--models", nargs="+", required=True, help="name=graph,tokenizer")
    parser.add_argument("--count", type=int, default=400, help="texts")
    parser.add_argument("--rounds", type=int, default=3)
    o = parser.parse_args()
    with open(o.texts, encoding="utf-8") as f:
        texts = [r["text"] for r in map(json.loads, f) if r["kind"] == "passage"][:o.count]
    models = {}
    for given in o.models:
        name, files = given.split("=", 1)
        graph, tokenizer = files.split(",")
        models[name] = (graph, *batches(tokenizer, texts))
    peak = {name: memory(graph) for name, (graph, _, _) in models.items()}
    speeds = {}
    for threads in (1, 2):
        runs = {name: forward(session(graph, threads)) for name, (graph, _, _) in models.items()}
        for name, (_, made, _) in models.items():
            one_round(runs[name], made[:2])
        for _ in range(o.rounds):
            # There and back again, so that what drifts meets all alike.
            for name, (_, made, pieces) in [*models.items(), *reversed(models.items())]:
                clock, cpu = one_round(runs[name], made)
                speeds.setdefault((name, threads), []).append(pieces / clock)
                # What others on the machine take away does not count; threads that wait do not either.
                speeds.setdefault((name, threads, "cpu"), []).append(pieces / cpu)
    # Which of two is the quicker changes with it.
    print(f"ONNX Runtime {onnxruntime.__version__}\n")
    print("| model | pieces a second, 1 thread | 2 threads | of processor time, 1 thread | 2 threads | MB on disk | MiB of memory |\n|---|---|---|---|---|---|---|")
    for name, (graph, _, _) in models.items():
        print(f"| {name} | {statistics.median(speeds[name, 1]):.0f} | {statistics.median(speeds[name, 2]):.0f} | {statistics.median(speeds[name, 1, 'cpu']):.0f} | {statistics.median(speeds[name, 2, 'cpu']):.0f} | {os.path.getsize(graph) / 1e6:.1f} | {peak[name]} |")


if __name__ == "__main__":
    sys.exit(main())
