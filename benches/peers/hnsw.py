"""Approximate search: Isogloss against faiss (HNSW, f32) and usearch (HNSW, f16 and i8), on the same vectors in one run.

Builds all indexes, finds for every one the smallest ef with the recall asked for, then searches with them in turn.
    python hnsw.py VECTORS.npy QUERIES.npy [--release DIR] [--m 16] [--ef-construction 128] [--recall 0.95 0.99]
                   [--threads 2] [--rounds 7] [--scalars int8 f16 binary] [--peers faiss usearch-f16 usearch-i8] [--work DIR]
VECTORS.npy and QUERIES.npy hold f32 in rows, of length 1 or not: `isogloss encode … --format npy` writes them. With --pin 0,
all of them run on that core.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("vectors", type=Path)
parser.add_argument("queries", type=Path)
parser.add_argument("--release", type=Path, default=Path(__file__).parents[2] / "target/release")
parser.add_argument("--m", type=int, default=16)
parser.add_argument("--ef-construction", type=int, default=128)
parser.add_argument("--recall", type=float, nargs="+", default=[0.95, 0.99])
parser.add_argument("--k", type=int, default=10)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--scalars", nargs="*", default=["int8", "f16", "binary"])
parser.add_argument("--peers", nargs="*", default=["faiss", "usearch-f16", "usearch-i8"])
parser.add_argument("--pin", type=int)
parser.add_argument("--work", type=Path, help="where indexes go [default: a temporary folder]")
a = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(a.threads)
if a.pin is not None:
    os.sched_setaffinity(0, {a.pin})

import numpy as np  # noqa: E402  (reads the environment)

EFS = [10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 512, 768, 1024, 1536, 2048]


def exact(docs, queries, k):
    """The best k rows of every query, and the score of the last of them."""
    import faiss

    index = faiss.IndexFlatIP(docs.shape[1])
    index.add(docs)
    scores, rows = index.search(queries, k)
    return rows, scores[:, -1]


class Faiss:
    """faiss' HNSW of f32 vectors; its bytes are those of the file that it writes."""

    def __init__(self, docs, work):
        import faiss

        faiss.omp_set_num_threads(a.threads)
        start = time.perf_counter()
        self.index = faiss.IndexHNSWFlat(docs.shape[1], a.m, faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction = a.ef_construction
        self.index.add(docs)
        self.build = time.perf_counter() - start
        path = str(work / "faiss.index")
        faiss.write_index(self.index, path)
        self.bytes = os.path.getsize(path)
        del self.index
        start = time.perf_counter()
        self.index = faiss.read_index(path)
        self.opened = time.perf_counter() - start
        os.remove(path)

    def search(self, queries, ef):
        self.index.hnsw.efSearch = ef
        start = time.perf_counter()
        _, rows = self.index.search(queries, a.k)
        return time.perf_counter() - start, rows


class Usearch:
    """usearch with vectors of another type; its bytes are those of the file that it writes, which it then views."""

    def __init__(self, docs, work, dtype):
        from usearch.index import Index

        options = {"ndim": docs.shape[1], "metric": "ip", "dtype": dtype, "connectivity": a.m}
        self.index = Index(**options, expansion_add=a.ef_construction)
        start = time.perf_counter()
        self.index.add(np.arange(len(docs)), docs, threads=a.threads)
        self.build = time.perf_counter() - start
        path = str(work / f"usearch-{dtype}")
        self.index.save(path)
        self.bytes = os.path.getsize(path)
        start = time.perf_counter()
        self.index = Index.restore(path, view=True)
        self.opened = time.perf_counter() - start

    def search(self, queries, ef):
        self.index.expansion_search = ef
        start = time.perf_counter()
        found = self.index.search(queries, a.k, threads=a.threads)
        return time.perf_counter() - start, found.keys


class Isogloss:
    """Our index, searched by another process; its bytes are those of its files."""

    def __init__(self, work, scalar):
        self.bench = str(a.release / "examples/hnsw_bench")
        store = work / f"isogloss-{scalar}"
        shutil.rmtree(store, ignore_errors=True)
        subprocess.run([self.bench, "import", a.vectors, store], check=True)
        built = subprocess.run(
            [self.bench, "build", store, str(a.m), str(a.ef_construction), scalar, str(a.threads)],
            check=True, stdout=subprocess.PIPE, text=True,
        ).stdout.split(maxsplit=3)
        self.build, self.bytes, self.graph, self.measured = float(built[0]), int(built[1]), float(built[2]), built[3]
        self.out = work / "found"
        self.process = subprocess.Popen(
            [self.bench, "search", store, a.queries, str(a.k), str(a.threads), self.out],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        self.opened = float(self.process.stdout.readline())

    def search(self, queries, ef):
        self.process.stdin.write(f"{ef}\n")
        self.process.stdin.flush()
        seconds = float(self.process.stdout.readline())
        assert self.process.stdout.readline() == "written\n"
        return seconds, np.fromfile(self.out, dtype=np.uint32).reshape(len(queries), a.k)


def recall(docs, queries, rows, least):
    """The mean part of the exact best k that was found; what scores as high as the last of them is as good."""
    scores = np.einsum("qkd,qd->qk", docs[rows.astype(np.int64)], queries)
    return float((scores >= least[:, None] - 1e-6).mean())


def smallest_ef(index, docs, queries, least, wanted):
    for ef in EFS:
        got = recall(docs, queries, index.search(queries, ef)[1], least)
        if got >= wanted:
            return ef, got
    return None


def main():
    docs, queries = (np.load(path).astype(np.float32) for path in (a.vectors, a.queries))
    work = a.work or Path(tempfile.mkdtemp(prefix="hnsw-"))
    work.mkdir(parents=True, exist_ok=True)
    print(f"{docs.shape[0]} x {docs.shape[1]}, {len(queries)} queries, k {a.k}, M {a.m}, ef construction "
          f"{a.ef_construction}, {a.threads} threads", flush=True)
    _, least = exact(docs, queries, a.k)
    makers = {"faiss": lambda: Faiss(docs, work)}
    makers |= {f"usearch-{t}": lambda t=t: Usearch(docs, work, t) for t in ("f16", "i8")}
    makers |= {f"isogloss-{s}": lambda s=s: Isogloss(work, s) for s in a.scalars}
    made = {}
    for name in [f"isogloss-{s}" for s in a.scalars] + a.peers:
        index = made[name] = makers[name]()
        extra = f", graph alone {index.graph:.1f} s, measured {index.measured.strip()}" if hasattr(index, "graph") else ""
        print(f"{name:16} built in {index.build:7.1f} s, {index.bytes / len(docs):6.0f} bytes a row, opened in "
              f"{index.opened * 1e3:7.2f} ms{extra}", flush=True)
    for wanted in a.recall:
        compare(made, docs, queries, least, wanted)
    if a.work is None:
        shutil.rmtree(work)


def compare(made, docs, queries, least, wanted):
    settings = {name: smallest_ef(index, docs, queries, least, wanted) for name, index in made.items()}
    seconds = {name: [] for name, setting in settings.items() if setting}
    for _ in range(a.rounds):
        for name in seconds:
            seconds[name].append(made[name].search(queries, settings[name][0])[0])
    median = {name: statistics.median(times) for name, times in seconds.items()}
    print(f"\nrecall@{a.k} >= {wanted}")
    for name, setting in settings.items():
        if not setting:
            print(f"{name:16} not reached")
            continue
        rates = " ".join(f"{len(queries) / t:.0f}" for t in seconds[name])
        against = f"{median['faiss'] / median[name]:5.2f}x faiss" if "faiss" in median else ""
        print(f"{name:16} ef {setting[0]:5} recall {setting[1]:.4f} {len(queries) / median[name]:9.0f} queries/s {against}   ({rates})",
              flush=True)


if __name__ == "__main__":
    sys.exit(main())
