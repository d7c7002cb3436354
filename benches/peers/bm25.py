"""BM25 over the sentences of all languages of NTREX-128: Isogloss against Anserini's jar and bm25s, one thread each.

Every round indexes and searches once with each, one after the other, so that what else the machine does falls on all alike.
Isogloss and Anserini are whole processes from text to index and from queries to run, with the English chain; their runs are
compared. bm25s gets the same tokens ready made and only its own indexing and search are timed, after a search to warm up;
against it Isogloss reads the tokens from text apart by blanks. Seconds are of the wall and of the processor.
    python bm25.py NTREX.tsv[.zst] [--jar anserini-0.25.0-fatjar.jar] [--queries 2000] [--rounds 5] [--release target/release]
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"

import bm25s  # noqa: E402  (reads the environment)
from common import add_release, lines  # noqa: E402

K, K1, B = 100, 0.9, 0.4
JAVA = ["java", "-Xmx2g", "-XX:+UseSerialGC", "-XX:ActiveProcessorCount=1", "-cp"]


def process(command, stdin=None):
    """Runs a command to its end; returns its seconds of the wall and of the processor."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as err:
        child = subprocess.Popen([str(c) for c in command], stdin=stdin, stdout=err, stderr=err)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            err.seek(0)
            raise SystemExit(f"{command}: {err.read().decode()[-2000:]}")
    return seconds, usage.ru_utime + usage.ru_stime


def timed(work):
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def write_docs(path, texts):
    with open(path, "w", encoding="utf-8") as file:
        for i, text in enumerate(texts):
            file.write(json.dumps({"id": f"d{i}", "contents": text}, ensure_ascii=False) + "\n")


def write_queries(path, texts):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{i}\t{text}\n" for i, text in enumerate(texts))


def ranking(path):
    """Query, document and score of every row of a run, by query and rank."""
    rows = [line.split() for line in lines(path)]
    return sorted((int(row[0]), int(row[3]), row[2], row[4]) for row in rows)


class Isogloss:
    def __init__(self, release, scratch, name, docs, queries, analyzer):
        self.program, self.scratch, self.name, self.analyzer = release / "isogloss", scratch, name, analyzer
        self.docs, self.queries, self.rounds = docs, queries, 0

    def run(self):
        return self.scratch / f"{self.name}.trec"

    def index(self):
        self.rounds += 1
        self.folder = self.scratch / f"{self.name}{self.rounds}"
        options = ["--out", self.folder, "--analyzer", self.analyzer, "--threads", 1]
        return process([self.program, "index", "--bm25", self.docs, *options])

    def search(self):
        options = ["--k1", K1, "--b", B, "--k", K, "--out", self.run(), "--threads", 1]
        return process([self.program, "search", "--bm25", self.folder, "--queries", self.queries, *options])


class Anserini:
    def __init__(self, jar, scratch, docs, queries):
        self.jar, self.docs, self.queries, self.rounds, self.scratch = jar, docs, queries, 0, scratch

    def run(self):
        return self.scratch / "anserini.trec"

    def java(self, program, *options):
        return process([*JAVA, self.jar, program, *options, "-threads", 1, "-language", "en"])

    def index(self):
        self.rounds += 1
        self.folder = self.scratch / f"anserini{self.rounds}"
        collection = ["-collection", "JsonCollection", "-generator", "DefaultLuceneDocumentGenerator"]
        return self.java("io.anserini.index.IndexCollection", *collection, "-input", self.docs.parent, "-index", self.folder)

    def search(self):
        topics = ["-topics", self.queries, "-topicReader", "TsvString", "-output", self.run(), "-hits", K]
        bm25 = ["-bm25", "-bm25.k1", K1, "-bm25.b", B]
        return self.java("io.anserini.search.SearchCollection", "-index", self.folder, *topics, *bm25)


