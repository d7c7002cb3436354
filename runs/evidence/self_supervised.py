#!/usr/bin/env python3
"""Self-supervised training without labels: an English model finds its own pairs in four languages, writes queries, and learns from both
(docs/methods/self_supervised.md).

From the root of the repository, with the development data at runs/data/dev:

  python3 runs/evidence/self_supervised.py run [SEED ...]   what is done is left alone, what was interrupted goes on
  python3 runs/evidence/self_supervised.py loop [SEED ...]  after it: two rounds of `isogloss self-train`, without and with written queries
  python3 runs/evidence/self_supervised.py table            of what is done, with the tests of `isogloss compare`

ISOGLOSS names the program, isogloss if it is not set. The questions of training sets are taken without their answers; the judgements that these sets have tell the
precision of what was mined and decide nothing. The models are static tables, so that a run takes minutes.
"""

import io
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ISOGLOSS = os.environ.get("ISOGLOSS", "isogloss")
OUT, DEV = Path("runs/out/self_supervised"), Path("runs/data/dev")
SEEDS = (1, 2, 3)
ENGLISH = ["qed_nq_train", "boolq", "multispanqa", "squadshifts_newwiki"]
# language: where its questions and passages come from, the set that is asked about
LANGS = {
    "fa": (["pquad_fa"], "persianqa_test"),
    "ja": (["jaquad_train"], "jaquad_dev"),
    "th": (["iapp_th_train"], "iapp_th_valid"),
    "zh": (["drcd_dev", "cmrc2018_trial"], "cmrc2018_dev"),
}
QUESTIONS = 4000  # of a language, at most
LISTS = {"sparse": "bm25", "dense": "dense", "both": "both"}
# arm: the lists it mines by, the arm it starts from and mines with
ARMS = {
    "m0": None,
    "sparse": ("sparse", "m0"),
    "dense": ("dense", "m0"),
    "both": ("both", "m0"),
    "both2": ("both", "both"),
}
# arm: whether queries are written, the round, the arm it is compared with; each round starts from m0
LOOPS = {"loop2": (False, 2, "both"), "generated": (True, 1, "both"), "generated2": (True, 2, "loop2")}


