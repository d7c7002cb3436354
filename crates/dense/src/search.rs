//! From the text of a query to the ids of docs.

use std::sync::Arc;

use crate::encode::encode_texts;
use crate::{Encoder, Error, Index, Result, RowIds, Side, Text};

/// Queries encoded at once.
const WINDOW: usize = 1024;

/// A query's docs, best first: doc id and inner product.
pub type Hits = Vec<(String, f32)>;

/// An encoder, an index of docs that it encoded, and the docs' ids.
pub struct Searcher {
    encoder: Arc<dyn Encoder>,
    index: Arc<dyn Index>,
    ids: Arc<dyn RowIds>,
    among: Option<Vec<bool>>,
}

impl Searcher {
    /// Joins the three.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where the encoder's vectors have another length than the index's, or there are more or
    /// fewer ids than rows.
    pub fn new(encoder: Arc<dyn Encoder>, index: Arc<dyn Index>, ids: Arc<dyn RowIds>) -> Result<Self> {
        let check = |what, left, left_of, right| match left == right {
            true => Ok(()),
            false => Err(Error::Mismatch { what, left, left_of, right, right_of: "the index" }),
        };
        check("dim", encoder.dim(), "the encoder", index.dim())?;
        check("rows", ids.rows(), "the ids", index.len())?;
        Ok(Self { encoder, index, ids, among: None })
    }

    /// The same among the docs of rows that `among` holds true for alone; all where it is `None`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where it has not a value for every row.
    pub fn among(self, among: Option<Vec<bool>>) -> Result<Self> {
        match among.as_ref().map(Vec::len).filter(|rows| *rows != self.index.len()) {
            None => Ok(Self { among, ..self }),
            Some(left) => {
                let right = self.index.len();
                Err(Error::Mismatch { what: "rows", left, left_of: "the filter", right, right_of: "the index" })
            }
        }
    }

    /// For each query its id and its best `k` docs.
    ///
    /// # Errors
    /// What the encoder fails with; a query whose vector is not finite, by its id.
    pub fn search(&self, queries: &[Text], k: usize) -> Result<Vec<(String, Hits)>> {
        let mut run = Vec::with_capacity(queries.len());
        for window in queries.chunks(WINDOW) {
            let vectors = encode_texts(&*self.encoder, window, Side::Query)?;
            let found = self.index.search_among(vectors.view(), k, self.among.as_deref());
            for (query, neighbors) in window.iter().zip(found) {
                let hits = neighbors.iter().map(|n| (self.ids.id(n.row as usize).to_owned(), n.score));
                run.push((query.id.clone(), hits.collect()));
            }
        }
        Ok(run)
    }

    /// The best `k` docs of one text in no known language.
    ///
    /// # Errors
    /// As [`Searcher::search`].
    pub fn search_text(&self, text: &str, k: usize) -> Result<Hits> {
        let run = self.search(&[(String::new(), text.to_owned()).into()], k)?;
        Ok(run.into_iter().next().map(|(_, hits)| hits).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EncoderError, Flat, Vectors};

    struct Lengths;

    impl Encoder for Lengths {
        fn dim(&self) -> usize {
            1
        }

        fn encode(&self, texts: &[&str], side: Side) -> std::result::Result<Vectors, EncoderError> {
            assert_eq!(side, Side::Query);
            Ok(Vectors::new(1, texts.iter().map(|t| t.len() as f32).collect())?)
        }
    }

    fn searcher(ids: &[&str]) -> Result<Searcher> {
        let docs = Vectors::new(1, vec![1.0, -1.0, 3.0]).unwrap();
        let ids: Vec<String> = ids.iter().map(|id| id.to_string()).collect();
        Searcher::new(Arc::new(Lengths), Arc::new(Flat::from_vectors(docs)?), Arc::new(ids))
    }

    fn text((id, text): (&str, &str)) -> Text {
        (id.to_owned(), text.to_owned()).into()
    }

    #[test]
    fn queries_meet_the_ids_of_their_docs() {
        let searcher = searcher(&["one", "minus", "three"]).unwrap();
        let run = searcher.search(&[("q", "ab"), ("r", "")].map(text), 2).unwrap();
        let hits = |a: &str, x: f32, b: &str, y: f32| vec![(a.to_owned(), x), (b.to_owned(), y)];
        assert_eq!(run[0], ("q".to_owned(), hits("three", 6.0, "one", 2.0)));
        assert_eq!(run[1], ("r".to_owned(), hits("one", 0.0, "minus", 0.0)));
        assert_eq!(searcher.search_text("a", 1).unwrap(), [("three".to_owned(), 3.0)]);
    }

    #[test]
    fn docs_that_do_not_count_are_not_found() {
        let searcher = searcher(&["one", "minus", "three"]).unwrap().among(Some(vec![true, true, false])).unwrap();
        assert_eq!(searcher.search_text("a", 2).unwrap(), [("one".to_owned(), 1.0), ("minus".to_owned(), -1.0)]);
        assert!(searcher.among(Some(vec![true])).is_err());
    }

    #[test]
    fn ids_that_do_not_fit_are_refused() {
        let error = searcher(&["one"]).err().unwrap().to_string();
        assert!(error.contains("rows: 1 in the ids, 3 in the index"), "{error}");
    }
}