class Bm25s:
    def __init__(self, backend, docs, queries):
        self.backend, self.docs, self.queries = backend, docs, queries
        self.index()
        self.search()

    def index(self):
        self.ranker = bm25s.BM25(method="lucene", k1=K1, b=B, backend=self.backend)
        return timed(lambda: self.ranker.index(self.docs, show_progress=False))

    def search(self):
        return timed(lambda: self.ranker.retrieve(self.queries, k=K, n_threads=1, show_progress=False))


def told(what, name, times, ours):
    wall, processor = ([t[i] for t in times] for i in (0, 1))
    parts = " ".join(f"{t:.2f}" for t in wall)
    print(f"{what:6} {name:16} {statistics.median(wall):7.2f} s, processor {statistics.median(processor):7.2f} s   ({parts})", end="")
    if times is not ours:
        ratios = [statistics.median(t[i] / o[i] for t, o in zip(times, ours, strict=True)) for i in (0, 1)]
        print(f"   isogloss is {ratios[0]:.2f}x as fast, by the processor {ratios[1]:.2f}x", end="")
    print(flush=True)


def compare(title, ours, peers, rounds):
    """Measures in turn; `ours` and `peers` are (name, system)."""
    print(title)
    times = {what: {name: [] for name, _ in [ours, *peers]} for what in ("index", "search")}
    for _ in range(rounds):
        for what, of in times.items():
            for name, system in [ours, *peers]:
                of[name].append(getattr(system, what)())
    for what, of in times.items():
        for name, seconds in of.items():
            told(what, name, seconds, of[ours[0]])


def tokens_of(program, docs, scratch):
    """The English chain's tokens of every text."""
    texts, out = scratch / "texts.jsonl", scratch / "tokens.jsonl"
    write_texts = (json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in docs)
    texts.write_text("".join(write_texts), encoding="utf-8")
    with open(texts, "rb") as stdin, open(out, "wb") as stdout:
        subprocess.run([program, "analyze", "--analyzer", "lucene:en", "--json"], stdin=stdin, stdout=stdout, check=True)
    return [json.loads(line)["tokens"] for line in lines(out)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ntrex", type=Path)
    parser.add_argument("--jar", type=Path)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    add_release(parser)
    a = parser.parse_args()
    docs = [" ".join(line.rstrip("\n").split("\t")[2].split()) for line in lines(a.ntrex)]
    docs = [doc for doc in docs if doc]
    queries = docs[:: len(docs) // a.queries][: a.queries]
    print(f"{len(docs)} sentences, {len(queries)} of them as queries, k = {K}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        (scratch / "raw").mkdir()
        raw, asked = scratch / "raw/docs.jsonl", scratch / "queries.tsv"
        write_docs(raw, docs)
        write_queries(asked, queries)
        if a.jar:
            ours = Isogloss(a.release, scratch, "isogloss", raw, asked, "lucene:en")
            peer = Anserini(a.jar, scratch, raw, asked)
            compare("from text", ("isogloss", ours), [("anserini", peer)], a.rounds)
            one, other = ranking(ours.run()), ranking(peer.run())
            equal = sum(x == y for x, y in zip(one, other))
            print(f"rows of the runs that are equal: {equal} of {len(one)} and {len(other)}", flush=True)
        tokens = tokens_of(a.release / "isogloss", docs, scratch)
        query_tokens = tokens[:: len(docs) // a.queries][: a.queries]
        ready, ready_asked = scratch / "tokens.json.docs.jsonl", scratch / "tokens.queries.tsv"
        write_docs(ready, [" ".join(words) for words in tokens])
        write_queries(ready_asked, [" ".join(words) or "-" for words in query_tokens])
        ours = Isogloss(a.release, scratch, "tokens", ready, ready_asked, "lucene:sw")
        peers = [("bm25s", Bm25s("numpy", tokens, query_tokens)), ("bm25s numba", Bm25s("numba", tokens, query_tokens))]
        compare("from tokens", ("isogloss", ours), peers, a.rounds)


main()