def isogloss(*arguments):
    subprocess.run([ISOGLOSS, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def lines(path):
    return io.TextIOWrapper(subprocess.Popen(["zstd", "-dc", path], stdout=subprocess.PIPE).stdout, encoding="utf-8")


def prepare():
    """A folder in the BEIR layout for each language, the text for the tokenizer, an index of words."""
    for lang, (sets, _) in LANGS.items():
        folder = OUT / "data" / lang
        if (folder / "qrels.tsv").exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        for name in ["corpus.jsonl", "queries.jsonl", "qrels.tsv"]:
            rows = [row for of in sets for row in list(lines(DEV / "train/qa" / of / f"{name}.zst"))]
            if name == "queries.jsonl":
                # Evenly out of all, so that questions about every passage are among them.
                rows = rows[:: -(-len(rows) // QUESTIONS)]
                asked = {json.loads(row)["_id"] for row in rows}
            if name == "qrels.tsv":
                rows = [rows[0], *(row for row in rows if row.split("\t")[0] in asked)]
            (folder / f"{name}.part").write_text("".join(rows))
            (folder / f"{name}.part").rename(folder / name)
    text = OUT / "data" / "text.txt"
    if not text.exists():
        with open(text, "w") as file:
            for lang in LANGS:
                rows = [json.loads(row)["text"] for row in open(OUT / "data" / lang / "corpus.jsonl")]
                file.writelines(row.replace("\n", " ") + "\n" for row in rows[:1500])
            for name in ENGLISH:
                file.writelines(
                    json.loads(row)["text"].replace("\n", " ") + "\n"
                    for row in lines(DEV / "train/qa" / name / "corpus.jsonl.zst")
                )
    if not (OUT / "tokenizer").exists():
        isogloss("tokenizer", "train", text, "--vocab-size", 24000, "--out", OUT / "tokenizer")
    for lang in LANGS:
        if not (OUT / "words" / lang).exists():
            isogloss("index", "--bm25", OUT / "data" / lang / "corpus.jsonl", "--out", OUT / "words" / lang)


def run_file(out, seed, model, tasks, steps, rate, warmup=None):
    return f'''out = "{out}"
seed = {seed}
{model}
[optimizer]
learning_rate = {rate}
weight_decay = 0.0
[schedule]
steps = {steps}
warmup = {warmup or steps // 10}
{tasks}'''


def task(*data):
    rows = "\n".join(f"[[task.data]]\n{one}" for one in data)
    return f'[[task]]\n[task.recipe]\nname = "contrastive"\ntemperature = 0.05\n{rows}\n[task.batch]\nrows = 256\n'


def sets_of_english():
    return [f'path = "{DEV}/train/qa/{name}"\nlang = "en"\ndoc_lang = "en"' for name in ENGLISH]


def english():
    return task(*sets_of_english())


def train(arm, seed):
    out = OUT / arm / str(seed)
    if (out / "model").exists():
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    if arm == "m0":
        model = f'[model.new]\narchitecture = "static"\ntokenizer = "{OUT}/tokenizer"\nhidden_size = 256'
        text = run_file(out, seed, model, english(), 300, 1e-2)
    else:
        lists, start = ARMS[arm]
        mined = [mine(arm, lists, start, seed, lang) for lang in LANGS]
        # English and what was mined take turns, a language a batch.
        tasks = english() + task(*(f'path = "{path}"' for path in mined if path)) + "one_language = true\n"
        text = run_file(out, seed, f'[model]\npath = "{OUT}/{start}/{seed}/model"', tasks, 200, 5e-3)
    file = out.parent / f"{seed}.toml"
    file.write_text(text)
    isogloss("train", file, "--resume")


def mine(arm, lists, start, seed, lang):
    """The rows mined in a language with the model of another arm; `None` if there are none."""
    out = OUT / arm / f"mined.{seed}" / f"{lang}.jsonl"
    folder, vectors = OUT / "data" / lang, OUT / start / f"vectors.{seed}" / lang
    if not out.exists():
        model = OUT / start / str(seed) / "model"
        isogloss("encode", model, folder / "corpus.jsonl", "--out", vectors)
        out.parent.mkdir(parents=True, exist_ok=True)
        options = ["--lists", LISTS[lists], "--qrels", folder / "qrels.tsv", "--bm25", OUT / "words" / lang]
        isogloss("mine", "pairs", "--corpus", folder / "corpus.jsonl", "--queries", folder / "queries.jsonl",
                 "--vectors", vectors, "--model", model, *options, "--out", out)  # fmt: skip
    return out if out.stat().st_size else None


def generator(seed):
    """A small encoder–decoder from nothing, trained on English questions and on the pairs that `both` mined."""
    out = OUT / "generator" / str(seed)
    if not (OUT / "tokenizer.generator").exists():
        text = OUT / "data" / "text.txt"
        isogloss("tokenizer", "train", text, "--vocab-size", 8000, "--limit-sentences", 1500, "--out", OUT / "tokenizer.generator")
    if (out / "model").exists():
        return out / "model"
    out.parent.mkdir(parents=True, exist_ok=True)
    model = f"""[model]
max_tokens = 96
[model.new]
architecture = "mt5"
tokenizer = "{OUT}/tokenizer.generator"
hidden_size = 128
layers = 2
heads = 2
intermediate_size = 256
max_tokens = 96
[checkpoint]
every = 100"""

    def written(rows, *data):
        sets = "".join(f"[[task.data]]\n{one}\n" for one in data)
        return f'[[task]]\n[task.recipe]\nname = "query_generation"\n{sets}[task.batch]\nrows = {rows}\n'

    mined = [f'path = "{OUT}/both/mined.{seed}/{lang}.jsonl"' for lang in LANGS]
    tasks = written(8, *sets_of_english()) + written(24, *mined) + "language_temperature = 2.0\n"
    file = out.parent / f"{seed}.toml"
    file.write_text(run_file(out, seed, model, tasks, 500, 3e-3, warmup=25))
    isogloss("train", file, "--resume")
    return out / "model"


def loop(seed, writes):
    """Both rounds of the loop; returns its folder."""
    out = OUT / ("loop.generated" if writes else "loop") / str(seed)
    text = f'out = "{out}"\nseed = {seed}\nmodel = "{OUT}/m0/{seed}/model"\nrounds = 2\n'
    text += "".join(f"[[english]]\n{one}\n" for one in sets_of_english())
    for lang in LANGS:
        data = OUT / "data" / lang
        text += f'[[language]]\nlang = "{lang}"\ncorpus = "{data}/corpus.jsonl"\nqueries = "{data}/queries.jsonl"\nqrels = "{data}/qrels.tsv"\n'
    text += "[batch]\nrows = 256\n[optimizer]\nlearning_rate = 5e-3\nweight_decay = 0.0\n[schedule]\nsteps = 200\nwarmup = 20\n"
    if writes:
        text += f'[generate]\ntrained = "{generator(seed)}"\npassages = 600\nqueries = 5\nmin_kept = 0\n'
    out.parent.mkdir(parents=True, exist_ok=True)
    file = out.parent / f"{seed}.toml"
    file.write_text(text)
    isogloss("self-train", file)
    return out


def loops(seeds):
    for seed in seeds:
        for writes in (False, True):
            out = loop(seed, writes)
            for arm, (of, number, _) in LOOPS.items():
                if of == writes:
                    judge(arm, seed, out / f"round-{number}" / "retriever" / "model")


def judge(arm, seed, model=None):
    model = model or OUT / arm / str(seed) / "model"
    for lang, (_, name) in LANGS.items():
        out = OUT / arm / f"judged.{seed}" / lang
        if not (out / "result.json").exists():
            out.parent.mkdir(parents=True, exist_ok=True)
            isogloss("benchmark", "beir", "--data", DEV / "eval/retrieval" / name, "--model", model, "--out", out)  # fmt: skip


def run(seeds):
    prepare()
    for seed in seeds:
        for arm in ARMS:
            train(arm, seed)
            judge(arm, seed)


def value(arm, seed, lang):
    path = OUT / arm / f"judged.{seed}" / lang / "result.json"
    return 100 * json.loads(path.read_text())["views"][0]["all"]["mean"]["nDCG@10"] if path.exists() else None


def spread(values):
    values = [v for v in values if v is not None]
    if not values:
        return "–"
    mean = f"{statistics.fmean(values):.2f}"
    return f"{mean} ± {statistics.stdev(values):.2f}" if len(values) > 1 else f"{mean} (1)"


def tested(arm, start, seed, lang):
    """+, − or = by the paired randomisation test at 5 %, not corrected."""
    sides = [OUT / a / f"judged.{seed}" / lang for a in (start, arm)]
    if not all((side / "result.json").exists() for side in sides):
        return ""
    said = subprocess.run([ISOGLOSS, "compare", *map(str, sides), "--measure", "nDCG@10", "--json"], check=True, capture_output=True, text=True)  # fmt: skip
    found = json.loads(said.stdout)["comparisons"][0]["all"]
    return "=" if found["randomisation_test"]["p"] >= 0.05 else "+" if found["difference"] > 0 else "−"


def table():
    print("| arm | against | " + " | ".join(f"{lang} | test" for lang in LANGS) + " |")
    print("|---" * (2 * len(LANGS) + 2) + "|")
    against = {arm: made and made[1] for arm, made in ARMS.items()} | {arm: made[2] for arm, made in LOOPS.items()}
    for arm, other in against.items():
        cells = []
        for lang in LANGS:
            signs = "" if other is None else " ".join(tested(arm, other, seed, lang) for seed in SEEDS)
            cells += [spread(value(arm, seed, lang) for seed in SEEDS), signs.strip()]
        print(f"| {arm} | {other or ''} | " + " | ".join(cells) + " |")
    print("\n| arm | " + " | ".join(f"{lang}: mined of asked, precision" for lang in LANGS) + " |")
    print("|---" * (len(LANGS) + 1) + "|")
    for arm in list(ARMS)[1:]:
        cells = []
        for lang in LANGS:
            reports = [OUT / arm / f"mined.{seed}" / f"{lang}.jsonl.report.json" for seed in SEEDS]
            told = [json.loads(path.read_text()) for path in reports if path.exists()]
            cells.append("; ".join(brief(report) for report in told) or "–")
        print(f"| {arm} | " + " | ".join(cells) + " |")
    cells = []
    for lang in LANGS:
        told = [of_round(f"loop/{seed}/round-2", lang) for seed in SEEDS]
        cells.append("; ".join(brief({"found": {"langs": one["mined"]}}) for one in told if one) or "–")
    print("| loop2 | " + " | ".join(cells) + " |")
    survivors()


def of_round(folder, lang):
    """What a round reported of a language, if it is done."""
    path = OUT / folder / "report.json"
    return json.loads(path.read_text())["langs"][lang] if path.exists() else None


def survivors():
    print("\n| written | length | language | duplicate | copied | not found | kept |\n|---|---|---|---|---|---|---|")
    for number in (1, 2):
        for lang in LANGS:
            told = [of_round(f"loop.generated/{seed}/round-{number}", lang) for seed in SEEDS]
            counts = [one["generated"] for one in told if one]
            rules = ["length", "language", "duplicate", "copied", "not found"]
            cells = [", ".join(str(one["dropped"][rule]) for one in counts) for rule in rules]
            cells.append(", ".join(str(one["kept"]) for one in counts))
            read = ", ".join(str(one["read"]) for one in counts)
            print(f"| round {number}, {lang}: {read} | " + " | ".join(cells) + " |")


def brief(report):
    """How many were mined of how many asked, and the share that the judgements call right; what they do not judge counts as wrong."""
    (found,) = report["found"]["langs"].values()
    mined, right = found["mined"], found["right"]
    return f"{mined} of {found['queries']}, {100 * right / max(mined, 1):.1f} %"


def main():
    if sys.argv[1:2] == ["run"]:
        run([int(seed) for seed in sys.argv[2:]] or SEEDS)
    elif sys.argv[1:2] == ["loop"]:
        loops([int(seed) for seed in sys.argv[2:]] or SEEDS)
    elif sys.argv[1:] == ["table"]:
        table()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
