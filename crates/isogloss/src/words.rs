//! An index of words as a system that is searched: where it is, its two parameters, its searcher.

use crate::subword;
use isogloss_lexical::{Bm25, Index, Searcher};
use std::path::{Path, PathBuf};

/// Searching by words in place of vectors.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// An index that `isogloss index --bm25` wrote, in place of a model; for a benchmark of several corpora a folder with
    /// one for each, named after it.
    #[arg(long, value_name = "DIR")]
    pub bm25: Option<PathBuf>,

    /// BM25's k1: how soon repetition stops counting.
    #[arg(long, value_name = "K1", default_value_t = Bm25::default().k1, requires = "bm25", allow_negative_numbers = true)]
    pub k1: f32,

    /// BM25's b: how much length counts.
    #[arg(long, value_name = "B", default_value_t = Bm25::default().b, requires = "bm25", allow_negative_numbers = true)]
    pub b: f32,
}

impl Options {
    /// Opens the index in `folder`, every byte of it checked.
    ///
    /// # Errors
    /// A parameter is out of its range, or there is no index, or it is damaged.
    pub fn open(&self, folder: &Path) -> isogloss_lexical::Result<Searcher> {
        let bm25 = Bm25::new(self.k1, self.b)?;
        let index = Index::open(folder)?;
        index.verify()?;
        Searcher::new(index, bm25, &subword::open)
    }
}
