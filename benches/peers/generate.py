"""Generation by an encoder–decoder of mT5's architecture: Isogloss against transformers, both f32, on the same folder and texts.

The model is a folder given, or a new one of the given sizes with random weights, whose texts end at --new tokens at the latest; a random
model rarely ends earlier, so both sides take about as many steps. Every round has the two in turn, with two threads; both are timed without
their start (Isogloss by the difference to a run of one text). Of greedy search the texts of both are compared.
    python generate.py CORPUS.jsonl[.zst] --tokenizer FOLDER [--model FOLDER] [--texts 128] [--rounds 3] [--batch 32] [--beams 4] [--release target/release]
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import torch
import transformers
from common import add_release, isogloss, lines, write_texts
from tokenizers import Tokenizer
from transformers import MT5Config, MT5ForConditionalGeneration

THREADS = 2


def fresh(a, folder):
    """A random model of the given sizes over the given tokenizer; large logits make its choices as clear as a trained model's."""
    tokenizer = Tokenizer.from_file(str(a.tokenizer / "tokenizer.json"))
    pad, end = tokenizer.token_to_id("<pad>"), tokenizer.token_to_id("</s>")
    config = MT5Config(
        vocab_size=tokenizer.get_vocab_size(), d_model=a.width, d_kv=64, d_ff=2 * a.width, num_layers=a.layers,
        num_decoder_layers=a.layers, num_heads=a.width // 64, pad_token_id=pad, eos_token_id=end,
        decoder_start_token_id=pad,
    )
    torch.manual_seed(1)
    MT5ForConditionalGeneration(config).save_pretrained(folder)
    for name in ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]:
        if (a.tokenizer / name).exists():
            shutil.copy(a.tokenizer / name, folder / name)


class Reference:
    """transformers as one would use it: batches of like length, padded, with its cache."""

    def __init__(self, folder, a):
        self.model = MT5ForConditionalGeneration.from_pretrained(folder).eval()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(a.tokens)
        self.batch, self.new = a.batch, a.new

    def generate(self, texts, beams):
        encoded = [e.ids for e in self.tokenizer.encode_batch(texts)]
        order = sorted(range(len(texts)), key=lambda i: -len(encoded[i]))
        made, pad = [None] * len(texts), self.model.config.pad_token_id
        for start in range(0, len(order), self.batch):
            rows = order[start : start + self.batch]
            length = max(len(encoded[i]) for i in rows)
            ids = torch.full((len(rows), length), pad)
            mask = torch.zeros_like(ids)
            for r, i in enumerate(rows):
                ids[r, : len(encoded[i])] = torch.tensor(encoded[i])
                mask[r, : len(encoded[i])] = 1
            with torch.inference_mode():
                out = self.model.generate(
                    input_ids=ids, attention_mask=mask, max_new_tokens=self.new, num_beams=beams, do_sample=False
                )
            for i, row in zip(rows, out.tolist(), strict=True):
                made[i] = self.tokenizer.decode(row[1:])
        return made


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--tokenizer", type=Path, help="folder of the tokenizer of a random model")
    parser.add_argument("--model", type=Path, help="model folder, in place of a random model")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--texts", type=int, default=128)
    parser.add_argument("--tokens", type=int, default=256, help="where texts are cut")
    parser.add_argument("--new", type=int, default=32, help="tokens generated at most")
    parser.add_argument("--batch", type=int, default=32, help="texts that transformers continues at once")
    parser.add_argument("--beams", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    add_release(parser)
    a = parser.parse_args()
    if (a.model is None) == (a.tokenizer is None):
        parser.error("give --model or --tokenizer")
    torch.set_num_threads(THREADS)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    texts = []
    for line in lines(a.corpus):
        row = json.loads(line)
        texts.append(" ".join(f"{row.get('title') or ''} {row['text']}".split()))
        if len(texts) == a.texts:
            break
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        folder = a.model or scratch / "model"
        if a.model is None:
            fresh(a, folder)
        reference = Reference(folder, a)
        elements = sum(p.numel() for p in reference.model.parameters())
        print(f"{len(texts)} texts, {elements / 1e6:.1f} M weights, at most {a.new} tokens, {a.beams} beams", flush=True)
        beams = ["--beams", a.beams] if a.beams > 1 else []

        def ours(part):
            write_texts(scratch / "texts.jsonl", part)
            target = scratch / "made.jsonl"
            _, seconds, _ = isogloss(
                a.release, "generate", "--model", folder, "--input", scratch / "texts.jsonl", "--out", target,
                "--max-tokens", a.tokens, "--max-new-tokens", a.new, "--threads", THREADS, "--prompt", "", *beams,
            )
            return seconds, [json.loads(line)["text"] for line in lines(target)]

        def theirs(part):
            start = time.perf_counter()
            return reference.generate(part, a.beams), time.perf_counter() - start

        theirs(texts[:1])
        seconds = {"isogloss": [], "transformers": []}
        for r in range(a.rounds):
            whole, first = ours(texts)
            start, _ = ours(texts[:1])
            second, s = theirs(texts)
            seconds["isogloss"].append(whole - start)
            seconds["transformers"].append(s)
            equal = sum(x.split() == y.split() for x, y in zip(first, second, strict=True))
            print(
                f"round {r + 1}  isogloss {whole - start:.2f} s ({whole:.2f} s with its start)  transformers {s:.2f} s  "
                f"equal texts {equal} of {len(texts)}", flush=True,
            )
    ratios = [t / o for o, t in zip(seconds["isogloss"], seconds["transformers"], strict=True)]
    print(f"transformers / isogloss: {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
