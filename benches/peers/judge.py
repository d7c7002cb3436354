"""Judging: Isogloss against trec_eval (pytrec-eval-terrier), ranx and scipy. Prints PASS or FAIL with the figures, then seconds and memory; exits 1 after a FAIL.

    python judge.py [--runs 1000] [--queries 10000] [--hits 1000] [--rounds 3] [--only NAME]... [--release target/release] [--xor-script eval_xor_retrieve.py]

`agree` compares measures on random runs full of ties, `tests` the paired tests with scipy's and ranx's, `xor` XOR-Retrieve's figures with those of its official script (given by
--xor-script, from https://github.com/AkariAsai/XORQA; without it the check is left out) on made-up predictions that are hard to tokenise, `speed` reads judgements and a run from
files and computes five measures, every program in a process of its own, in turn.
"""

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import ROOT, add_release, isogloss

PUNKT = ROOT / "crates/ir/src/protocol/nltk/punkt/english.json.zst"

MEASURES = {"nDCG@10": "ndcg_cut_10", "RR": "recip_rank", "R@100": "recall_100", "AP": "map", "P@5": "P_5"}
RANX = ["ndcg@10", "mrr", "recall@100", "map", "precision@5"]
PEERS = {
    "pytrec_eval": """
import pytrec_eval, sys, statistics
qrels = pytrec_eval.parse_qrel(open(sys.argv[1]))
run = pytrec_eval.parse_run(open(sys.argv[2]))
found = pytrec_eval.RelevanceEvaluator(qrels, {measures}).evaluate(run)
print({{m: statistics.fmean(v[m] for v in found.values()) for m in {measures}}})
""",
    "ranx": """
import sys
from ranx import Qrels, Run, evaluate
print(evaluate(Qrels.from_file(sys.argv[1], kind="trec"), Run.from_file(sys.argv[2], kind="trec"), {ranx}, make_comparable=True))
""",
}


def tell(ok, text):
    print("PASS" if ok else "FAIL", text, flush=True)
    return ok


def random_run(rng, queries=5):
    """Judgements of several levels and a run whose scores are mostly tied; some queries and documents are on one side alone."""
    docs = [f"d{rng.randrange(10**6)}" for _ in range(rng.randrange(1, 150))]
    qrels, run = {}, {}
    for q in range(queries):
        judged, found = rng.sample(docs, rng.randrange(len(docs) + 1)), rng.sample(docs, rng.randrange(len(docs) + 1))
        levels, scores = rng.randrange(1, 5), rng.choice([1, 2, 5, 1000])
        if judged:
            qrels[f"q{q}"] = {doc: rng.randrange(-1, levels + 1) for doc in judged}
        if found:
            run[f"q{q}"] = {doc: rng.randrange(scores) / 4 for doc in found}
    return qrels, run


def write(qrels, run, folder):
    with open(folder / "qrels.txt", "w") as file:
        file.writelines(f"{q} 0 {doc} {level}\n" for q, docs in qrels.items() for doc, level in docs.items())
    with open(folder / "run.trec", "w") as file:
        file.writelines(f"{q} Q0 {doc} 0 {score} x\n" for q, docs in run.items() for doc, score in docs.items())


def agree(a, folder):
    """trec_eval leaves out queries that the run lacks; here they count 0. The values by query are compared."""
    import pytrec_eval

    rng, worst, compared, judged_runs = random.Random(1), 0.0, 0, 0
    while judged_runs < a.runs:
        qrels, run = random_run(rng)
        if not qrels.keys() & run.keys():
            continue  # nothing to compare; `evaluate` refuses it
        judged_runs += 1
        write(qrels, run, folder)
        theirs = pytrec_eval.RelevanceEvaluator(qrels, set(MEASURES.values())).evaluate(run)
        out, _, _ = isogloss(
            a.release,
            "evaluate",
            folder / "qrels.txt",
            folder / "run.trec",
            *MEASURES,
            "--per-query",
            "--json",
            "--resamples",
            0,
        )
        ours = json.loads(out)["queries"]
        for query, values in ours.items():
            for measure, key in MEASURES.items():
                compared += 1
                worst = max(worst, abs(values[measure] - theirs.get(query, {}).get(key, 0.0)))
        assert set(theirs) <= set(ours), set(theirs) - set(ours)
    return tell(
        worst < 1e-9, f"evaluate and trec_eval on {judged_runs} runs: {compared} values, largest difference {worst:.1e}"
    )


