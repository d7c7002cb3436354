"""Checks that Isogloss computes what its peers compute; prints PASS or FAIL with the figures and exits 1 after a FAIL.

    python check.py NTREX.tsv[.zst] [--model MODEL]... [--only NAME]... [--release target/release]

NTREX has the columns lang, idx and text. MODELs are folders that `isogloss train` wrote; two tiny ones are trained besides.
"""

import argparse
import itertools
import json
import random
import shutil
import tempfile
from pathlib import Path

import faiss
import numpy as np
import pytrec_eval
import torch
import transformers
from common import ROOT, add_release, isogloss, lines, minilm, write_texts
from sentence_transformers import SentenceTransformer
from transformers import AutoTokenizer, XLMRobertaConfig, XLMRobertaModel

LANGUAGES = ["arb", "deu", "eng", "fin", "hin", "jpn", "rus", "swa", "tha", "zho-CN"]
TOKENIZER = ROOT / "tests/golden/encoder/xlmr"
PARALLEL = ROOT / "data/train/parallel.tsv.zst"
RUN = """
out = "{out}"
seed = 5
[model.new]
tokenizer = "{tokenizer}"
{model}
[recipe]
name = "contrastive"
symmetric = true
[[data]]
path = "{data}"
format = "parallel"
limit = 2000
[batch]
rows = 32
[optimizer]
learning_rate = 1e-3
[schedule]
steps = 8
"""
NEW_MODELS = {
    "static": 'architecture = "static"\nhidden_size = 64',
    "transformer": 'architecture = "xlm_roberta"\nhidden_size = 64\nlayers = 2\nheads = 4\nmax_tokens = 128',
}


