//! The languages of the documents that are searched.

use crate::error::{Error, Result, snippet};
use crate::{Doc, DocId, Lang};
use std::collections::{BTreeMap, HashMap};

/// How many documents each language has, and the language of those that rankings name.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    sizes: BTreeMap<Lang, usize>,
    langs: HashMap<DocId, Lang>,
}

impl Pool {
    /// Counts `docs`, keeping the ids that `wanted` holds for.
    ///
    /// # Errors
    /// A document without language, or what `docs` fails with.
    pub fn of(docs: impl Iterator<Item = Result<Doc>>, wanted: impl Fn(&str) -> bool) -> Result<Self> {
        let mut pool = Self::default();
        for doc in docs {
            let doc = doc?;
            let lang = doc.lang.ok_or_else(|| Error::DocLang { doc: snippet(&doc.id) })?;
            *pool.sizes.entry(lang).or_default() += 1;
            if wanted(&doc.id) {
                pool.langs.insert(doc.id, lang);
            }
        }
        Ok(pool)
    }

    /// Adds a document.
    pub fn insert(&mut self, doc: DocId, lang: Lang) {
        if self.langs.insert(doc, lang).is_none() {
            *self.sizes.entry(lang).or_default() += 1;
        }
    }

    /// The languages there are.
    pub fn langs(&self) -> impl Iterator<Item = Lang> {
        self.sizes.keys().copied()
    }

    /// A language's share of all documents.
    pub fn share(&self, lang: Lang) -> f64 {
        let all: usize = self.sizes.values().sum();
        self.sizes.get(&lang).map_or(0.0, |n| *n as f64 / all as f64)
    }

    /// Every language's share.
    pub fn shares(&self) -> BTreeMap<Lang, f64> {
        self.langs().map(|lang| (lang, self.share(lang))).collect()
    }

    /// The language of a document.
    ///
    /// # Errors
    /// It is not in the pool.
    pub fn lang(&self, doc: &str) -> Result<Lang> {
        self.langs.get(doc).copied().ok_or_else(|| Error::DocLang { doc: snippet(doc) })
    }
}
