#!/usr/bin/env python3
"""Data of the experiments on the methods, from the development data at runs/data/dev: python3 runs/evidence/prepare.py, from the root of the repository.

Writes under runs/out/evidence/data: text (one a line, for the tokenizer), pairs with English of the languages that have them and samples of these, labelled AfriQA
rows for CLEAR, and the languages of Tatoeba and of XQuAD-R's merged pool that are asked about. Needs zstd on the path.
"""

import io
import json
import random
import subprocess
from pathlib import Path

DEV, OUT = Path("runs/data/dev"), Path("runs/out/evidence/data")
LANGS = "en ar bn mr vi uk el ja fr es de ru sw ha rw zu".split()
PAIRED = "bn de el es fr ja ru".split()  # ar, mr, uk and vi have no pairs
POOL = "ar de en es".split()  # of XQuAD-R's languages; the backbone has not seen Chinese
TATOEBA = dict(ara="ar", ben="bn", deu="de", fra="fr", jpn="ja", mar="mr", rus="ru", spa="es", ukr="uk", vie="vi")
NTREX = {"eng": "en", "hau": "ha", "kin": "rw", "zul": "zu"}  # of AfriQA's languages, those that the backbone has seen


def lines(path):
    return io.TextIOWrapper(
        subprocess.Popen(["zstd", "-dc", DEV / path], stdout=subprocess.PIPE).stdout, encoding="utf-8", newline="\n"
    )


def records(path):
    return (json.loads(line) for line in lines(path))


def text():
    """Every text of the languages, a line each."""
    for name in ["wikipedia_extracts", "eltec_novels", "commonvoice_sentences_cc0"]:
        for row in records(f"train/docs/{name}.jsonl.zst"):
            if row["lang"] in LANGS:
                yield from ([row["text"]] if "text" in row else (paragraph for _, paragraph in row["paras"]))
    for name in ["tico19", "african_storybook_ccby"]:
        for row in records(f"train/parallel/{name}.jsonl.zst"):
            yield from (row["text"][lang] for lang in LANGS if lang in row["text"])


def paragraphs():
    """Paragraphs of the languages that have documents, at most 400 each, for calibration."""
    rows = {}
    for name in ["wikipedia_extracts", "eltec_novels"]:
        for row in records(f"train/docs/{name}.jsonl.zst"):
            if row["lang"] in LANGS:
                rows.setdefault(row["lang"], []).extend(
                    " ".join(paragraph.split()) + "\n" for _, paragraph in row["paras"]
                )
    return {lang: random.Random(1).sample(of, min(len(of), 400)) for lang, of in rows.items() if len(of) >= 500}


def pairs():
    """Distinct pairs of English and a paired language, shuffled."""
    rows = set()
    for line in lines("train/parallel/tatoeba_challenge_pairs.tsv.zst"):
        a, b, source, target = line.rstrip("\n").split("\t")
        if a in PAIRED and b == "en":
            rows.add(("en", a, target, source))
        elif b in PAIRED and a == "en":
            rows.add(("en", b, source, target))
    return random.Random(1).sample(sorted(rows), len(rows))


def write(name, rows):
    with open(OUT / name, "w", encoding="utf-8") as file:
        file.writelines(rows)
    print(f"{name}: {len(rows):,}")


def afriqa():
    """CLEAR's rows: the English question, its English passage, the question as it was asked."""
    base = "train/qa/afriqa_train"
    queries = {row["_id"]: row for row in records(f"{base}/queries.jsonl.zst")}
    corpus = {row["_id"]: row for row in records(f"{base}/corpus.jsonl.zst")}
    for line in list(lines(f"{base}/qrels.tsv.zst"))[1:]:
        query, doc, _ = line.split("\t")
        asked, english = queries[query], queries.get(query.rsplit("-", 1)[0] + "-en")
        passage = corpus[doc]
        if asked["lang"] not in ("en", "fr") and english and passage["lang"] == "en":
            positive = f"{passage['title']} {passage['text']}".strip()
            yield {
                "anchor": english["text"],
                "positive": positive,
                "cross_anchor": asked["text"],
                "lang": "en",
                "cross_lang": asked["lang"],
            }


def questions():
    """The same rows for InfoNCE: each question, the English one and the other, with the passage."""
    for row in afriqa():
        yield {"anchor": row["anchor"], "positive": row["positive"], "lang": "en"}
        yield {"anchor": row["cross_anchor"], "positive": row["positive"], "lang": row["cross_lang"]}


def bitext(name, langs):
    """The languages of a table whose first column is one, under the codes of the training data."""
    head, *rest = lines(f"eval/bitext/{name}.tsv.zst")
    split = (line.split("\t", 1) for line in rest)
    return [head, *(f"{langs[lang]}\t{rest}" for lang, rest in split if lang in langs)]


def pool():
    """XQuAD-R of the languages of the pool, in BEIR's layout."""
    base, out = "eval/retrieval/xquad_r_dev16.paragraph", "xquad_r"
    (OUT / out).mkdir(exist_ok=True)
    kept = set()
    for name in ["corpus", "queries"]:
        rows = [row for row in records(f"{base}/{name}.jsonl.zst") if row["lang"] in POOL]
        kept |= {row["_id"] for row in rows}
        write(f"{out}/{name}.jsonl", [json.dumps(row, ensure_ascii=False) + "\n" for row in rows])
    head, *rest = lines(f"{base}/qrels.tsv.zst")
    write(f"{out}/qrels.tsv", [head, *(row for row in rest if set(row.split("\t")[:2]) <= kept)])


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    write("text.txt", [" ".join(line.split()) + "\n" for line in text()])
    for lang, rows in paragraphs().items():
        write(f"text.{lang}.txt", rows)
    header, rows = "src_lang\ttgt_lang\tsrc\ttgt\n", ["\t".join(row) + "\n" for row in pairs()]
    for name, count in [("pairs.tsv", len(rows)), ("pairs_10k.tsv", 10_000), ("pairs_1k.tsv", 1_000)]:
        write(name, [header, *rows[:count]])
    write("clear.jsonl", [json.dumps(row, ensure_ascii=False) + "\n" for row in afriqa()])
    write("infonce.jsonl", [json.dumps(row, ensure_ascii=False) + "\n" for row in questions()])
    write("tatoeba.tsv", bitext("tatoeba_dev36", TATOEBA))
    write("ntrex.tsv", bitext("ntrex128", NTREX))
    pool()


if __name__ == "__main__":
    main()
