//! What words and vectors find for queries, as ranked rows of one corpus.

use crate::error::Result;
use crate::named::named;
use crate::passages::Passages;
use isogloss_dense::{Error as DenseError, Flat, Index as _, VectorStore, VectorsView};
use isogloss_ir::{Lang, Query};
use isogloss_lexical::Searcher;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The two lists, by their names in reports.
pub const LISTS: [&str; 2] = ["bm25", "dense"];

/// Rows of the corpus with their scores, best first.
pub type Ranked = Vec<(u32, f32)>;

/// Which documents a query is put to, by their language. One that is unknown, of query or document, is no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Langs {
    /// All.
    Any,
    /// Those in the query's language; all, for a query of no known language.
    Same,
    /// Those in known other languages.
    Other,
}

impl Langs {
    const NAMES: [(Self, &str); 3] = [(Self::Any, "any"), (Self::Same, "same"), (Self::Other, "other")];

    fn allow(self, query: Option<Lang>, doc: Option<Lang>) -> bool {
        match (self, query, doc) {
            (Self::Any, ..) | (Self::Same, None, _) => true,
            (Self::Same, Some(query), doc) => doc == Some(query),
            (Self::Other, Some(query), Some(doc)) => doc != query,
            (Self::Other, ..) => false,
        }
    }
}

named!(Langs, "any, same, other");

struct Words<'a> {
    searcher: &'a Searcher,
    /// The row of every document of the index, and back.
    rows: Vec<u32>,
    docs: Vec<u32>,
}

struct Dense {
    flat: Flat,
    store: Arc<VectorStore>,
    /// The row of every vector, and back.
    rows: Vec<u32>,
    vectors: Vec<u32>,
}

/// An index of words, vectors, or both, of one corpus.
pub struct Lists<'a> {
    passages: &'a Passages,
    words: Option<Words<'a>>,
    dense: Option<Dense>,
}

impl<'a> Lists<'a> {
    /// Joins them with the corpus; paths name the index and are for errors.
    ///
    /// # Errors
    /// One of them has other documents than the corpus.
    pub fn new(
        passages: &'a Passages,
        words: Option<(&'a Searcher, &Path)>,
        vectors: Option<Arc<VectorStore>>,
    ) -> Result<Self> {
        let back = |rows: &[u32]| {
            let mut back = vec![0; rows.len()];
            (0u32..).zip(rows).for_each(|(from, row)| back[*row as usize] = from);
            back
        };
        let words = words.map(|(searcher, path)| -> Result<Words<'a>> {
            let index = searcher.index();
            let ids = (0..index.len() as u32).map(|doc| index.id(doc));
            let rows = passages.rows_of(ids, index.len(), path)?;
            Ok(Words { searcher, docs: back(&rows), rows })
        });
        let dense = vectors.map(|store| -> Result<Dense> {
            let ids = (0..store.rows()).map(|row| store.id(row));
            let rows = passages.rows_of(ids, store.rows(), store.directory())?;
            Ok(Dense { flat: Flat::new(store.clone()), store: store.clone(), vectors: back(&rows), rows })
        });
        Ok(Self { passages, words: words.transpose()?, dense: dense.transpose()? })
    }

