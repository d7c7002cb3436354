//! Tatoeba (Artetxe and Schwenk 2019): each sentence should find its translation among up to a thousand.
//!
//! Accuracy of the nearest by cosine, no margin: English to the language (XTREME's direction), back, and both alike; the
//! means of all languages, of XTREME's 36 and of the first 14.

use super::{SentencePair, Sentences, Side, files};
use crate::error::{Error, Result};
use crate::folder;
use crate::reader::Lines;
use crate::{Lang, PairOptions, load_pairs};
use std::collections::BTreeMap;
use std::path::Path;

/// The codes of LASER's files for ar bg de el es fr hi ru sw th tr ur vi zh.
const FIRST_14: &[&str] =
    &["ara", "bul", "deu", "ell", "spa", "fra", "hin", "rus", "swh", "tha", "tur", "urd", "vie", "cmn"];

/// The codes of LASER's files for the 36 languages of XTREME.
const XTREME_36: &[&str] = &[
    "ara", "heb", "vie", "ind", "jav", "tgl", "eus", "mal", "tam", "tel", "afr", "nld", "deu", "ell", "ben", "hin",
    "mar", "urd", "pes", "fra", "ita", "por", "spa", "bul", "rus", "jpn", "kat", "kor", "tha", "swh", "cmn", "kaz",
    "tur", "est", "fin", "hun",
];

/// Reads LASER's files `tatoeba.xxx-eng.{xxx,eng}`, or one table of all pairs under the header `lang idx src eng`.
///
/// # Errors
/// No pair is there, or two files differ in their number of lines.
pub fn read(path: &Path) -> Result<Sentences> {
    let groups = &[("36 of XTREME", XTREME_36), ("first 14", FIRST_14)];
    let mut all = Sentences { sides: Vec::new(), pairs: Vec::new(), groups };
    if path.is_dir() {
        let found = files::between(path, "tatoeba.", "-eng.eng")?;
        if found.is_empty() && path.join("v1").is_dir() {
            return read(&path.join("v1"));
        }
        for (code, english) in files::some(found, path, "tatoeba.xxx-eng.xxx with tatoeba.xxx-eng.eng")? {
            let foreign = folder::first_part(path, &[format!("tatoeba.{code}-eng.{code}")])?;
            let texts = [&foreign, &english].map(|path| sentences(path));
            let [foreign_texts, english_texts] = texts;
            let (foreign_texts, english_texts) = (foreign_texts?, english_texts?);
            same_length(&foreign, foreign_texts.len(), &english, english_texts.len())?;
            all.push(files::lang(&code, &foreign)?, foreign_texts, english_texts);
        }
        return Ok(all);
    }
    let mut by_lang: BTreeMap<Lang, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for pair in load_pairs(path, &PairOptions::default())? {
        let lang = pair.src_lang.ok_or_else(|| Error::Lang { got: "a pair without language".into() })?;
        let (foreign, english) = by_lang.entry(lang).or_default();
        foreign.push(pair.src);
        english.push(pair.tgt);
    }
    by_lang.into_iter().for_each(|(lang, (foreign, english))| all.push(lang, foreign, english));
    Ok(all)
}

impl Sentences {
    /// Adds a language with English of its own.
    fn push(&mut self, lang: Lang, foreign: Vec<String>, english: Vec<String>) {
        let at = self.sides.len();
        self.sides.push(Side { name: lang.to_string(), lang, texts: foreign });
        self.sides.push(Side { name: format!("{lang}-pivot"), lang: Lang::from_ascii(b"en"), texts: english });
        self.pairs.push(SentencePair { lang, foreign: at, pivot: at + 1 });
    }
}

/// The lines of a file, blank ones too.
pub(super) fn sentences(path: &Path) -> Result<Vec<String>> {
    let (mut lines, mut buf, mut all) = (Lines::open(path)?, String::new(), Vec::new());
    while lines.next_line(&mut buf)? {
        all.push(buf.clone());
    }
    Ok(all)
}

/// Refuses two files that are not parallel.
pub(super) fn same_length(a: &Path, of_a: usize, b: &Path, of_b: usize) -> Result<()> {
    let unparallel = |path: &Path, line: usize, other: &Path| Error::Unparallel {
        path: path.into(),
        line: line.max(1),
        other: other.into(),
    };
    match of_a.cmp(&of_b) {
        std::cmp::Ordering::Less => Err(unparallel(a, of_a, b)),
        std::cmp::Ordering::Greater => Err(unparallel(b, of_b, a)),
        std::cmp::Ordering::Equal => Ok(()),
    }
}
