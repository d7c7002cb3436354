"""Encoding multilingual passages with all-MiniLM-L6-v2: Isogloss in f32, bf16 and int8 against sentence-transformers in f32 and bf16 and ONNX Runtime in f32 and
int8 (dynamic quantisation, by channel).

The passages, drawn evenly over the languages of the corpora, are dealt into as many parts as rounds; every round encodes
one part with each of them, with two threads. Isogloss is timed as a whole process, the peers without their start.
    python encode.py CORPUS.jsonl[.zst]... [--passages 20000] [--rounds 10] [--threads 2] [--release target/release]
"""

import argparse
import json
import random
import statistics
import tempfile
import time
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import transformers
from common import add_release, isogloss, lines, minilm, write_texts
from onnxruntime.quantization import quantize_dynamic
from onnxruntime.transformers import optimizer
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from transformers import AutoModel

MAX_TOKENS, BATCH = 256, 32


def sample(paths, n):
    """n passages in random order, from every language as nearly equally many as it has."""
    by_language = defaultdict(list)
    for path in paths:
        for line in lines(path):
            row = json.loads(line)
            text = " ".join(f"{row.get('title') or ''} {row['text']}".split())
            by_language[row.get("lang", "")].append(text)
    rng = random.Random(1)
    chosen, counts = [], {}
    rest = sorted(by_language.items(), key=lambda item: (len(item[1]), item[0]))
    for i, (language, texts) in enumerate(rest):
        share = min(len(texts), (n - len(chosen)) // (len(rest) - i))
        chosen += rng.sample(texts, share)
        counts[language] = share
    rng.shuffle(chosen)
    print("passages:", " ".join(f"{language} {count}" for language, count in counts.items()))
    return chosen


class Onnx:
    """ONNX Runtime as one would use it: exported once, fused by its optimiser for BERT, batches sorted by length."""

    def __init__(self, folder, scratch, threads):
        model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

        class Hidden(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model = model

            def forward(self, ids, mask):
                return self.model(input_ids=ids, attention_mask=mask).last_hidden_state

        ids, axes = torch.ones(2, 16, dtype=torch.long), {0: "batch", 1: "length"}
        exported, fused = scratch / "model.onnx", scratch / "fused.onnx"
        torch.onnx.export(
            Hidden(), (ids, ids), str(exported), input_names=["ids", "mask"], output_names=["hidden"],
            dynamic_axes={"ids": axes, "mask": axes, "hidden": axes}, dynamo=False,
        )
        config = model.config
        graph = optimizer.optimize_model(
            str(exported), model_type="bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size
        )
        graph.save_model_to_file(str(fused))
        print("fused:", {name: count for name, count in graph.get_fused_operator_statistics().items() if count})
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        paths = {"onnxruntime": exported, "onnxruntime fused": fused}
        for name, path in list(paths.items()):
            paths[f"{name} int8"] = scratch / f"{path.stem}.int8.onnx"
            # Nodes that the optimiser fused are of a domain whose types are not inferred.
            types = {"DefaultTensorType": onnx.TensorProto.FLOAT}
            quantize_dynamic(path, paths[f"{name} int8"], per_channel=True, extra_options=types)
        self.sessions = {}
        for name, path in paths.items():
            self.sessions[name] = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        self.tokenizer = tokenizer(folder)

    def encode(self, name, texts):
        encodings = self.tokenizer.encode_batch(texts)
        order = sorted(range(len(texts)), key=lambda i: -len(encodings[i].ids))
        out = None
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            length = max(len(encodings[i].ids) for i in rows)
            ids = np.zeros((len(rows), length), np.int64)
            mask = np.zeros_like(ids)
            for r, i in enumerate(rows):
                ids[r, : len(encodings[i].ids)] = encodings[i].ids
                mask[r, : len(encodings[i].ids)] = 1
            hidden = self.sessions[name].run(None, {"ids": ids, "mask": mask})[0]
            mean = np.einsum("blh,bl->bh", hidden, mask.astype(np.float32)) / mask.sum(1, keepdims=True)
            out = np.empty((len(texts), mean.shape[1]), np.float32) if out is None else out
            out[rows] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return out


def tokenizer(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", type=Path)
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    add_release(parser)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    folder = minilm()
    texts = sample(a.corpora, a.passages)
    lengths = [len(e.ids) for e in tokenizer(folder).encode_batch(texts)]
    deciles = " ".join(str(round(q)) for q in statistics.quantiles(lengths, n=10))
    print(f"{len(texts)} passages, {sum(lengths)} tokens, deciles {deciles}, cut at {MAX_TOKENS}", flush=True)
    reference = SentenceTransformer(str(folder), device="cpu")
    narrow = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.bfloat16})
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        exported = Onnx(folder, scratch, a.threads)

        def ours(precision):
            def run(part):
                write_texts(scratch / "passages.jsonl", part)
                target = Path(tempfile.mkdtemp(dir=scratch)) / "vectors"
                _, s, _ = isogloss(
                    a.release, "encode", folder, scratch / "passages.jsonl", "--out", target, "--format", "npy",
                    "--threads", a.threads, "--precision", precision,
                )
                return s, np.load(target / "vectors.npy")

            return run

        def timed(encode):
            def run(part):
                start = time.perf_counter()
                vectors = encode(part)
                return time.perf_counter() - start, vectors

            return run

        sides = {f"isogloss {precision}": ours(precision) for precision in ["f32", "bf16", "int8"]}
        sides["sentence-transformers"] = timed(lambda t: reference.encode(t, batch_size=BATCH))
        sides["sentence-transformers bf16"] = timed(lambda t: narrow.encode(t, batch_size=BATCH).astype(np.float32))
        for name in exported.sessions:
            sides[name] = timed(lambda t, name=name: exported.encode(name, t))
        seconds = {name: [] for name in sides}
        for name, encode in sides.items():
            if not name.startswith("isogloss"):
                encode(texts[:BATCH])
        agreement = {name: 1.0 for name in sides}
        for r in range(a.rounds):
            part = texts[r :: a.rounds]
            for name, encode in sides.items():
                s, vectors = encode(part)
                seconds[name].append(s)
                first = vectors if name == "isogloss f32" else first
                agreement[name] = min(agreement[name], float((first * vectors).sum(1).min()))
            print("round", r + 1, *(f"{name} {times[-1]:.2f} s" for name, times in seconds.items()), sep="  ", flush=True)
    print(f"{'':26} {'seconds':>8} {'tokens/s':>9} {'cosine':>9}   of isogloss f32, bf16, int8 the speed to it: of all, median of the rounds")
    for name, times in seconds.items():
        speeds = []
        for other in list(seconds.values())[:3]:
            ratios = statistics.median(t / s for t, s in zip(times, other, strict=True))
            speeds.append(f"{sum(times) / sum(other):6.2f}x {ratios:5.2f}x")
        print(f"{name:26} {sum(times):8.1f} {sum(lengths) / sum(times):9.0f} {agreement[name]:9.6f}   {'  '.join(speeds)}")


main()
