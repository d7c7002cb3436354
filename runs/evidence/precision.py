#!/usr/bin/env python3
"""What bf16 and int8 cost in quality (docs/performance.md): encoding of every development set in each precision, and training in bf16 beside the seeds of f32.

From the root of the repository, after `runs/evidence/experiments.py run english pairs_10k pairs`:

  python3 runs/evidence/precision.py run      what is done is left alone, what was interrupted goes on
  python3 runs/evidence/precision.py table

ISOGLOSS names the program, isogloss if it is not set.
"""

import json
import statistics
import sys

from experiments import ARMS, DEV, OUT, SEEDS, isogloss, judge, run_file
from tables import percent, sheet

ROOT, SETS = OUT.parent / "precision", DEV / "eval/retrieval"
MODELS = {"all-MiniLM-L6-v2": OUT / "teacher", "LA-MIR": OUT / "pairs/1/model"}
PRECISIONS = ["f32", "bf16", "int8"]
TRAINED = ["english", "pairs_10k"]
WINDOW = 30  # steps over which a loss is averaged


def sets():
    return sorted(path.name for path in SETS.iterdir() if path.is_dir())


def run():
    for arm in TRAINED:
        for seed in SEEDS:
            start, tasks, steps, benchmarks = ARMS[arm]
            out = ROOT / arm / str(seed)
            if not (out / "model").exists():
                out.parent.mkdir(parents=True, exist_ok=True)
                file = out.parent / f"{seed}.toml"
                file.write_text(
                    run_file(out, seed, start, tasks, steps).replace(
                        "[optimizer]", 'precision = "bf16"\n[optimizer]', 1
                    )
                )
                isogloss("train", file, "--resume")
            for name in benchmarks:
                judge(out / "model", name, out / name)
    for model, path in MODELS.items():
        for name in sets():
            for precision in PRECISIONS:
                out = ROOT / model / name / precision
                if not (out / "result.json").exists():
                    out.parent.mkdir(parents=True, exist_ok=True)
                    isogloss(
                        "benchmark",
                        "beir",
                        "--data",
                        SETS / name,
                        "--model",
                        path,
                        "--precision",
                        precision,
                        "--out",
                        out,
                    )


def quality(model, name, precision):
    everything = json.loads((ROOT / model / name / precision / "result.json").read_text())["views"][0]["all"]
    return everything["queries"], everything["mean"]["nDCG@10"]


def losses(folder):
    """Means of the windows."""
    found = [json.loads(line)["loss"] for line in (folder / "log.jsonl").read_text().splitlines()]
    return [statistics.fmean(found[i : i + WINDOW]) for i in range(0, len(found), WINDOW)]


def measured(folder, name, measure):
    views = json.loads((folder / name / "result.json").read_text())["views"]
    return statistics.fmean(lang["mean"][measure] for lang in views[0]["by_lang"].values())


def table():
    for model in MODELS:
        rows = []
        for name in sets():
            if not (ROOT / model / name / PRECISIONS[-1] / "result.json").exists():
                continue
            (queries, f32), *others = (quality(model, name, precision) for precision in PRECISIONS)
            rows.append([name, str(queries), f"{f32:.4f}", *(f"{x:.4f} ({x - f32:+.4f})" for _, x in others)])
        sheet(f"nDCG@10 of {model}", ["set", "queries", *PRECISIONS], rows)
    for arm in TRAINED:
        folders = {"f32": [OUT / arm / str(seed) for seed in SEEDS], "bf16": [ROOT / arm / str(seed) for seed in SEEDS]}
        curves = {precision: [losses(folder) for folder in all] for precision, all in folders.items()}
        windows = range(len(curves["f32"][0]))
        rows = []
        for precision, all in curves.items():
            values = [[curve[i] for curve in all] for i in windows]
            cells = [f"{statistics.fmean(v):.3f} ± {statistics.stdev(v):.3f}" for v in values]
            accuracy = percent([measured(folder, "tatoeba", "A@1") for folder in folders[precision]])
            ndcg = percent([measured(folder, "xquad_r", "nDCG@10") for folder in folders[precision]])
            rows.append([precision, *cells, accuracy, ndcg])
        head = [f"steps {i * WINDOW + 1}–{(i + 1) * WINDOW}" for i in windows]
        sheet(f"Loss of {arm}, mean ± deviation over seeds", ["", *head, "Tatoeba accuracy@1", "XQuAD-R nDCG@10"], rows)
        same = [
            abs(a - b) for x, y in zip(curves["f32"], curves["bf16"], strict=True) for a, b in zip(x, y, strict=True)
        ]
        print(f"\nbetween the two of a seed: at most {max(same):.4f}, on average {statistics.fmean(same):.4f}")


def main():
    if sys.argv[1:] == ["run"]:
        run()
    elif sys.argv[1:] == ["table"]:
        table()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
