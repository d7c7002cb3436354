"""Exact inner-product search: Isogloss against faiss IndexFlatIP and against PyTorch's matmul + topk.

Alternates the three in one run with the same number of threads and prints medians and ratios.
    python flat.py [--rows 200000] [--dim 384] [--queries 1000] [--k 100] [--threads 2] [--rounds 7]
"""

import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__)
for name, default in {"rows": 200_000, "dim": 384, "queries": 1000, "k": 100, "threads": 2, "rounds": 7}.items():
    parser.add_argument(f"--{name}", type=int, default=default)
a = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(a.threads)

import faiss  # noqa: E402  (reads the environment)
import numpy as np  # noqa: E402
import torch  # noqa: E402

ROOT = Path(__file__).parents[2]


def start_isogloss():
    cargo = ["cargo", "run", "--quiet", "--release", "-p", "isogloss-dense", "--example", "flat_bench", "--"]
    shape = [str(x) for x in (a.rows, a.dim, a.queries, a.k, a.threads)]
    process = subprocess.Popen(cargo + shape, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def isogloss_seconds(process):
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline().split()[0])


def timed(search):
    start = time.perf_counter()
    search()
    return time.perf_counter() - start


def torch_search(docs, queries):
    best = []
    for part in queries.split(256):
        best.append(torch.topk(part @ docs.T, a.k, dim=1))
    return best


def main():
    faiss.omp_set_num_threads(a.threads)
    torch.set_num_threads(a.threads)
    rng = np.random.default_rng(1)
    docs = rng.standard_normal((a.rows, a.dim), dtype=np.float32)
    queries = rng.standard_normal((a.queries, a.dim), dtype=np.float32)
    for x in (docs, queries):
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    index = faiss.IndexFlatIP(a.dim)
    index.add(docs)
    docs_t, queries_t = torch.from_numpy(docs), torch.from_numpy(queries)
    process = start_isogloss()
    seconds = {"isogloss": [], "faiss": [], "torch": []}
    for _ in range(a.rounds):
        seconds["isogloss"].append(isogloss_seconds(process))
        seconds["faiss"].append(timed(lambda: index.search(queries, a.k)))
        seconds["torch"].append(timed(lambda: torch_search(docs_t, queries_t)))
    process.stdin.close()
    median = {name: statistics.median(times) for name, times in seconds.items()}
    work = 2e-9 * a.rows * a.dim * a.queries
    for name, s in median.items():
        times = " ".join(f"{t:.3f}" for t in seconds[name])
        print(f"{name:9} {s:7.3f} s {a.queries / s:9.0f} queries/s {work / s:7.1f} GFLOP/s   ({times})")
    for peer in ("faiss", "torch"):
        print(f"ratio to {peer}: {median[peer] / median['isogloss']:.2f}x")


main()
