#!/usr/bin/env python3
"""What each recipe's step costs beside a plain contrastive step, at about the same number of encoded tokens: whole runs of `isogloss train`, one after another in every round.

    python3 benches/recipes.py [--rounds 3] [--steps 24] [--layers 6] [--hidden 384] [--texts 384] [--recipe NAME]... [--release target/release]

Prints for every recipe the median time per encoded token of the second half of its steps (banks are full by then) over that of `contrastive`. The texts are the same:
sentences of data/train/parallel.tsv.zst. No Python package is needed; zstd must be on the path.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODEL = """seed = 1
[optimizer]
learning_rate = 1e-4
[schedule]
steps = {steps}
[checkpoint]
every = 0
[model]
path = "{model}"
"""


def pairs():
    """(English, other) in the file's order."""
    text = subprocess.run(
        ["zstd", "-dc", ROOT / "data/train/parallel.tsv.zst"], check=True, capture_output=True
    ).stdout.decode()
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    return [(row[2], row[3], row[1]) for row in rows if row[0] == "en"]


def recipes(folder, texts):
    """Run files' recipes and data; each encodes about so many texts a step."""
    pair, plain = [f'path = "{folder}/pairs.tsv"'], f'path = "{folder}/documents.jsonl"'
    half, third = texts // 2, texts // 3
    return {
        "contrastive": ("", half, [[*pair, 'format = "parallel"']]),
        "la_mir": (f"texts = {third}\nlanguage_weight = 0.1", third, [pair, [plain, 'role = "text"']]),
        "clear": ("", third, [[f'path = "{folder}/clear.jsonl"', 'lang = "en"']]),
        "ccp": ("unit_tokens = 8\nbank = 4096\nwarm_up_batches = 1\nmonitor_every = 0", half, [[plain]]),
        "ccp, monitors": ("unit_tokens = 8\nbank = 4096\nwarm_up_batches = 1", half, [[plain]]),
        "distill": (f'teacher = "{folder}/new/model"\nfollow = "mse"', half, [[*pair, f"limit = {half}"]]),
        "mlm": ("unit_tokens = 8", texts, [[plain]]),
    }


def write_data(folder):
    rows = pairs()
    with open(folder / "pairs.tsv", "w") as file:
        file.write("src_lang\ttgt_lang\tsrc\ttgt\n")
        file.writelines(f"en\t{lang}\t{english}\t{other}\n" for english, other, lang in rows)
    with open(folder / "clear.jsonl", "w") as file:
        for (anchor, cross, lang), (positive, _, _) in zip(rows, rows[1:]):
            row = {"anchor": anchor, "positive": positive, "cross_anchor": cross, "cross_lang": lang}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    with open(folder / "documents.jsonl", "w") as file:
        for at in range(0, len(rows) - 16, 16):
            paragraphs = [["", english] for english, _, _ in rows[at : at + 16]]
            file.write(
                json.dumps({"doc_id": f"d{at}", "lang": "en", "title": "", "paras": paragraphs}, ensure_ascii=False)
                + "\n"
            )


def train(release, folder, name, text):
    (folder / "run.toml").write_text(f'out = "{folder}/{name}"\n{text}')
    subprocess.run([release / "isogloss", "train", folder / "run.toml"], check=True, capture_output=True)
    steps = [json.loads(line) for line in (folder / name / "log.jsonl").read_text().splitlines()]
    return [step for step in steps if "tokens_per_second" in step]


def new_model(a, folder):
    text = f"""[model.new]
architecture = "xlm_roberta"
tokenizer = "{ROOT}/tests/golden/encoder/xlmr"
hidden_size = {a.hidden}
layers = {a.layers}
heads = {a.hidden // 32}
max_tokens = 64
[recipe]
name = "contrastive"
[[data]]
path = "{folder}/pairs.tsv"
format = "parallel"
[batch]
rows = 2
[schedule]
steps = 1
"""
    train(a.release, folder, "new", text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"rounds": 3, "steps": 24, "layers": 6, "hidden": 384, "texts": 384}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--recipe", action="append")
    parser.add_argument("--release", type=Path, default=ROOT / "target/release")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_data(folder)
        new_model(a, folder)
        ways = {
            name: way
            for name, way in recipes(folder, a.texts).items()
            if not a.recipe or name in ["contrastive", *a.recipe]
        }
        cost, tokens = {name: [] for name in ways}, {}
        for _ in range(a.rounds):
            for name, (options, rows, data) in ways.items():
                sets = "".join("[[data]]\n" + "\n".join(one) + "\n" for one in data)
                head = MODEL.format(steps=a.steps, model=folder / "new/model")
                text = f'{head}[recipe]\nname = "{name.split(",")[0]}"\n{options}\n[batch]\nrows = {rows}\n{sets}'
                out = f"{name.split(',')[0]}.{len(cost[name])}.{name.count(',')}"
                steps = train(a.release, folder, out, text)[a.steps // 2 :]
                cost[name].append(statistics.median(1e6 / step["tokens_per_second"] for step in steps))
                tokens[name] = statistics.median(step["tokens"] for step in steps)
        base = statistics.median(cost["contrastive"])
        for name, seen in cost.items():
            found = statistics.median(seen)
            print(
                f"{name:14} {tokens[name]:6.0f} tokens a step {found:7.1f} us a token, {found / base:5.3f} x contrastive ({min(seen):.1f} to {max(seen):.1f})"
            )


if __name__ == "__main__":
    main()
