//! A dictionary as `mecab-dict-index` compiles it, memory-mapped: words, unknown words, costs of neighbours, characters.
//!
//! `sys.dic` and `unk.dic` (little-endian): a head of 72 bytes, whose fields of 32 bits at 24, 28 and 32 are the bytes of
//! the three parts; a double array over UTF-8; 16 bytes for each word (left and right class, part of speech, cost: 16 bits;
//! where its features begin: 32 bits; 4 unused); features, each ended by 0.

use crate::error::{Error, Result};
use memmap2::Mmap;
use std::fs::File;
use std::path::{Path, PathBuf};

const HEAD: usize = 72;
const WORD_BYTES: usize = 16;

/// A word by its number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word {
    Known(u32),
    Unknown(u32),
}

/// What a word costs, and the classes of its two sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Costs {
    pub(super) left: u16,
    pub(super) right: u16,
    pub(super) cost: i16,
}

/// The four files.
pub(super) struct Dictionary {
    known: Lexicon,
    unknown: Lexicon,
    matrix: Matrix,
    characters: Characters,
}

impl Dictionary {
    /// Opens a folder and checks that all its parts agree.
    ///
    /// # Errors
    /// A file is missing, cut short, in another encoding or damaged.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let (known, unknown) = (Lexicon::open(folder.join("sys.dic"))?, Lexicon::open(folder.join("unk.dic"))?);
        let matrix = Matrix::open(folder.join("matrix.bin"))?;
        let characters = Characters::open(folder.join("char.bin"), &unknown)?;
        for lexicon in [&known, &unknown] {
            lexicon.check(&matrix)?;
        }
        Ok(Self { known, unknown, matrix, characters })
    }

    /// Gives every word that `text` (UTF-8) begins with, and its bytes.
    pub(super) fn each_known(&self, text: &[u8], mut found: impl FnMut(Word, usize)) {
        self.known.prefixes(text, |words, bytes| words.for_each(|id| found(Word::Known(id), bytes)));
    }

    /// What is known of a character by its UTF-16 unit.
    pub(super) fn character(&self, unit: u16) -> Character {
        self.characters.of(unit)
    }

    /// The words that an unknown one of this class may be.
    pub(super) fn unknown(&self, class: u8) -> impl Iterator<Item = Word> {
        self.characters.words[usize::from(class)].clone().map(Word::Unknown)
    }

    pub(super) fn costs(&self, word: Word) -> Costs {
        match word {
            Word::Known(id) => self.known.costs(id),
            Word::Unknown(id) => self.unknown.costs(id),
        }
    }

    /// What it costs that a word of the class `left` follows one of `right`; 0 is the beginning and the end.
    pub(super) fn joined(&self, right: u16, left: u16) -> i32 {
        self.matrix.cost(right, left)
    }

    /// Part of speech in four fields, conjugation in two, the form listed, then others; apart by commas.
    pub(super) fn features(&self, word: Word) -> &str {
        match word {
            Word::Known(id) => self.known.features(id),
            Word::Unknown(id) => self.unknown.features(id),
        }
    }
}

fn map(path: &Path) -> Result<Mmap> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    // SAFETY: the map is read-only and a compiled dictionary is not written again; what is read from it is checked where it
    // is used as a place.
    unsafe { Mmap::map(&file) }.map_err(Error::io("map", path))
}

