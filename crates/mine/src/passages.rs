//! The texts of a corpus by row and by id, kept on disk.

use crate::error::{Error, Result};
use isogloss_ir::{Doc, Lang};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// A document of the corpus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Its id.
    pub id: String,
    /// Title and text, as they are encoded.
    pub text: String,
}

/// The documents of a corpus, numbered as they came.
///
/// Ids and texts lie in a temporary file that has no name; memory: about 60 bytes a document.
pub struct Passages {
    corpus: PathBuf,
    /// Rows by the hash of their ids.
    rows: HashMap<u128, u32>,
    /// Where each begins in the file, and the end of the last.
    starts: Vec<u64>,
    /// Bytes of each id, which stands before its text.
    id_bytes: Vec<u32>,
    /// The language of each, by its place in `known`.
    langs: Vec<u16>,
    known: Vec<Option<Lang>>,
    file: Mutex<File>,
    fingerprint: u64,
}

impl Passages {
    /// Reads a corpus; `corpus` names it in errors, `scratch` is the folder of the temporary file. `told` is called with the
    /// number of documents read so far.
    ///
    /// # Errors
    /// A document cannot be read, there are more than `u32::MAX`, or the disk fails.
    pub fn read(
        docs: impl Iterator<Item = isogloss_ir::Result<Doc>>,
        corpus: &Path,
        scratch: &Path,
        mut told: impl FnMut(u64),
    ) -> Result<Self> {
        let file = tempfile::tempfile_in(scratch).map_err(Error::io("make a temporary file", scratch))?;
        let mut writer = BufWriter::with_capacity(1 << 20, file);
        let (mut hash, mut end) = (Xxh3::new(), 0);
        let mut all = Self {
            corpus: corpus.to_owned(),
            rows: HashMap::new(),
            starts: vec![0],
            id_bytes: Vec::new(),
            langs: Vec::new(),
            known: Vec::new(),
            file: Mutex::new(writer.get_ref().try_clone().map_err(Error::io("open a temporary file in", scratch))?),
            fingerprint: 0,
        };
        for (row, doc) in docs.enumerate() {
            let doc = doc?;
            let text = doc.full_text();
            for part in [doc.id.as_bytes(), text.as_bytes()] {
                hash.update(&(part.len() as u64).to_le_bytes());
                hash.update(part);
                writer.write_all(part).map_err(Error::io("write a temporary file in", scratch))?;
                end += part.len() as u64;
            }
            let row = u32::try_from(row).map_err(|_| isogloss_lexical::Error::TooManyDocs)?;
            all.rows.insert(xxh3_128(doc.id.as_bytes()), row);
            all.starts.push(end);
            all.id_bytes.push(doc.id.len() as u32);
            let lang = all.number_of(doc.lang);
            all.langs.push(lang);
            told(u64::from(row) + 1);
        }
        writer.flush().map_err(Error::io("write a temporary file in", scratch))?;
        all.fingerprint = hash.digest();
        Ok(all)
    }

    fn number_of(&mut self, lang: Option<Lang>) -> u16 {
        let at = self.known.iter().position(|known| *known == lang).unwrap_or_else(|| {
            self.known.push(lang);
            self.known.len() - 1
        });
        u16::try_from(at).expect("there are fewer languages than 65,536")
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.langs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.langs.is_empty()
    }

    /// The file or folder they are from.
    pub fn corpus(&self) -> &Path {
        &self.corpus
    }

    /// A hash of all ids and texts.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The row of an id.
    pub fn find(&self, id: &str) -> Option<u32> {
        self.rows.get(&xxh3_128(id.as_bytes())).copied()
    }

    /// The language of a row, where known.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn lang(&self, row: u32) -> Option<Lang> {
        self.known[usize::from(self.langs[row as usize])]
    }

    /// Whether any document names a language.
    pub fn have_langs(&self) -> bool {
        self.known.iter().any(Option::is_some)
    }

    /// Id and text of a row.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn get(&self, row: u32) -> Result<Passage> {
        let row = row as usize;
        let (start, end) = (self.starts[row], self.starts[row + 1]);
        let mut bytes = vec![0; (end - start) as usize];
        let mut file = self.file.lock().expect("no thread panics with it");
        let read = file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut bytes));
        drop(file);
        read.map_err(Error::io("read the temporary copy of", &self.corpus))?;
        let text = bytes.split_off(self.id_bytes[row] as usize);
        let text_of = |bytes: Vec<u8>| String::from_utf8(bytes).expect("written as text");
        Ok(Passage { id: text_of(bytes), text: text_of(text) })
    }

    /// The row of every document of an index or of vectors, by its ids.
    ///
    /// # Errors
    /// It has more or fewer documents, or others.
    pub(crate) fn rows_of<'a>(&self, ids: impl Iterator<Item = &'a str>, len: usize, path: &Path) -> Result<Vec<u32>> {
        let corpus = || self.corpus.clone();
        let found = |id: &str| {
            let unknown = || Error::OtherCorpus { path: path.to_owned(), id: id.to_owned(), corpus: corpus() };
            self.find(id).ok_or_else(unknown)
        };
        let rows = ids.map(found).collect::<Result<_>>()?;
        match len == self.len() {
            true => Ok(rows),
            false => Err(Error::OtherSize { path: path.to_owned(), got: len, expected: self.len(), corpus: corpus() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doc(id: &str, title: &str, text: &str, lang: Option<&str>) -> isogloss_ir::Result<Doc> {
        let lang = lang.map(|code| code.parse().unwrap());
        Ok(Doc { id: id.into(), title: title.into(), text: text.into(), lang })
    }

    #[test]
    fn texts_are_found_by_row_and_by_id() {
        let docs = [doc("a", "T", "x", Some("sw")), doc("é", "", "", None), doc("c", "", "z\nz", Some("sw"))];
        let folder = tempfile::tempdir().unwrap();
        let mut told = 0;
        let all = Passages::read(docs.into_iter(), Path::new("c.jsonl"), folder.path(), |docs| told = docs).unwrap();
        assert_eq!((all.len(), told, all.find("c"), all.find("x")), (3, 3, Some(2), None));
        let passage = |id: &str, text: &str| Passage { id: id.into(), text: text.into() };
        assert_eq!(all.get(2).unwrap(), passage("c", "z\nz"));
        assert_eq!(all.get(0).unwrap(), passage("a", "T x"));
        assert_eq!(all.get(1).unwrap(), passage("é", ""));
        assert_eq!((all.lang(1), all.lang(2)), (None, Some("sw".parse().unwrap())));
        assert_eq!(all.rows_of(["c", "a", "é"].into_iter(), 3, Path::new("i")).unwrap(), [2, 0, 1]);
        let error =
            |ids: &[&'static str]| all.rows_of(ids.iter().copied(), ids.len(), Path::new("i")).unwrap_err().to_string();
        assert!(error(&["c", "d"]).starts_with("i: its document \"d\" is not in c.jsonl; "));
        assert!(error(&["c"]).starts_with("i: 1 documents, but 3 in c.jsonl; "));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the temporary file has no name");
    }
}
