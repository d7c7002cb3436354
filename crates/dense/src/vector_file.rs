//! A file of vectors that another tool wrote, in NumPy's format or Parquet, told by its first bytes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::{Dtype, Error, NpyFile, ParquetFile, Result, Vectors};

/// Rows of numbers of one length.
#[derive(Debug)]
pub enum VectorFile {
    /// NumPy's format: numbers alone.
    Npy(NpyFile),
    /// Parquet: a column of lists, and ids where there is a column of them.
    Parquet(ParquetFile),
}

impl VectorFile {
    /// Opens `path`; `column` names the vectors of a Parquet file where several columns could be them.
    ///
    /// # Errors
    /// It is of neither format, or cannot be read as what it is; or a column of a `.npy` file is asked for.
    pub fn open(path: &Path, column: Option<&str>) -> Result<Self> {
        let mut magic = Vec::new();
        let file = File::open(path).map_err(Error::io("open", path))?;
        if file.metadata().map_err(Error::io("open", path))?.is_dir() {
            return Err(Error::io("open", path)(io::ErrorKind::IsADirectory.into()));
        }
        file.take(4).read_to_end(&mut magic).map_err(Error::io("read", path))?;
        let bad = |problem: &str| Err(Error::VectorFile { path: path.to_owned(), problem: problem.to_owned() });
        match (magic.as_slice(), column) {
            (b"PAR1", _) => Ok(Self::Parquet(ParquetFile::open(path, column)?)),
            (b"\x93NUM", None) => Ok(Self::Npy(NpyFile::open(path)?)),
            (b"\x93NUM", Some(_)) => bad("is in NumPy's format, which has no columns; name none"),
            (b"", _) => bad("is empty; write it again"),
            _ => bad("is neither in NumPy's format nor Parquet; write it with numpy.save or as Parquet"),
        }
    }

    /// The ids of its rows: the column of a Parquet file that is named, or else looks like them; none in a `.npy` file.
    ///
    /// # Errors
    /// As [`ParquetFile::ids`].
    pub fn ids(&self, column: Option<&str>) -> Result<Option<Vec<String>>> {
        match self {
            Self::Npy(_) => Ok(None),
            Self::Parquet(file) => file.ids(column).map(Some),
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Npy(file) => file.len(),
            Self::Parquet(file) => file.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Length of a row.
    pub fn dim(&self) -> usize {
        match self {
            Self::Npy(file) => file.dim(),
            Self::Parquet(file) => file.dim(),
        }
    }

    /// f32, or f16 where the file holds that.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::Npy(file) => file.dtype(),
            Self::Parquet(file) => file.dtype(),
        }
    }

    /// Gives `each` all rows in their order.
    ///
    /// # Errors
    /// A number that is not finite; a Parquet file that is damaged, or whose rows are of several lengths or not there; what `each` fails with.
    pub fn for_each_row(&self, mut each: impl FnMut(&[f32]) -> Result<()>) -> Result<()> {
        match self {
            Self::Npy(file) => {
                let mut row = Vec::new();
                for at in 0..file.len() {
                    file.row(at, &mut row)?;
                    each(&row)?;
                }
                Ok(())
            }
            Self::Parquet(file) => file.for_each_row(each),
        }
    }

    /// All rows.
    ///
    /// # Errors
    /// As [`VectorFile::for_each_row`].
    pub fn read(&self) -> Result<Vectors> {
        let mut all = Vec::new();
        self.for_each_row(|row| {
            all.extend_from_slice(row);
            Ok(())
        })?;
        Vectors::new(self.dim(), all)
    }
}
