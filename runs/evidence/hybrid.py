#!/usr/bin/env python3
"""Words, vectors and both, by language, on the retrieval sets of the development data (docs/hybrid.md, docs/analyzers.md).

From the root of the repository, with the development data at runs/data/dev and the model of `isogloss quickstart` at quickstart:

  python3 runs/evidence/hybrid.py run      what is done is left alone
  python3 runs/evidence/hybrid.py table

ISOGLOSS names the program, isogloss if it is not set. Words are those of each language's chain (`auto`), tokens of the quickstart's tokenizer, and both as two fields.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path

from experiments import DEV, ISOGLOSS, OUT, isogloss
from prepare import records
from tables import sheet

ROOT, SETS, MODEL = OUT.parent / "hybrid", DEV / "eval/retrieval", Path("quickstart")
CHAINS = set("ar bn da de en es fa fi fr ha hi hu id it ko nl no pt ru so sv sw te th tr yo zh".split())


def sets():
    return sorted(path.name for path in SETS.iterdir() if path.is_dir())


def analyzers(name):
    """The chain of a set's language, `icu` for several languages or one without a chain, stands for words in the union."""
    langs = {row["lang"] for row in records(f"eval/retrieval/{name}/corpus.jsonl.zst")}
    words = f"lucene:{langs.pop()}" if len(langs) == 1 and langs <= CHAINS else "icu"
    tokens = f"subword:{MODEL}/tokenizer"
    return {"words": "auto", "tokens": tokens, "union": f"{words}+{tokens}"}


def run():
    for name in sets():
        folder, out = SETS / name, ROOT / name
        queries = folder / "queries.jsonl.zst"
        for field, analyzer in analyzers(name).items():
            if not (out / field / "result.json").exists():
                index = out / f"{field}.index"
                if not index.exists():
                    isogloss("index", "--bm25", folder / "corpus.jsonl.zst", "--out", index, "--analyzer", analyzer)
                isogloss("benchmark", "beir", "--data", folder, "--bm25", index, "--out", out / field)
        if not (out / "vectors" / "result.json").exists():
            isogloss("benchmark", "beir", "--data", folder, "--model", MODEL / "run/model", "--out", out / "vectors")
        runs = [out / system / "runs" / "run.trec" for system in ("words", "vectors")]
        fit = ["--method", "minmax", "--fit", folder / "qrels.tsv.zst", "--queries", queries, "--json"]
        told = subprocess.run([ISOGLOSS, "fuse", *runs, *fit], check=True, capture_output=True)
        (out / "fit.json").write_bytes(told.stdout)


def by_lang(name, system):
    views = json.loads((ROOT / name / system / "result.json").read_text())["views"]
    return {lang: of["mean"]["nDCG@10"] for lang, of in views[0]["by_lang"].items()}


def table():
    rows = []
    for name in sets():
        fitted = json.loads((ROOT / name / "fit.json").read_text())
        alone = {system: by_lang(name, system) for system in ("words", "tokens", "union", "vectors")}
        lines = [
            [alone[system][lang] for system in alone] + [one["one"], fitted["weights"]["langs"][lang], one["held_out"]]
            for lang, one in fitted["langs"].items()
        ]
        if len(lines) > 1:
            lines.append([statistics.fmean(column) for column in zip(*lines)])
        for lang, line in zip([*fitted["langs"], "mean"], lines):
            *figures, weight, held_out = line
            cells = [f"{100 * figure:.1f}" for figure in figures]
            weight = "" if lang == "mean" else f"{weight:.2f}"
            rows.append(
                [
                    name,
                    lang,
                    *cells[:-1],
                    f"{cells[-1]} ({fitted['weights']['all']:.2f})",
                    f"{100 * held_out:.1f}",
                    weight,
                ]
            )
    head = [
        "set",
        "lang",
        "words",
        "tokens",
        "words + tokens",
        "vectors",
        "words and vectors, one weight",
        "own weight, held out",
        "its value",
    ]
    sheet("nDCG@10 in %", head, rows)


def main():
    if sys.argv[1:] == ["run"]:
        run()
    elif sys.argv[1:] == ["table"]:
        table()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
