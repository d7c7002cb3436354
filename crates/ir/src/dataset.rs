//! What training reads: items at random access, labelled examples and translation pairs.

use crate::error::{Error, Result};
use crate::{DocId, Lang, QueryId};
use serde::{Deserialize, Serialize};

/// Items by index, so that shuffling, resuming and sharding are arithmetic.
pub trait Dataset: Send + Sync {
    /// What one index gives.
    type Item;

    /// How many items there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item at `index`, counted from 0.
    ///
    /// # Errors
    /// An index beyond the end, or a file that cannot be read.
    fn get(&self, index: usize) -> Result<Self::Item>;
}

impl<T: Clone + Send + Sync> Dataset for Vec<T> {
    type Item = T;

    fn len(&self) -> usize {
        self.len()
    }

    fn get(&self, index: usize) -> Result<T> {
        self.as_slice().get(index).cloned().ok_or(Error::OutOfRange { index, len: self.len() })
    }
}

/// A query with texts that answer it and texts that do not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Example {
    /// What is asked.
    pub query: String,
    /// Texts that answer it: at least one in examples that were read from a file.
    pub positives: Vec<String>,
    /// Texts that do not; may be empty.
    pub negatives: Vec<String>,
    /// The query's language, where known.
    pub lang: Option<Lang>,
    /// The texts' language, where known.
    pub doc_lang: Option<Lang>,
    /// The names of query and texts, where known.
    pub ids: ExampleIds,
    /// Strings that answer the query, for sets that come with them.
    pub answers: Vec<String>,
}

/// Names that tell whether another example's text is in truth a positive of this one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExampleIds {
    /// The query's name.
    pub query: Option<QueryId>,
    /// The names of the positives in their order, or empty.
    pub positives: Vec<DocId>,
    /// The names of the negatives in their order, or empty.
    pub negatives: Vec<DocId>,
}

/// Two texts that say the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The language of `src`, where known.
    pub src_lang: Option<Lang>,
    /// The language of `tgt`, where known.
    pub tgt_lang: Option<Lang>,
    /// The first text.
    pub src: String,
    /// The second text.
    pub tgt: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_a_data_set() {
        let data: &dyn Dataset<Item = u8> = &vec![3u8, 4];
        assert_eq!((data.len(), data.is_empty(), data.get(1).unwrap()), (2, false, 4));
        assert_eq!(data.get(2).unwrap_err().to_string(), "index 2 is out of range; the data set has 2 items");
    }
}