    /// The corpus.
    pub fn passages(&self) -> &'a Passages {
        self.passages
    }

    /// Which of [`LISTS`] there are.
    pub fn are(&self) -> [bool; 2] {
        [self.words.is_some(), self.dense.is_some()]
    }

    /// The id of a document.
    pub fn id(&self, row: u32) -> &str {
        match (&self.words, &self.dense) {
            (Some(words), _) => words.searcher.index().id(words.docs[row as usize]),
            (None, Some(dense)) => dense.store.id(dense.vectors[row as usize] as usize),
            (None, None) => "",
        }
    }

    /// The vector of a document; `None` where there are no vectors.
    pub fn vector(&self, row: u32) -> Option<Vec<f32>> {
        self.dense.as_ref().map(|dense| dense.store.row(dense.vectors[row as usize] as usize))
    }

    /// What each list finds for every query, at most `depth` documents; `None` for a list that there is not.
    ///
    /// `vectors` are the queries', a row for each, where documents have vectors.
    ///
    /// # Errors
    /// An analyzer fails, or vectors are missing or of another length.
    pub fn search(
        &self,
        queries: &[Query],
        vectors: Option<VectorsView<'_>>,
        depth: usize,
        langs: Langs,
    ) -> Result<Vec<[Option<Ranked>; 2]>> {
        let mut found: Vec<[Option<Ranked>; 2]> = vec![[None, None]; queries.len()];
        let mut by_lang: BTreeMap<Option<Lang>, Vec<usize>> = BTreeMap::new();
        for (at, query) in queries.iter().enumerate() {
            by_lang.entry(query.lang.filter(|_| langs != Langs::Any)).or_default().push(at);
        }
        for (lang, places) in by_lang {
            let allowed: Option<Vec<bool>> = (langs != Langs::Any && self.passages.have_langs()).then(|| {
                (0..self.passages.len() as u32).map(|row| langs.allow(lang, self.passages.lang(row))).collect()
            });
            let allowed = allowed.as_deref();
            if let Some(words) = &self.words {
                let asked: Vec<(&str, Option<Lang>)> =
                    places.iter().map(|at| (queries[*at].text.as_str(), queries[*at].lang)).collect();
                let among: Option<Vec<bool>> =
                    allowed.map(|allowed| words.rows.iter().map(|row| allowed[*row as usize]).collect());
                let hits = words.searcher.search_among(&asked, depth, among.as_deref())?;
                for (at, hits) in places.iter().zip(hits) {
                    found[*at][0] =
                        Some(hits.into_iter().map(|(doc, score)| (words.rows[doc as usize], score)).collect());
                }
            }
            if let Some(dense) = &self.dense {
                let all = dense.queries(vectors)?;
                let mut some = Vec::with_capacity(places.len() * all.dim());
                places.iter().for_each(|at| some.extend_from_slice(all.row(*at)));
                let some = VectorsView::new(all.dim(), &some);
                let among: Option<Vec<bool>> =
                    allowed.map(|allowed| dense.rows.iter().map(|row| allowed[*row as usize]).collect());
                for (at, hits) in places.iter().zip(dense.flat.search_among(some, depth, among.as_deref())) {
                    found[*at][1] = Some(hits.iter().map(|hit| (dense.rows[hit.row as usize], hit.score)).collect());
                }
            }
        }
        Ok(found)
    }

    /// The scores that each list gives some documents of every query, as in [`Lists::search`].
    ///
    /// # Errors
    /// As [`Lists::search`].
    pub fn scores(
        &self,
        queries: &[Query],
        vectors: Option<VectorsView<'_>>,
        docs: &[Vec<u32>],
    ) -> Result<Vec<[Option<Vec<f32>>; 2]>> {
        let mut found: Vec<[Option<Vec<f32>>; 2]> = vec![[None, None]; queries.len()];
        if let Some(words) = &self.words {
            let docs: Vec<Vec<u32>> =
                docs.iter().map(|docs| docs.iter().map(|row| words.docs[*row as usize]).collect()).collect();
            let asked: Vec<_> = queries
                .iter()
                .zip(&docs)
                .map(|(query, docs)| (query.text.as_str(), query.lang, docs.as_slice()))
                .collect();
            for (found, scores) in found.iter_mut().zip(words.searcher.scores(&asked)?) {
                found[0] = Some(scores);
            }
        }
        if let Some(dense) = &self.dense {
            let all = dense.queries(vectors)?;
            for (at, (found, docs)) in found.iter_mut().zip(docs).enumerate() {
                let score = |row: &u32| {
                    let doc = dense.store.row(dense.vectors[*row as usize] as usize);
                    doc.iter().zip(all.row(at)).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>() as f32
                };
                found[1] = Some(docs.iter().map(score).collect());
            }
        }
        Ok(found)
    }
}

impl Dense {
    /// The queries' vectors, where they fit the documents'.
    fn queries<'b>(&self, vectors: Option<VectorsView<'b>>) -> Result<VectorsView<'b>> {
        let vectors = vectors.unwrap_or(VectorsView::new(0, &[]));
        let (left, right) = (vectors.dim(), self.flat.dim());
        match left == right {
            true => Ok(vectors),
            false => Err(DenseError::Mismatch {
                what: "dim",
                left,
                left_of: "the queries' vectors",
                right,
                right_of: "the documents'",
            }
            .into()),
        }
    }
}
