//! Seeded damage to bytes, shared by the tests of every crate's parsers (`#[path]` brings it in).
#![allow(dead_code)] // every test uses its part

/// Pieces of syntax that parsers trip over.
const PIECES: &[&[u8]] = &[
    b"\n",
    b"\r",
    b"\t",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"null",
    b"1e999",
    b"-1",
    b"nan",
    b"\\ud800",
    b" ",
    b"id",
    b"text",
    b"99999999999999999999",
    "\u{2028}".as_bytes(),
    "é".as_bytes(),
];

/// How often more than usual: `ISOGLOSS_MUTATIONS`, 1 if not set.
pub fn times() -> usize {
    std::env::var("ISOGLOSS_MUTATIONS").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// Puts a file in place of another. It is a new one: some file systems put one that is truncated on the disk at once.
pub fn replace(path: &std::path::Path, bytes: &[u8]) {
    let _ = std::fs::remove_file(path);
    std::fs::write(path, bytes).unwrap();
}

pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % n.max(1)
    }

    /// One change of text; `others` are files whose ends may be joined to it.
    pub fn mutate(&mut self, bytes: &mut Vec<u8>, others: &[&str]) {
        let at = self.below(bytes.len());
        match self.below(if others.is_empty() { 5 } else { 6 }) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..(at + 1 + self.below(4)).min(bytes.len()))),
            2 => drop(bytes.splice(at..at, PIECES[self.below(PIECES.len())].iter().copied())),
            3 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
            3 | 4 => {
                let end = (at + self.below(40)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = self.below(bytes.len());
                drop(bytes.splice(to..to, copy));
            }
            _ => {
                let other = others[self.below(others.len())].as_bytes();
                let from = self.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }

    /// One change of a file of numbers in `from..to`: a bit, or a word of 1, 4 or 8 bytes that is small, large or another's.
    pub fn mutate_numbers(&mut self, bytes: &mut [u8], from: usize, to: usize) {
        if from >= to {
            return;
        }
        let at = from + self.below(to - from);
        let width = [1, 4, 8][self.below(3)];
        let start = (at / width * width).max(from);
        let end = (start + width).min(to);
        match self.below(5) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => bytes[start..end].fill(0xff),
            2 => bytes[start..end].fill(0),
            3 => bytes[start] = bytes[start].wrapping_add(1),
            _ => {
                let other = from + self.below(to - from);
                bytes.copy_within(other..(other + end - start).min(to), start);
            }
        }
    }
}
