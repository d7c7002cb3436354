//! Two files of which the same lines are translations, as Moses and OPUS write them.

use super::{EXPECTED, PairOptions};
use crate::Lang;
use crate::dataset::Pair;
use crate::error::{Error, Result};
use crate::reader::{Lines, bare_name};
use std::path::{Path, PathBuf};

/// The pairs of two files, line by line; a pair of which one side is blank is left out.
///
/// The languages are the files' last suffixes (`news.en`, `news.sw.gz`) where none are declared.
///
/// # Errors
/// A file that cannot be read, or files of unequal length.
pub fn load_moses(src: impl AsRef<Path>, tgt: impl AsRef<Path>, options: &PairOptions) -> Result<Vec<Pair>> {
    let (src, tgt) = (src.as_ref(), tgt.as_ref());
    let src_lang = options.src_lang.or_else(|| suffix_lang(src));
    let tgt_lang = options.tgt_lang.or_else(|| suffix_lang(tgt));
    let (mut left, mut right) = (Lines::open(src)?, Lines::open(tgt)?);
    let (mut src, mut tgt) = (String::new(), String::new());
    let mut pairs = Vec::new();
    loop {
        match (left.next_line(&mut src)?, right.next_line(&mut tgt)?) {
            (false, false) => break,
            (true, false) => return Err(unparallel(&right, &left)),
            (false, true) => return Err(unparallel(&left, &right)),
            (true, true) if src.trim().is_empty() || tgt.trim().is_empty() => {}
            (true, true) => pairs.push(Pair { src_lang, tgt_lang, src: src.clone(), tgt: tgt.clone() }),
        }
    }
    match pairs.is_empty() {
        true => Err(Error::Empty { path: left.path().into(), expected: EXPECTED }),
        false => Ok(pairs),
    }
}

pub(crate) fn unparallel(short: &Lines<'_>, long: &Lines<'_>) -> Error {
    Error::Unparallel { path: short.path().into(), line: short.number(), other: long.path().into() }
}

pub(crate) fn suffix_lang(path: &Path) -> Option<Lang> {
    bare_name(path).rsplit_once('.')?.1.parse().ok()
}

/// The two files `prefix.<lang>` where `prefix` itself is no file, in the order of their names.
pub(crate) fn siblings(prefix: &Path) -> Option<[PathBuf; 2]> {
    if prefix.exists() {
        return None;
    }
    let name = format!("{}.", prefix.file_name()?.to_str()?);
    let folder = prefix.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_side = |path: &PathBuf| {
        let file = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let suffix = file.strip_prefix(&name).map(|rest| rest.trim_end_matches(".gz").trim_end_matches(".zst"));
        suffix.is_some_and(|suffix| suffix.parse::<Lang>().is_ok())
    };
    let mut found: Vec<PathBuf> =
        folder.read_dir().ok()?.filter_map(|entry| Some(entry.ok()?.path())).filter(is_side).collect();
    found.sort();
    found.try_into().ok()
}

#[cfg(test)]
mod tests {
    use crate::format::parallel::{PairOptions, load_pairs};
    use std::fs;

    #[test]
    fn a_common_name_stands_for_both_files() {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().join("news.en-sw");
        fs::write(folder.path().join("news.en-sw.sw"), "moja\n\ntatu\n").unwrap();
        fs::write(folder.path().join("news.en-sw.en.zst"), zstd::encode_all(&b"one\ntwo\nthree"[..], 1).unwrap())
            .unwrap();
        let pairs = load_pairs(&prefix, &PairOptions::default()).unwrap();
        assert_eq!((pairs.len(), &pairs[1].src[..], &pairs[1].tgt[..]), (2, "three", "tatu"));
        assert_eq!((pairs[0].src_lang.unwrap().as_str(), pairs[0].tgt_lang.unwrap().as_str()), ("en", "sw"));
        fs::write(folder.path().join("news.en-sw.sw"), "moja\n").unwrap();
        let error = load_pairs(&prefix, &PairOptions::default()).unwrap_err().to_string();
        assert!(error.contains("news.en-sw.sw:1:") && error.contains("same number of lines"), "{error}");
    }
}