class Checks:
    def __init__(self, a, scratch):
        self.a, self.scratch, self.failed, self.folder = a, scratch, False, itertools.count()
        self.sentences = {language: [] for language in LANGUAGES}
        for line in lines(a.ntrex):
            language, _, text = line.rstrip("\r\n").split("\t")
            if language in self.sentences:
                self.sentences[language].append(text)
        missing = [language for language, texts in self.sentences.items() if not texts]
        assert not missing, f"no {missing} in {a.ntrex}"

    def tell(self, ok, text):
        self.failed |= not ok
        print("PASS" if ok else "FAIL", text, flush=True)

    def texts(self, start, per_language):
        """Sentences of all languages in turn."""
        return [self.sentences[language][i] for i in range(start, start + per_language) for language in LANGUAGES]

    def encode(self, model, texts, *options):
        out = self.scratch / f"vectors{next(self.folder)}"
        write_texts(self.scratch / "texts.jsonl", texts)
        isogloss(
            self.a.release, "encode", model, self.scratch / "texts.jsonl", "--out", out, "--format", "npy", *options
        )
        return np.load(out / "vectors.npy"), (out / "ids.txt").read_text().split()

    def cosine(self, name, model, texts, batch_size):
        ours, _ = self.encode(model, texts)
        theirs = SentenceTransformer(str(model), device="cpu").encode(texts, batch_size=batch_size)
        norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
        dots = (ours.astype(np.float64) * theirs).sum(1)
        # A text without tokens is the zero vector on both sides.
        empty = ~ours.any(1) & ~theirs.any(1)
        cosine = np.divide(dots, norms, out=empty.astype(np.float64), where=norms > 0)
        difference = np.abs(ours - theirs).max()
        text = f"{name}: {len(texts)} sentences, least cosine {cosine.min():.8f}, largest difference {difference:.2e}"
        self.tell(cosine.min() >= 0.99999, text)

    def minilm(self):
        self.cosine("all-MiniLM-L6-v2 and sentence-transformers", minilm(), self.texts(0, 100), 32)

    def xlmr(self):
        torch.manual_seed(3)
        folder = self.scratch / "xlmr"
        vocabulary = json.loads((TOKENIZER / "config.json").read_text())["vocab_size"]
        config = XLMRobertaConfig(
            vocab_size=vocabulary, hidden_size=768, num_hidden_layers=12, num_attention_heads=12,
            intermediate_size=3072, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5,
            pad_token_id=1, bos_token_id=0, eos_token_id=2,
        )
        model = XLMRobertaModel(config, add_pooling_layer=False).eval()
        model.save_pretrained(folder)
        for name in ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]:
            shutil.copy(TOKENIZER / name, folder)
        texts = self.texts(100, 3)
        texts += ["", "a", " ".join(texts)]
        ours, _ = self.encode(folder, texts, "--pooling", "mean", "--normalize", "false", "--max-tokens", 512)
        tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
        theirs = []
        with torch.inference_mode():
            for text in texts:
                batch = tokenizer([text], truncation=True, max_length=512, return_tensors="pt")
                theirs.append(model(**batch).last_hidden_state[0].mean(0).numpy())
        longest = batch["input_ids"].shape[1]
        error = np.linalg.norm(ours - np.array(theirs), axis=1) / np.linalg.norm(theirs, axis=1)
        text = f"XLM-R of base size and transformers: {len(texts)} texts of at most {longest} tokens"
        self.tell(error.max() <= 1e-5 and longest == 512, f"{text}, largest relative error {error.max():.2e}")

    def trained(self):
        tokenizer = self.scratch / "tokenizer"
        isogloss(
            self.a.release, "tokenizer", "train", PARALLEL, "--vocab-size", 4000, "--limit-sentences", 20000,
            "--out", tokenizer,
        )
        texts = self.texts(200, 30) + ["", "a"]
        for name, model in NEW_MODELS.items():
            run = self.scratch / f"{name}.toml"
            run.write_text(RUN.format(out=self.scratch / name, tokenizer=tokenizer, model=model, data=PARALLEL))
            isogloss(self.a.release, "train", run)
            self.cosine(f"a {name} model of `isogloss train`", self.scratch / name / "model", texts, 1)
        for model in self.a.model:
            self.cosine("the given model of `isogloss train`", model, texts, 1)

    def numpy(self):
        texts = self.texts(300, 100)
        vectors, ids = self.encode(minilm(), texts)
        right = vectors.shape == (len(texts), 384) and vectors.dtype == np.float32 and vectors.flags.c_contiguous
        right &= ids == [f"t{i}" for i in range(len(texts))]
        shuffled = random.Random(2).sample(range(len(texts)), 50)
        alone = np.concatenate([self.encode(minilm(), [texts[i]])[0] for i in shuffled[:3]])
        alone = np.concatenate([alone, self.encode(minilm(), [texts[i] for i in shuffled[3:]])[0]])
        difference = np.abs(alone - vectors[shuffled]).max()
        text = f"vectors.npy in NumPy: {vectors.dtype} {vectors.shape}, ids in order, "
        text += f"50 texts in another order differ by {difference:.2e}"
        self.tell(right and difference < 1e-6, text)

    def evaluate(self):
        rng = random.Random(4)
        qrels, run = {}, {}
        for q in range(300):
            docs = [f"d{i}" for i in rng.sample(range(1000), 150)]
            qrels[f"q{q}"] = {doc: rng.choice([0, 0, 1, 1, 2, 3]) for doc in rng.sample(docs, rng.randint(1, 40))}
            run[f"q{q}"] = {doc: rng.randint(0, 20) / 4 for doc in rng.sample(docs, rng.randint(1, 120))}
        files = {"qrels.txt": qrels, "run.txt": run}
        rows = {
            "qrels.txt": lambda q, d, i: f"{q} 0 {d} {qrels[q][d]}\n",
            "run.txt": lambda q, d, i: f"{q} Q0 {d} {i} {run[q][d]} x\n",
        }
        for name, table in files.items():
            with open(self.scratch / name, "w") as file:
                for q, docs in table.items():
                    file.writelines(rows[name](q, d, i) for i, d in enumerate(docs, 1))
        measures = {"nDCG@10": "ndcg_cut_10", "RR": "recip_rank", "R@10": "recall_10", "R@100": "recall_100", "AP": "map"}
        out, _, _ = isogloss(
            self.a.release, "evaluate", self.scratch / "qrels.txt", self.scratch / "run.txt", *measures, "--json",
            "--per-query", "--resamples", 0,
        )
        ours = json.loads(out)
        judge = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut", "recip_rank", "recall", "map"})
        theirs = judge.evaluate(run)
        worst = {
            name: max(
                [abs(ours["queries"][q][name] - values[key]) for q, values in theirs.items()]
                + [abs(ours["mean"][name] - np.mean([values[key] for values in theirs.values()]))]
            )
            for name, key in measures.items()
        }
        text = " ".join(f"{name} {difference:.1e}" for name, difference in worst.items())
        right = max(worst.values()) < 1e-6 and set(theirs) == set(ours["queries"])
        self.tell(right, f"evaluate and pytrec_eval: {len(theirs)} queries with ties, largest differences: {text}")

    def search(self):
        docs = self.texts(0, 500)
        queries = [self.sentences[language][i] for i in range(500, 550) for language in LANGUAGES]
        model, n, k = minilm(), self.scratch / "queries.jsonl", 10
        vectors, _ = self.encode(model, docs)
        store = self.scratch / "store"
        isogloss(self.a.release, "encode", model, self.scratch / "texts.jsonl", "--out", store)
        query_vectors, _ = self.encode(model, queries, "--side", "query")
        write_texts(n, queries)
        out, _, _ = isogloss(self.a.release, "search", "--model", model, "--corpus", store, "--queries", n, "--k", k)
        run = {}
        for line in out.splitlines():
            q, _, doc, _, score, _ = line.split()
            run.setdefault(q, []).append((int(doc[1:]), float(score)))
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        scores, found = index.search(query_vectors, k)
        same, ties, worst = 0, 0, 0.0
        for q in range(len(queries)):
            for (doc, score), other, other_score in zip(run[f"t{q}"], found[q], scores[q], strict=True):
                same += doc == other
                # Documents of equal score may change places.
                ties += doc != other and abs(score - other_score) < 1e-6
                worst = max(worst, abs(score - other_score))
        total = k * len(queries)
        text = f"search and faiss IndexFlatIP: {same} of {total} places alike, {ties} of equal score, "
        self.tell(same + ties == total and worst < 1e-5, f"{text}scores differ by at most {worst:.1e}")


def main():
    names = ["minilm", "xlmr", "trained", "numpy", "evaluate", "search"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ntrex", type=Path)
    parser.add_argument("--model", type=Path, action="append", default=[])
    parser.add_argument("--only", choices=names, action="append")
    add_release(parser)
    a = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as scratch:
        checks = Checks(a, Path(scratch))
        for name in a.only or names:
            getattr(checks, name)()
    raise SystemExit(checks.failed)


main()