fn damaged(path: &Path, problem: &'static str) -> Error {
    Error::Dictionary { path: path.to_owned(), problem }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Words with their features.
struct Lexicon {
    map: Mmap,
    path: PathBuf,
    /// Where words and features begin.
    words: usize,
    features: usize,
}

impl Lexicon {
    fn open(path: PathBuf) -> Result<Self> {
        let map = map(&path)?;
        if map.len() < HEAD {
            return Err(damaged(&path, "is too short"));
        }
        let [array, words, features] = [24, 28, 32].map(|at| u32_at(&map, at) as usize);
        if HEAD + array + words + features != map.len() || array % 8 + words % WORD_BYTES != 0 {
            return Err(damaged(&path, "is no compiled dictionary, or cut short"));
        }
        let encoding = map[40..HEAD].split(|byte| *byte == 0).next().unwrap_or_default();
        if !["utf8", "utf-8"].iter().any(|name| encoding.eq_ignore_ascii_case(name.as_bytes())) {
            return Err(damaged(&path, "is not in UTF-8"));
        }
        Ok(Self { path, words: HEAD + array, features: HEAD + array + words, map })
    }

    fn len(&self) -> u32 {
        ((self.features - self.words) / WORD_BYTES) as u32
    }

    /// Whether the words' classes have costs, and their features a place.
    fn check(&self, matrix: &Matrix) -> Result<()> {
        let fits = |id| {
            let costs = self.costs(id);
            let place = u32_at(&self.map, self.word(id) + 8) as usize;
            costs.right < matrix.rights && costs.left < matrix.lefts && self.features + place < self.map.len()
        };
        match (0..self.len()).all(fits) {
            true => Ok(()),
            false => Err(damaged(&self.path, "does not agree with matrix.bin")),
        }
    }

    fn word(&self, id: u32) -> usize {
        self.words + id as usize * WORD_BYTES
    }

    fn costs(&self, id: u32) -> Costs {
        let [left, right, cost] = [0, 2, 6].map(|at| u16_at(&self.map, self.word(id) + at));
        Costs { left, right, cost: cost as i16 }
    }

    fn features(&self, id: u32) -> &str {
        let from = &self.map[self.features + u32_at(&self.map, self.word(id) + 8) as usize..];
        let text = from.split(|byte| *byte == 0).next().unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// The unit of the double array: where its children are, or the complement of its value; and whose child it is.
    fn unit(&self, at: u32) -> Option<(i32, u32)> {
        let place = HEAD + 8 * at as usize;
        (place + 8 <= self.words).then(|| (u32_at(&self.map, place) as i32, u32_at(&self.map, place + 4)))
    }

    /// Walks down the double array and gives the words that end on the way, with their bytes.
    fn prefixes(&self, text: &[u8], mut found: impl FnMut(std::ops::Range<u32>, usize)) {
        let Some((root, _)) = self.unit(0) else { return };
        let mut base = root as u32;
        for (bytes, next) in text.iter().map(Some).chain([None]).enumerate() {
            if let Some((value, parent)) = self.unit(base)
                && parent == base
                && value < 0
                && bytes > 0
            {
                let value = (-i64::from(value) - 1) as u32;
                let (first, n) = (value >> 8, value & 0xff);
                if first + n <= self.len() {
                    found(first..first + n, bytes);
                }
            }
            let child = next.and_then(|byte| base.checked_add(u32::from(*byte) + 1));
            match child.and_then(|child| self.unit(child)) {
                Some((children, parent)) if parent == base => base = children as u32,
                _ => return,
            }
        }
    }

    fn exactly(&self, text: &str) -> std::ops::Range<u32> {
        let mut words = 0..0;
        self.prefixes(text.as_bytes(), |found, bytes| {
            if bytes == text.len() {
                words = found;
            }
        });
        words
    }
}

/// Costs of neighbours: two numbers of 16 bits, how many right and left classes there are, then a cost for each pair.
struct Matrix {
    map: Mmap,
    rights: u16,
    lefts: u16,
}

impl Matrix {
    fn open(path: PathBuf) -> Result<Self> {
        let map = map(&path)?;
        let (rights, lefts) = if map.len() < 4 { (0, 0) } else { (u16_at(&map, 0), u16_at(&map, 2)) };
        match rights > 0 && lefts > 0 && map.len() == 4 + 2 * usize::from(rights) * usize::from(lefts) {
            true => Ok(Self { map, rights, lefts }),
            false => Err(damaged(&path, "is no matrix of costs, or cut short")),
        }
    }

    fn cost(&self, right: u16, left: u16) -> i32 {
        let at = usize::from(right) + usize::from(self.rights) * usize::from(left);
        i32::from(u16_at(&self.map, 4 + 2 * at) as i16)
    }
}

/// How a character makes words that the dictionary does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Character {
    /// Its class.
    pub(super) class: u8,
    /// Whether neighbours of one class make one word.
    pub(super) groups: bool,
    /// Whether it makes unknown words where known ones are found.
    pub(super) always: bool,
    /// Whether it is written in Chinese characters.
    pub(super) kanji: bool,
}

/// `char.bin`: the number of classes, their names in 32 bytes each, and 32 bits for every unit but the last.
struct Characters {
    classes: Vec<Character>,
    of: Vec<u8>,
    /// Unknown words by class.
    words: Vec<std::ops::Range<u32>>,
}

const NAME: usize = 32;
const UNITS: usize = 0xffff;
/// The middle dot between words of katakana, which Lucene counts among the symbols.
const MIDDLE_DOT: usize = 0x30fb;

impl Characters {
    fn open(path: PathBuf, unknown: &Lexicon) -> Result<Self> {
        let map = map(&path)?;
        let n = if map.len() < 4 { 0 } else { u32_at(&map, 0) as usize };
        if !(1..=18).contains(&n) || map.len() != 4 + n * NAME + 4 * UNITS {
            return Err(damaged(&path, "is no table of characters, or cut short"));
        }
        let name = |class: usize| {
            let name = map[4 + class * NAME..][..NAME].split(|byte| *byte == 0).next().unwrap_or_default();
            std::str::from_utf8(name).unwrap_or_default()
        };
        let names: Vec<&str> = (0..n).map(name).collect();
        let class = |name: &str| names.iter().position(|other| *other == name).unwrap_or_default();
        let (mut of, mut classes) = (vec![class("DEFAULT") as u8; UNITS + 1], Vec::new());
        for (class, name) in names.iter().enumerate() {
            let kanji = matches!(*name, "KANJI" | "KANJINUMERIC");
            classes.push(Character { class: class as u8, groups: false, always: false, kanji });
        }
        for (unit, of) in of.iter_mut().take(UNITS).enumerate() {
            let bits = u32_at(&map, 4 + n * NAME + 4 * unit);
            let class = (bits >> 18 & 0xff) as usize;
            let known = classes.get_mut(class).ok_or_else(|| damaged(&path, "names a class that is not there"))?;
            (known.groups, known.always) = (bits >> 30 & 1 == 1, bits >> 31 == 1);
            *of = class as u8;
        }
        of[MIDDLE_DOT] = class("SYMBOL") as u8;
        Ok(Self { words: names.iter().map(|name| unknown.exactly(name)).collect(), classes, of })
    }

    fn of(&self, unit: u16) -> Character {
        self.classes[usize::from(self.of[usize::from(unit)])]
    }
}
