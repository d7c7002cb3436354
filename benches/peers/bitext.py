"""Mining of translations: Isogloss against faiss IndexFlatIP with the same margins and the same one-to-one choice.

Both find the k nearest of every row in both directions, score them by the ratio margin and take the best pairs one to one.
Alternates the two in one run with the same number of threads and prints medians and their ratio.
    python bitext.py [--rows 100000] [--dim 384] [--k 4] [--threads 2] [--rounds 3]
"""

import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__)
for name, default in {"rows": 100_000, "dim": 384, "k": 4, "threads": 2, "rounds": 3}.items():
    parser.add_argument(f"--{name}", type=int, default=default)
parser.add_argument(
    "--release", type=Path, default=Path(__file__).parents[2] / "target/release",
    help="where `cargo build --release --bins --examples` put isogloss and examples/bitext_bench",
)
a = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(a.threads)

import faiss  # noqa: E402  (reads the environment)
import numpy as np  # noqa: E402


def unit(rows, seed):
    x = np.random.default_rng(seed).standard_normal((rows, a.dim), dtype=np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def nearest(queries, rows):
    index = faiss.IndexFlatIP(a.dim)
    index.add(rows)
    return index.search(queries, a.k)


def mine(x, y):
    """The "max" strategy of LASER's mine_bitexts by the ratio margin: rows of pairs and their scores."""
    (x_cos, x_near), (y_cos, y_near) = nearest(x, y), nearest(y, x)
    x_mean, y_mean = x_cos.mean(axis=1), y_cos.mean(axis=1)
    forth = x_cos / ((x_mean[:, None] + y_mean[x_near]) / 2)
    back = y_cos / ((y_mean[:, None] + x_mean[y_near]) / 2)
    best_y, best_x = forth.argmax(axis=1), back.argmax(axis=1)
    rows = np.arange(len(x)), np.arange(len(y))
    pairs = np.concatenate([
        np.stack([rows[0], x_near[rows[0], best_y]], axis=1),
        np.stack([y_near[rows[1], best_x], rows[1]], axis=1),
    ])
    scores = np.concatenate([forth.max(axis=1), back.max(axis=1)])
    taken_x, taken_y, mined = set(), set(), []
    for at in np.argsort(-scores, kind="stable"):
        i, j = map(int, pairs[at])
        if i not in taken_x and j not in taken_y:
            taken_x.add(i)
            taken_y.add(j)
            mined.append((i, j, float(scores[at])))
    return mined


def start_isogloss():
    command = [a.release / "examples/bitext_bench", *map(str, (a.rows, a.dim, a.k, a.threads))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def isogloss_seconds(process):
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline().split()[0])


def main():
    faiss.omp_set_num_threads(a.threads)
    x, y = unit(a.rows, 1), unit(a.rows, 2)
    process = start_isogloss()
    seconds = {"isogloss": [], "faiss": []}
    for _ in range(a.rounds):
        seconds["isogloss"].append(isogloss_seconds(process))
        start = time.perf_counter()
        mine(x, y)
        seconds["faiss"].append(time.perf_counter() - start)
    process.stdin.close()
    median = {name: statistics.median(times) for name, times in seconds.items()}
    for name, s in median.items():
        times = " ".join(f"{t:.2f}" for t in seconds[name])
        print(f"{name:9} {s:8.2f} s for {a.rows:,} × {a.rows:,} × {a.dim}, k = {a.k}   ({times})")
    print(f"ratio to faiss: {median['faiss'] / median['isogloss']:.2f}x")


main()