def tests(a, folder):
    """The randomisation test counts every pattern up to its number of draws, as scipy's does: equal where both count, near where both draw."""
    import numpy as np
    from ranx.statistical_tests import fisher_randomization_test, paired_student_t_test
    from scipy.stats import permutation_test, ttest_rel

    rng, ok = np.random.default_rng(1), True
    for n, draws in [(8, 10000), (12, 10000), (13, 10000), (60, 100000), (500, 100000)]:
        x, y = rng.integers(0, 11, n) / 10, rng.integers(0, 12, n) / 11
        for name, values in (("a", x), ("b", y)):
            report = {"queries": {f"q{i}": {"RR": float(value)} for i, value in enumerate(values)}}
            (folder / f"{name}.json").write_text(json.dumps(report))
        out, _, _ = isogloss(a.release, "compare", folder / "a.json", folder / "b.json", "--resamples", draws, "--json")
        ours = json.loads(out)["comparisons"][0]["all"]
        t = ttest_rel(y, x).pvalue
        resamples = np.inf if 2**n <= draws else draws
        p = permutation_test(
            (y, x),
            lambda u, v, axis: (u - v).mean(axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=resamples,
            rng=2,
        ).pvalue
        # scipy doubles the smaller tail, and the error of its draws with it.
        mine, near = ours["randomisation_test"]["p"], 8 * np.sqrt(p / 2 * (1 - p / 2) / draws) + 2 / draws
        exact = ours["randomisation_test"]["exact"]
        right = abs(ours["t_test"]["p"] - t) < 1e-9 and abs(mine - p) <= (1e-9 if exact else near)
        drawn, student = fisher_randomization_test(x, y, draws)[0], paired_student_t_test(x, y)[0]
        right &= abs(ours["t_test"]["p"] - student) < 1e-9 and abs(mine - drawn) <= near
        ok &= tell(
            right,
            f"compare, ranx ({student:.6g}, {drawn:.6g}) and scipy, {n} queries: t {ours['t_test']['p']:.6g} : {t:.6g}, randomisation {mine:.6g} : {p:.6g}{' exact' if exact else ''}",
        )
    return ok


# Sentences that tokenisers and sentence splitters disagree about, and answers that stand in them, across their tokens or nowhere.
HARD = [
    "Dr. A. Mwangi, Ph.D., wasn't in St. Louis at 10:45 a.m. on Jan. 3rd; she'd gone to Washington D.C. by then.",
    'He said: "I\'m here..." and left. \'Twas the night; "why?" she\'d asked. "Because." (It rained.)',
    "Prices rose 1,204.5% to $3.50/kg (approx. £2.80), i.e. 7-8 times; No. 5 vs. No. 12: 3-2.",
    "Wait… what?! Yes... no. etc. The U.S. Army didn't. Mr. Smith's car's gone --- cannot be; gimme it, wanna bet?",
    "Mail x_y@example.org or see http://example.org/a?b=c&d=%20#e. Tags: <b>bold</b> [1] {2} #3 @four.",
    "東京は日本の首都です。人口は約1400万人。「はい」と言った。",
    "عاصمة مصر هي القاهرة، وعدد سكانها 10.2 مليون نسمة. أليس كذلك؟",
    "Москва — столица России; в ней ок. 13 млн. жителей, т.е. много…",
    "పురాణాల ప్రకారం 1,000 సంవత్సరాలు. ఇది నిజమా?",
    "서울은 대한민국의 수도이다. “그래요,” 그는 말했다.",
    "Its motto is ‘Slow — but sure’. The ’90s ended. O'Neil's 'n' roll; rock 'n' roll. 5'10\" tall.",
    "naïve café coöperate ﬁnal ½ ² №7 ①  tab\tand\u00a0nbsp\u200bzero width",
]
ANSWERS = [
    "yes", "no", "", "Ph.D.", "St. Louis", "10:45 a.m.", "wasn't", "was n't", "1,204.5", "1,204.5%", "1,204.5 %", "$3.50", "$ 3.50", "3-2", "...", "…", "Yes", "No.",
    "U.S.", "U.S. Army", "cannot", "can not", "x_y@example.org", "東京", "1400万人", "القاهرة", "القاهرة ،", "13 млн.", "т.е", "నిజమా", "수도이다", "수도이다 .", "‘Slow", "'n' roll",
    "``", "''", "½", "№7", "nowhere at all", "Because . )", "D.C .", "etc", "etc.", "Smith's", "Smith 's", "5'10", "nbsp",
]  # fmt: skip


def xor(a, folder):
    """Figures of XOR-Retrieve on made-up predictions: ours and the official script's, NLTK given the same parameters of Punkt as we have."""
    if a.xor_script is None:
        print("xor: left out, no --xor-script", flush=True)
        return True
    import zstandard

    # NLTK reads and writes below the folders named here only.
    os.environ["NLTK_DATA"] = str(folder / "nltk")
    from nltk.tokenize.punkt import PunktParameters, save_punkt_params

    english = zstandard.ZstdDecompressor().decompressobj().decompress(PUNKT.read_bytes())
    learned, params = json.loads(english), PunktParameters()
    params.abbrev_types, params.sent_starters = set(learned["abbrev_types"]), set(learned["sentence_starters"])
    params.collocations = {tuple(pair) for pair in learned["collocations"]}
    params.ortho_context.update(learned["ortho_context"])
    (folder / "nltk/tokenizers/punkt_tab").mkdir(parents=True)
    save_punkt_params(params, str(folder / "nltk/tokenizers/punkt_tab/english"))

    rng, gold, predictions = random.Random(3), [], []
    for i in range(a.predictions):
        lang = rng.choice(["ar", "bn", "fi", "ja", "ko", "ru", "te"])
        # Texts of a passage are cut anywhere; some have 2,000 tokens within the first contexts, some never.
        contexts = [
            " ".join(rng.choices(HARD, k=rng.randrange(1, 9)))[rng.randrange(20) :] for _ in range(rng.randrange(0, 60))
        ]
        answers = rng.choices(ANSWERS, k=rng.randrange(1, 3))
        if contexts and rng.random() < 0.5:
            # One that stands in a single place, before or behind the cut.
            answers = [f"mark-{i}"]
            contexts[rng.randrange(len(contexts))] += f" mark-{i}."
        gold.append({"id": str(i), "question": "?", "answers": answers, "lang": lang})
        predictions.append({"id": str(i), "lang": lang, "ctxs": contexts})
    predictions.append({"id": "unknown", "lang": "sw", "ctxs": ["nothing"]})
    (folder / "xor").mkdir()
    data = folder / "xor/xor_dev_retrieve_eng_span_v1_1.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in gold[: -len(gold) // 20]))
    file = folder / "predictions.json"
    file.write_text(json.dumps(predictions))
    command = [sys.executable, a.xor_script, "--data_file", data, "--pred_file", file]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # Two blocks, R@2kt and R@5kt: a line with the language, one with its figure.
    theirs = [dict(re.findall(r"performance on (\w+) .*\n(.*)", block)) for block in said.split("Evaluating")[1:]]
    out, _, _ = isogloss(a.release, "benchmark", "xor-retrieve", "--data", folder / "xor", "--run", file, "--json")
    ours = json.loads(out)["views"][0]["by_lang"]
    compared = [
        (lang, m, ours[lang]["mean"][m] * 100, float(theirs[i][lang]))
        for i, m in enumerate(["R@2kt", "R@5kt"])
        for lang in theirs[i]
    ]
    worst = max(abs(mine - other) for _, _, mine, other in compared)
    same = set(ours) == set(theirs[0]) and worst < 1e-9
    middle = sum(0 < mine < 100 for _, _, mine, _ in compared)
    return tell(
        same,
        f"xor-retrieve and the official script on {len(predictions)} predictions: {len(compared)} figures, {middle} of them strictly between 0 and 100, largest difference {worst:.1e}",
    )


def peer(name, folder):
    code = PEERS[name].format(measures=list(MEASURES.values()), ranx=RANX)
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", code, folder / "qrels.txt", folder / "run.trec"], stdout=subprocess.PIPE, text=True
    )
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, name
    return out, time.perf_counter() - start, usage.ru_maxrss / 1024


