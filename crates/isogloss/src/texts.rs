//! The texts to encode: the records of several files, one after the other.

use crate::exit::Fault;
use crate::input::Input;
use crate::model::Model;
use isogloss_dense::{EncoderError, Side, Text};
use isogloss_ir::{Doc, Lang, Query, ReadOptions, read_docs, read_queries};
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_128;

/// An id, a text and its language.
type Entry = (String, String, Option<Lang>);

/// Records of one file.
type Entries = Box<dyn Iterator<Item = isogloss_ir::Result<Entry>>>;

/// Ids and texts of files in their order, streamed; an id in two files is an error, and so is a language that a calibrated
/// model was not fitted on.
pub struct Texts<'a> {
    model: Option<&'a Model>,
    inputs: Vec<Input>,
    side: Side,
    lang: Option<Lang>,
    /// Which of the files is being read.
    at: usize,
    entries: Option<Entries>,
    /// Ids by their hash and the file each is from; kept where there are several files.
    seen: HashMap<u128, usize>,
    given: u64,
    ended: bool,
}

impl<'a> Texts<'a> {
    /// The docs' full texts or the queries' texts of `inputs`; with `lang` those of that language alone.
    pub fn new(inputs: Vec<Input>, side: Side, lang: Option<Lang>) -> Self {
        let model = None;
        Self { model, inputs, side, lang, at: 0, entries: None, seen: HashMap::new(), given: 0, ended: false }
    }

    /// The same with the languages that `model` needs to know; texts that it is not calibrated for are an error.
    pub fn for_model(self, model: &'a Model) -> Self {
        Self { model: Some(model), ..self }
    }

    fn open(&self) -> isogloss_ir::Result<Entries> {
        let Input { path, lang } = &self.inputs[self.at];
        let options = ReadOptions { lang: *lang };
        Ok(match self.side {
            Side::Doc => Box::new(read_docs(path, &options)?.map(|doc| doc.map(of_doc))),
            Side::Query => Box::new(read_queries(path, &options)?.map(|query| query.map(of_query))),
        })
    }

    fn next_text(&mut self) -> Result<Option<Text>, EncoderError> {
        while self.at < self.inputs.len() {
            let mut entries = match self.entries.take() {
                Some(entries) => entries,
                None => self.open()?,
            };
            let Some(entry) = entries.next() else {
                self.at += 1;
                continue;
            };
            self.entries = Some(entries);
            let (id, text, lang) = entry?;
            self.check(&id)?;
            if self.lang.is_none() || self.lang == lang {
                self.given += 1;
                let lang = self.model.map_or(Ok(lang), |model| model.lang_of_text(lang));
                let path = &self.inputs[self.at].path;
                let lang = lang.map_err(|problem| Fault::new(path, format!("the text {id:?} {problem}")))?;
                return Ok(Some(Text { id, text, lang }));
            }
        }
        match self.lang {
            Some(lang) if self.given == 0 => {
                let problem = format!("no text is in {lang}; check --lang and the records' `lang`");
                Err(Fault::new(&self.inputs[0].path, problem).into())
            }
            _ => Ok(None),
        }
    }

    /// Within one file ids are checked where it is read.
    fn check(&mut self, id: &str) -> Result<(), Fault> {
        if self.inputs.len() < 2 {
            return Ok(());
        }
        match self.seen.insert(xxh3_128(id.as_bytes()), self.at) {
            None => Ok(()),
            Some(first) => {
                let problem = format!("the id {id:?} is in {} too; rename one of the two", self.inputs[first]);
                Err(Fault::new(&self.inputs[self.at].path, problem))
            }
        }
    }
}

impl Iterator for Texts<'_> {
    type Item = Result<Text, EncoderError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_text().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// What [`Texts`] fails with, as what it is.
pub fn told(error: EncoderError) -> anyhow::Error {
    let fault = |error: EncoderError| error.downcast::<Fault>().map(|fault| anyhow::Error::from(*fault));
    let ours = error.downcast::<isogloss_ir::Error>().map(|error| anyhow::Error::from(*error));
    ours.or_else(fault).unwrap_or_else(anyhow::Error::from_boxed)
}

fn of_doc(doc: Doc) -> Entry {
    let text = doc.full_text().into_owned();
    (doc.id, text, doc.lang)
}

fn of_query(query: Query) -> Entry {
    (query.id, query.text, query.lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[&str], side: Side, lang: Option<&str>) -> Result<Vec<(String, String)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let write = |(i, text): (usize, &&str)| {
            let path = folder.path().join(format!("{i}.jsonl"));
            std::fs::write(&path, text).unwrap();
            Input::from(&*path)
        };
        let inputs = files.iter().enumerate().map(write).collect();
        let texts = Texts::new(inputs, side, lang.map(|l| l.parse().unwrap()));
        texts.map(|text| text.map(|t| (t.id, t.text)).map_err(|e| e.to_string())).collect()
    }

    const A: &str = "{\"_id\":\"a\",\"title\":\"T\",\"text\":\"x\",\"lang\":\"sw\"}";
    const B: &str = "{\"_id\":\"b\",\"text\":\"y\",\"lang\":\"fi\"}";

    #[test]
    fn files_are_chained_and_languages_chosen() {
        let pair = |id: &str, text: &str| (id.to_owned(), text.to_owned());
        assert_eq!(read(&[A, B], Side::Doc, None).unwrap(), [pair("a", "T x"), pair("b", "y")]);
        assert_eq!(read(&[A, B], Side::Query, Some("fi")).unwrap(), [pair("b", "y")]);
        assert!(read(&[A, B], Side::Doc, Some("ko")).unwrap_err().contains("no text is in ko"));
    }

    #[test]
    fn an_id_in_two_files_is_refused_with_both_named() {
        let error = read(&[A, B, A], Side::Doc, None).unwrap_err();
        assert!(error.contains("2.jsonl: the id \"a\" is in ") && error.contains("0.jsonl too"), "{error}");
    }
}
