//! Files of vectors that another tool wrote, and the ids of their rows.

use crate::exit::Fault;
use crate::stored::read_ids;
use isogloss_dense::VectorFile;
use std::path::Path;

/// Which columns of a Parquet file are meant.
#[derive(Debug, clap::Args)]
pub struct ColumnOptions {
    /// The column of a Parquet file that holds the vectors; needed where several hold lists of floating-point numbers.
    #[arg(long, value_name = "NAME", requires = "vectors")]
    vector_column: Option<String>,

    /// The column of a Parquet file that holds the ids, strings or whole numbers; needed where its name is not `id`, `_id`, `docid` or the like.
    #[arg(long, value_name = "NAME", requires = "vectors", conflicts_with = "ids")]
    id_column: Option<String>,
}

impl ColumnOptions {
    /// Opens a file of vectors and reads their ids: those of `ids` where it is given, else those in the file itself. `ids_option` is the option that
    /// gives a file of ids.
    ///
    /// # Errors
    /// Neither has ids; either cannot be read.
    pub fn open(
        &self,
        vectors: &Path,
        ids: Option<&Path>,
        ids_option: &str,
    ) -> anyhow::Result<(VectorFile, Vec<String>)> {
        let file = VectorFile::open(vectors, self.vector_column.as_deref())?;
        let ids = match ids {
            Some(ids) => read_ids(ids)?,
            None => file.ids(self.id_column.as_deref())?.ok_or_else(|| {
                Fault::option(ids_option, format!("is missing: {} holds no ids; give them", vectors.display()))
            })?,
        };
        Ok((file, ids))
    }
}