def speed(a, folder):
    rng = random.Random(2)
    with open(folder / "qrels.txt", "w") as qrels, open(folder / "run.trec", "w") as run:
        for q in range(a.queries):
            qrels.writelines(f"q{q} 0 d{doc} 1\n" for doc in rng.sample(range(5 * a.hits), 5))
            found = rng.sample(range(5 * a.hits), a.hits)
            run.writelines(f"q{q} Q0 d{doc} {rank + 1} {1000 - rank * 0.37:.4f} x\n" for rank, doc in enumerate(found))
    megabytes = (folder / "run.trec").stat().st_size / 1e6
    print(f"{a.queries} queries x {a.hits} hits, {megabytes:.0f} MB, five measures, from files to figures")
    ways = {
        "isogloss": lambda: isogloss(
            a.release, "evaluate", folder / "qrels.txt", folder / "run.trec", *MEASURES, "--resamples", 0
        )
    }
    ways |= {name: lambda name=name: peer(name, folder) for name in PEERS}
    seconds, memory = {name: [] for name in ways}, {}
    for _ in range(a.rounds):
        for name, way in ways.items():
            out, took, memory[name] = way()
            seconds[name].append(took)
    for name in ways:
        print(f"{name:12} {statistics.median(seconds[name]):7.2f} s {memory[name]:7.0f} MiB")
    for name in PEERS:
        ratio = statistics.median(seconds[name]) / statistics.median(seconds["isogloss"])
        print(f"{ratio:.1f}x {name}, {memory['isogloss'] / memory[name]:.2f} of its memory")
    return True


def main():
    ways = {"agree": agree, "tests": tests, "xor": xor, "speed": speed}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"runs": 1000, "queries": 10_000, "hits": 1000, "rounds": 3, "predictions": 400}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only", choices=ways, action="append")
    parser.add_argument("--xor-script", type=Path)
    add_release(parser)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if not all([way(a, Path(scratch)) for name, way in ways.items() if name in (a.only or ways)]):
            sys.exit(1)


if __name__ == "__main__":
    main()
