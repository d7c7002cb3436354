//! NTREX-128 (Federmann, Kocmi and Xin 2022) and FLORES: one text in many languages, each searched from and to English.
//!
//! Accuracy of the nearest both ways, and the xSIM error: margin ratio over 4 neighbours.

use super::tatoeba::{same_length, sentences};
use super::{SentencePair, Sentences, Side, files};
use crate::error::{Error, Result};
use crate::{Lang, load_parallel};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What the pivot may be called, the first that is there.
const ENGLISH: [&str; 4] = ["eng", "eng-Latn", "en", "eng-US"];

/// Reads NTREX (`newstest2019-src.eng.txt`, `newstest2019-ref.xxx.txt`), FLORES (`xxx_Yyyy.devtest`, else `.dev`), or one
/// table under the header `lang idx text`.
///
/// # Errors
/// English or every other language is missing, or files differ in their number of lines.
pub fn read(path: &Path) -> Result<Sentences> {
    if !path.is_dir() {
        return table(path);
    }
    if let Some(inner) = ["NTREX-128", "devtest", "dev"].iter().map(|name| path.join(name)).find(|inner| inner.is_dir())
    {
        return read(&inner);
    }
    let mut found = files::between(path, "newstest2019-ref.", ".txt")?;
    found.extend(files::between(path, "newstest2019-src.", ".txt")?);
    for suffix in [".devtest", ".dev"] {
        if found.is_empty() {
            found = files::between(path, "", suffix)?;
        }
    }
    let expected = "newstest2019-src.eng.txt with newstest2019-ref.xxx.txt, nor eng_Latn.devtest with others";
    let found = files::some(found, path, expected)?;
    let mut read: Vec<(Lang, PathBuf, Vec<String>)> = Vec::new();
    for (code, file) in found {
        let texts = sentences(&file)?;
        read.push((files::lang(&code, &file)?, file, texts));
    }
    for (_, file, texts) in &read[1..] {
        same_length(&read[0].1, read[0].2.len(), file, texts.len())?;
    }
    let pivot = pivot(read.iter().map(|(lang, ..)| *lang), path)?;
    let sides: Vec<(Lang, Vec<String>)> = read.into_iter().map(|(lang, _, texts)| (lang, texts)).collect();
    Ok(with_pivot(sides, pivot))
}

fn with_pivot(sides: Vec<(Lang, Vec<String>)>, pivot: Lang) -> Sentences {
    let at = sides.iter().position(|(lang, _)| *lang == pivot).unwrap_or(0);
    let others = sides.iter().enumerate().filter(|(_, (lang, _))| *lang != pivot);
    let pairs = others.map(|(foreign, (lang, _))| SentencePair { lang: *lang, foreign, pivot: at }).collect();
    let side = |(lang, texts): (Lang, _)| Side { name: lang.to_string(), lang, texts };
    Sentences { pairs, sides: sides.into_iter().map(side).collect(), groups: &[] }
}

fn pivot(langs: impl Iterator<Item = Lang> + Clone, path: &Path) -> Result<Lang> {
    let named = |name: &&str| langs.clone().find(|lang| lang.as_str() == *name);
    ENGLISH.iter().find_map(named).ok_or_else(|| Error::NoPivot {
        path: path.into(),
        pivot: "English (eng, eng_Latn or en)".into(),
        found: langs.clone().take(8).map(|lang| lang.to_string()).collect::<Vec<_>>().join(", "),
    })
}

/// Rows that a language or English lacks are left out of the language's pairs.
fn table(path: &Path) -> Result<Sentences> {
    let rows = load_parallel(path)?;
    let langs: BTreeSet<Lang> = rows.iter().flat_map(|row| row.texts.keys().copied()).collect();
    let pivot = pivot(langs.iter().copied(), path)?;
    let mut all = Sentences { sides: Vec::new(), pairs: Vec::new(), groups: &[] };
    let texts = |lang: Lang, with: Lang| {
        let both = rows.iter().filter(|row| row.texts.contains_key(&with));
        both.filter_map(|row| row.texts.get(&lang).cloned()).collect::<Vec<_>>()
    };
    let whole = texts(pivot, pivot);
    all.sides.push(Side { name: pivot.to_string(), lang: pivot, texts: whole.clone() });
    for lang in langs.into_iter().filter(|lang| *lang != pivot) {
        let mine = texts(pivot, lang);
        let pivot_side = if mine.len() == whole.len() { 0 } else { all.sides.len() };
        if pivot_side > 0 {
            all.sides.push(Side { name: format!("{lang}-pivot"), lang: pivot, texts: mine });
        }
        all.pairs.push(SentencePair { lang, foreign: all.sides.len(), pivot: pivot_side });
        all.sides.push(Side { name: lang.to_string(), lang, texts: texts(lang, pivot) });
    }
    Ok(all)
}
