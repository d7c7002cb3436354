#!/usr/bin/env python3
"""What each part of contrastive context prediction does (docs/methods/ccp.md), where training is cheap enough to converge: a static table from scratch.

From the root of the repository, with the development data at runs/data/dev, after runs/evidence/prepare.py and the tokenizer of runs/evidence/backbone.toml:

  python3 runs/evidence/context.py run [SEED ...]   what is done is left alone, what was interrupted goes on
  python3 runs/evidence/context.py table            of what is done, with the tests of `isogloss compare`

ISOGLOSS names the program, isogloss if it is not set. Documents are encyclopedia articles, novels, and books and manuals of the parallel data, each language shown for itself: no
translation is ever a pair, but much is told in several languages.
"""

import json
import statistics
import sys

from experiments import DATA, DEV, DOCUMENT_LANGS, HELD_OUT, OUT, SEEDS, calibrated, isogloss, judge
from prepare import records
from tables import percent, plain, sheet, told

ROOT = OUT.parent / "context"
BOOKS = ["bible_gospels", "ms_edgeai", "ms_iot", "python_docs", "gnome_user_docs", "opensource_guide"]
# arm: steps, rate, options of the recipe
ARMS = {
    "untrained": (1, 1e-12, "bank = 0"),
    "no_bank": (1000, 1e-3, "bank = 0"),
    "both": (1000, 1e-3, 'bank = 0\nhead.asymmetry = "none"'),
    "bank": (1000, 1e-3, "bank = 512"),
    "mixed": (1000, 1e-3, 'bank = 512\nbank_scope = "mixed"'),
}


def books():
    """A document for each language of each chapter."""
    path = ROOT / "books.jsonl"
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    chapters = {}
    for name in BOOKS:
        for row in records(f"train/parallel/{name}.jsonl.zst"):
            for lang in DOCUMENT_LANGS:
                if lang in row["text"]:
                    chapters.setdefault((row["doc"], lang), []).append(["", row["text"][lang]])
    rows = [
        {"doc_id": f"{doc}-{lang}", "lang": lang, "title": "", "paras": paragraphs}
        for (doc, lang), paragraphs in chapters.items()
        if len(paragraphs) > 3
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def run_file(out, seed, steps, rate, options):
    data = [f'[[task.data]]\npath = "{ROOT}/books.jsonl"\n'] + [
        f'[[task.data]]\npath = "{DEV}/train/docs/{name}.jsonl.zst"\nlanguages = {json.dumps(DOCUMENT_LANGS)}\n'
        for name in ["eltec_novels", "wikipedia_extracts"]
    ]
    return f"""out = "{out}"
seed = {seed}
[model.new]
architecture = "static"
tokenizer = "{OUT}/tokenizer"
hidden_size = 256
[optimizer]
learning_rate = {rate}
weight_decay = 0.0
[schedule]
steps = {steps}
warmup = {steps // 30}
[checkpoint]
every = 500
[[task]]
[task.recipe]
name = "ccp"
unit_tokens = 64
window = 2
warm_up_batches = 24
monitor_every = 50
{options}
{"".join(data)}[task.batch]
rows = 64
one_language = true
language_temperature = 3.0
"""


def train(arm, seed):
    out = ROOT / arm / str(seed)
    if not (out / "model").exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        file = out.parent / f"{seed}.toml"
        file.write_text(run_file(out, seed, *ARMS[arm]))
        isogloss("train", file, "--resume")
    judge(out / "model", "tatoeba", out / "tatoeba")
    calibrated(out)


def accuracy(arm, name, keep):
    """Mean A@1 of the languages that are kept, a value a seed."""
    files = [ROOT / arm / str(seed) / name / "result.json" for seed in SEEDS]
    of = [json.loads(file.read_text())["views"][0]["by_lang"] for file in files if file.exists()]
    return [statistics.fmean(found["mean"]["A@1"] for lang, found in one.items() if keep(lang)) for one in of]


def logged(arm, term):
    """The mean of a term over the last five times it was logged, a value a seed."""
    values = []
    for seed in SEEDS:
        log = ROOT / arm / str(seed) / "log.jsonl"
        rows = map(json.loads, log.read_text().splitlines()) if log.exists() else []
        seen = [
            row["loss"] if term == "loss" else row["terms"][term]
            for row in rows
            if term == "loss" or term in row["terms"]
        ]
        values += [statistics.fmean(seen[-100 if term == "loss" else -5 :])] if seen else []
    return values


def tested(base, arm, name):
    """Languages that the arm is better and worse in than the base, by seed, after Holm's correction."""
    out = []
    for seed in SEEDS:
        sides = [ROOT / of / str(seed) / name for of in (base, arm)]
        if all((side / "result.json").exists() for side in sides):
            by_lang = told("compare", *sides, "--measure", "A@1")["comparisons"][0]["by_lang"]
            sure = {lang: one for lang, one in by_lang.items() if one["holm"]["randomisation_test"] < 0.05}
            signs = [sorted(lang for lang, one in sure.items() if sign * one["difference"] > 0) for sign in (1, -1)]
            out.append("+{} −{}".format(*(" ".join(langs) or "0" for langs in signs)))
    return "; ".join(out) or "–"


def table():
    rows = []
    for arm in ARMS:
        start = "untrained" if arm == "no_bank" else "no_bank"
        rows.append(
            [
                arm,
                plain(logged(arm, "loss")),
                plain(logged(arm, "leak")),
                plain(logged(arm, "language_probe")),
                *(
                    percent(accuracy(arm, "tatoeba", keep))
                    for keep in (lambda lang: lang not in HELD_OUT, HELD_OUT.__contains__)
                ),
                percent(accuracy(arm, "tatoeba_calibrated", lambda lang: True)),
                "" if arm == "untrained" else f"{start}: {tested(start, arm, 'tatoeba')}",
            ]
        )
    head = [
        "arm",
        "loss",
        "leak",
        "language probe",
        "bn de el es fr ja ru",
        "ar mr uk vi",
        "all ten, calibrated",
        "against",
    ]
    sheet("Tatoeba A@1", head, rows)


def main():
    if sys.argv[1:2] == ["run"]:
        books()
        for seed in map(int, sys.argv[2:] or SEEDS):
            for arm in ARMS:
                train(arm, seed)
    elif sys.argv[1:2] == ["table"]:
        table()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
