//! Documents that are translations of each other.

use crate::error::{Error, Result};
use crate::passages::Passages;
use isogloss_ir::language_bias::question_of;
use isogloss_ir::reader::Lines;
use std::collections::HashMap;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// The group of every document that has translations in the corpus.
#[derive(Debug, Default)]
pub struct Parallel(HashMap<u32, u64>);

impl Parallel {
    /// Documents whose ids differ in their language alone (`sw-17`, `fi-17`) say the same.
    ///
    /// # Errors
    /// The corpus cannot be read again.
    pub fn by_id(passages: &Passages) -> Result<Self> {
        let mut groups = HashMap::new();
        for row in 0..passages.len() as u32 {
            if let Some(lang) = passages.lang(row) {
                groups.insert(row, xxh3_64(question_of(&passages.get(row)?.id, lang).as_bytes()));
            }
        }
        Ok(Self(groups))
    }

    /// Reads rows of ids, apart by tabs, each of documents that say the same.
    ///
    /// # Errors
    /// The file cannot be read, a row has one id alone, or an id that is not in the corpus or in another row too.
    pub fn read(path: &Path, passages: &Passages) -> Result<Self> {
        let mut lines = Lines::open(path)?;
        let (mut groups, mut row) = (HashMap::new(), String::new());
        while lines.next_content(&mut row)? {
            let line = lines.number();
            let fault = |problem: String| Error::Group { path: path.to_owned(), line, problem };
            let ids: Vec<&str> = row.split('\t').map(str::trim).collect();
            if ids.len() < 2 {
                return Err(fault("one id alone".into()));
            }
            for id in ids {
                let known = passages.find(id);
                let unknown = || fault(format!("document {id:?} is not in {}", passages.corpus().display()));
                if groups.insert(known.ok_or_else(unknown)?, line as u64).is_some() {
                    return Err(fault(format!("document {id:?} stands in an earlier group, or twice")));
                }
            }
        }
        Ok(Self(groups))
    }

    /// The group of a document.
    pub fn group(&self, row: u32) -> Option<u64> {
        self.0.get(&row).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isogloss_ir::Doc;

    #[test]
    fn groups_come_from_ids_or_from_a_file() {
        let doc = |id: &str, lang: &str| {
            Ok(Doc { id: id.into(), title: String::new(), text: "x".into(), lang: lang.parse().ok() })
        };
        let folder = tempfile::tempdir().unwrap();
        let docs = [doc("sw-1", "sw"), doc("fi-1", "fi"), doc("fi-2", "fi"), doc("free", "")];
        let passages = Passages::read(docs.into_iter(), Path::new("c"), folder.path(), |_| ()).unwrap();
        let by_id = Parallel::by_id(&passages).unwrap();
        assert!(by_id.group(0).is_some() && by_id.group(0) == by_id.group(1));
        assert!(by_id.group(2) != by_id.group(1) && by_id.group(3).is_none());
        let path = folder.path().join("groups.tsv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Parallel::read(&path, &passages)
        };
        let given = read("fi-2\tsw-1\n\nfree\tfi-1\n").unwrap();
        assert!(
            given.group(2) == given.group(0) && given.group(3) == given.group(1) && given.group(0) != given.group(1)
        );
        for (text, told) in [
            ("fi-2\tsw-1\nfree\n", "groups.tsv:2: one id alone"),
            ("fi-2\tko-1\n", "groups.tsv:1: document \"ko-1\" is not in c"),
            ("fi-2\tsw-1\nsw-1\tfree\n", "groups.tsv:2: document \"sw-1\" stands in an earlier group"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
