"""Forward passes and training steps of BERT encoders: Isogloss against PyTorch, each in a process of its own.

Alternates the two, in every precision that they have, in one run, and prints medians, ratios and peaks of memory. PyTorch's bf16 is a model of bf16
weights in a forward pass, autocast in training. Processor time is for one thread on a machine that others use too.
    python engine.py [--rounds 5] [--repetitions 5] [--only forward|train] [--threads 2] [--clock wall|processor] [--release target/release]
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

from common import add_release

# task, hidden size, heads, layers, sequences, tokens of each
SHAPES = [("forward", 384, 12, 12, 32, 128), ("forward", 768, 12, 12, 8, 128), ("train", 384, 12, 12, 64, 64)]
WARM_UP = 2
CLOCKS = ["wall", "processor"]


def torch_process(task, precision, threads, *sizes):
    """The peer's side: a line of stdin asks for a repetition, whose seconds it prints; at the end its peak memory."""
    import torch
    import torch.nn.functional as F
    from transformers import BertConfig, BertModel

    hidden, heads, layers, sequences, tokens = map(int, sizes)
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30522, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
        intermediate_size=4 * hidden, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        attn_implementation="sdpa",
    )
    model = BertModel(config, add_pooling_layer=False).train(task == "train")
    ids = torch.randint(0, 30_000, (sequences, tokens))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    target = torch.arange(sequences // 2)
    autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16")
    if precision == "bf16" and task == "forward":
        model.to(torch.bfloat16)

    def forward():
        with torch.inference_mode():
            model(ids)

    def train():
        with autocast:
            cls = model(ids).last_hidden_state[:, 0].float()
        x = F.normalize(cls, dim=-1)
        queries, passages = x[: sequences // 2], x[sequences // 2 :]
        loss = F.cross_entropy(queries @ passages.T * 20, target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    repeat = forward if task == "forward" else train
    for _ in range(WARM_UP):
        repeat()
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter(), time.process_time()
        repeat()
        print(time.perf_counter() - start[0], time.process_time() - start[1], flush=True)
    print(peak(open("/proc/self/status").read()), flush=True)


def peak(text):
    """MiB of the line VmHWM."""
    return next(int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmHWM"))


class Torch:
    def __init__(self, a, precision, task, sizes):
        self.clock = CLOCKS.index(a.clock)
        command = [sys.executable, __file__, "--torch", task, precision, str(a.threads), *sizes]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def seconds(self, repetitions):
        times = []
        for _ in range(repetitions):
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            times.append(float(self.process.stdout.readline().split()[self.clock]))
        return times

    def peak(self):
        return float(self.process.communicate()[0])


class Isogloss:
    def __init__(self, a, precision, task, sizes):
        self.command, self.precision, self.peaks = [a.release / "examples/engine_bench", task, *sizes], precision, []
        self.clock, self.environment = CLOCKS.index(a.clock), {**os.environ, "RAYON_NUM_THREADS": str(a.threads)}

    def seconds(self, repetitions):
        command = [*self.command, str(repetitions + WARM_UP), self.precision]
        out = subprocess.check_output(command, text=True, env=self.environment)
        self.peaks.append(peak(out))
        return [float(line.split()[1 + self.clock]) for line in out.splitlines()[WARM_UP:-1]]

    def peak(self):
        return max(self.peaks)


def compare(a, task, *sizes):
    ours = ["f32", "bf16", "int8"] if task == "forward" else ["f32", "bf16"]
    strings = list(map(str, sizes))
    sides = {f"isogloss {precision}": Isogloss(a, precision, task, strings) for precision in ours}
    sides |= {f"torch {precision}": Torch(a, precision, task, strings) for precision in ["f32", "bf16"]}
    times = {name: [] for name in sides}
    for _ in range(a.rounds):
        for name, side in sides.items():
            times[name] += side.seconds(a.repetitions)
    median = {name: statistics.median(t) for name, t in times.items()}
    hidden, _, layers, sequences, tokens = sizes
    print(f"\n{task}, {layers} layers x {hidden}, {sequences} x {tokens} tokens, {a.threads} threads, {a.clock} time")
    print(f"{'':13} {'median s':>9} {'least s':>9} {'tokens/s':>9} {'to f32':>7} {'to bf16':>7} {'peak MiB':>9}   (speed to torch's)")
    for name, s in median.items():
        speed, ratios = sequences * tokens / s, [f"{median[f'torch {p}'] / s:6.2f}x" for p in ["f32", "bf16"]]
        print(f"{name:13} {s:9.4f} {min(times[name]):9.4f} {speed:9.0f} {' '.join(ratios)} {sides[name].peak():9.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--only", choices=["forward", "train"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    add_release(parser)
    a = parser.parse_args()
    for task, *sizes in SHAPES:
        if a.only in (None, task):
            compare(a, task, *sizes)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--torch"]:
        torch_process(*sys.argv[2:])
    else:
        main()
