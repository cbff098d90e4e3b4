"""Pieces a second, size and memory of encoders side by side: the bare ONNX Runtime, in turns, on 1 and 2 threads.

    python3 speed.py --texts OUT/learn.jsonl --models ours=FOLDER/onnx/model.onnx,FOLDER/tokenizer.json e5=GRAPH,TOKENIZER
"""
import argparse
import json
import os
import resource
import statistics
import sys
import time

import onnxruntime
from tokenizers import Tokenizer

from cached import forward, session
from encoder import by_length, padded

TEXTS, PIECES, ROUNDS = 400, 128, 3


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


def memory(graph, made):
    """MB that one model takes in a process of its own, at its peak."""
    pid = os.fork()
    if pid == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        one_round(forward(session(graph, 1)), made)
        os._exit(min(255, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 4096))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) * 4


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--texts", required=True)
    parser.add_argument("--models", nargs="+", required=True, help="name=graph,tokenizer")
    o = parser.parse_args()
    with open(o.texts, encoding="utf-8") as f:
        texts = [r["text"] for r in map(json.loads, f) if r["kind"] == "passage"][:TEXTS]
    models = {}
    for given in o.models:
        name, files = given.split("=", 1)
        graph, tokenizer = files.split(",")
        models[name] = (graph, *batches(tokenizer, texts))
    peak = {name: memory(graph, made) for name, (graph, made, _) in models.items()}
    speeds = {}
    for threads in (1, 2):
        runs = {name: forward(session(graph, threads)) for name, (graph, _, _) in models.items()}
        for name, (_, made, _) in models.items():
            one_round(runs[name], made[:2])
        for _ in range(ROUNDS):
            # There and back again, so that what drifts meets all alike.
            for name, (_, made, pieces) in [*models.items(), *reversed(models.items())]:
                clock, cpu = one_round(runs[name], made)
                speeds.setdefault((name, threads), []).append(pieces / clock)
                # What others on the machine take away does not count; threads that wait do not either.
                speeds.setdefault((name, threads, "cpu"), []).append(pieces / cpu)
    # Which of two is the quicker changes with it.
    print(f"ONNX Runtime {onnxruntime.__version__}\n")
    print("| model | pieces a second, 1 thread | 2 threads | of processor time, 1 thread | 2 threads | MB on disk | MB of memory |\n|---|---|---|---|---|---|---|")
    for name, (graph, _, _) in models.items():
        print(f"| {name} | {statistics.median(speeds[name, 1]):.0f} | {statistics.median(speeds[name, 2]):.0f} | {statistics.median(speeds[name, 1, 'cpu']):.0f} | {statistics.median(speeds[name, 2, 'cpu']):.0f} | {os.path.getsize(graph) / 1e6:.1f} | {peak[name]} |")


if __name__ == "__main__":
    sys.exit(main())
