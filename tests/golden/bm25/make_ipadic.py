"""Cuts MeCab's IPADIC down to the words that occur in analyzers/ja.jsonl.zst, in the same format: files of ipadic/.

IPADIC is Debian's mecab-ipadic, compiled by `mecab-dict-index -f euc-jp -t utf8 -d /usr/share/mecab/dic/ipadic -o DIR`.
    pip install zstandard && python make_ipadic.py DIR COPYING
"""

import io
import json
import struct
import sys
import unicodedata
from pathlib import Path

import zstandard

HERE = Path(__file__).parent
FROM, COPYING = map(Path, sys.argv[1:])


def texts():
    packed = open(HERE / "analyzers/ja.jsonl.zst", "rb")
    with io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(packed), encoding="utf-8", newline="\n") as file:
        for line in file:
            text = json.loads(line)["text"]
            # Both as it is and with the usual width, whatever the analyzer folds.
            yield from {text, unicodedata.normalize("NFKC", text), unicodedata.normalize("NFC", text)}


class Lexicon:
    """The parts of a compiled dictionary, and its keys by a walk over the double array."""

    def __init__(self, path):
        data = path.read_bytes()
        self.head = data[:72]
        array, words, _ = struct.unpack_from("<3I", data, 24)
        self.array = struct.unpack_from(f"<{array // 4}i", data, 72)
        self.words, self.features = data[72 + array : 72 + array + words], data[72 + array + words :]

    def prefixes(self, text):
        """Every (key, value) that begins `text`."""
        base = self.array[0]
        for end in range(len(text) + 1):
            if 0 <= 2 * base + 1 < len(self.array) and self.array[2 * base + 1] == base and self.array[2 * base] < 0:
                yield text[:end], -self.array[2 * base] - 1
            if end == len(text):
                return
            child = base + text[end] + 1
            if 2 * child + 1 >= len(self.array) or self.array[2 * child + 1] != base:
                return
            base = self.array[2 * child]

    def word(self, number):
        left, right, tag, cost, feature, other = struct.unpack_from("<HHHhII", self.words, 16 * number)
        end = self.features.index(b"\0", feature)
        return (left, right, tag, cost, other), self.features[feature : end + 1]


def double_array(keys):
    """Packs sorted (key, value) pairs: for each node its base and the base of its parent."""
    trie = {}
    for key, value in keys:
        node = trie
        for byte in key:
            node = node.setdefault(byte + 1, {})
        node[0] = value
    units, used, free = {0: [0, 0]}, set(), 1
    queue = [(trie, 0)]
    for node, at in queue:
        while free in units:
            free += 1
        base = max(1, free - min(node))
        while base in used or any(base + child in units for child in node):
            base += 1
        used.add(base)
        units[at][0] = base
        for child, below in node.items():
            units[base + child] = [-below - 1 if child == 0 else 0, base]
            if child:
                queue.append((below, base + child))
    size = max(units) + 257
    return b"".join(struct.pack("<iI", *units.get(at, (0, 0))) for at in range(size))


def main():
    known = Lexicon(FROM / "sys.dic")
    keys = {}
    for text in texts():
        data = text.encode()
        for start in range(len(data)):
            keys.update(known.prefixes(data[start:]))
    words, features, values, places = b"", b"", [], {}
    sides = {0}
    for key in sorted(keys):
        first, n = keys[key] >> 8, keys[key] & 0xFF
        values.append((key, len(words) // 16 << 8 | n))
        for number in range(first, first + n):
            (left, right, tag, cost, other), feature = known.word(number)
            sides |= {left, right}
            if feature not in places:
                places[feature] = len(features)
                features += feature
            words += struct.pack("<HHHhII", left, right, tag, cost, places[feature], other)
    array = double_array(values)
    head = bytearray(known.head)
    size = 72 + len(array) + len(words) + len(features)
    struct.pack_into("<I", head, 0, size ^ 0xEF718F77)
    struct.pack_into("<I", head, 12, len(words) // 16)
    struct.pack_into("<3I", head, 24, len(array), len(words), len(features))
    unknown = Lexicon(FROM / "unk.dic")
    for number in range(len(unknown.words) // 16):
        sides |= set(unknown.word(number)[0][:2])
    matrix = bytearray((FROM / "matrix.bin").read_bytes())
    rights, lefts = struct.unpack_from("<2H", matrix)
    for at in range(rights * lefts):
        if at % rights not in sides or at // rights not in sides:
            struct.pack_into("<h", matrix, 4 + 2 * at, 0)
    files = {"sys.dic": bytes(head) + array + words + features, "matrix.bin": bytes(matrix)}
    files |= {name: (FROM / name).read_bytes() for name in ("unk.dic", "char.bin")}
    for name, data in files.items():
        (HERE / "ipadic" / f"{name}.zst").write_bytes(zstandard.ZstdCompressor(level=19).compress(data))
    (HERE / "ipadic/COPYING").write_bytes(COPYING.read_bytes())
    print(len(keys), "keys,", len(words) // 16, "words")


if __name__ == "__main__":
    main()
