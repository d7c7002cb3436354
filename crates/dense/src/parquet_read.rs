//! Vectors and their ids in a Parquet file, read page by page.

mod batch;
mod columns;
mod guard;
mod pages;

use std::collections::HashMap;
use std::fmt::Display;
use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::basic::Compression;
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::{Dtype, Error, Result};
use batch::{Batch, read_ids};
use columns::{IdColumn, VectorColumn};
use guard::guarded;
pub use guard::panic_is_caught;
use pages::Pages;

/// Rows decoded at once.
const BATCH: usize = 256;

/// A column of lists of numbers of a Parquet file.
///
/// Memory: the pages that are being read, with their dictionaries, and 256 rows; never more than a row group holds of one column.
pub struct ParquetFile {
    reader: SerializedFileReader<File>,
    path: PathBuf,
    column: VectorColumn,
    rows: usize,
    dim: usize,
}

impl ParquetFile {
    /// Opens `path`, of whose columns `column`, or the only one of them that could be, holds the vectors: lists of f32, f64 or f16 of one length.
    ///
    /// # Errors
    /// It is no such file; no column or several could be the vectors and none is named; they are compressed as is not read here; the first row is
    /// no vector, or there is none.
    pub fn open(path: &Path, column: Option<&str>) -> Result<Self> {
        let bad = |problem: String| Error::VectorFile { path: path.to_owned(), problem };
        let file = File::open(path).map_err(Error::io("open", path))?;
        let reader = guarded(|| SerializedFileReader::new(file)).map_err(|e| bad(damaged(&e)))?;
        let metadata = reader.metadata();
        let column = columns::vectors(metadata.file_metadata().schema_descr(), column).map_err(bad)?;
        let mut rows = 0usize;
        for group in metadata.row_groups() {
            let count = usize::try_from(group.num_rows()).ok();
            rows = count.and_then(|count| rows.checked_add(count)).ok_or_else(|| bad(damaged(&"negative rows")))?;
        }
        if rows == 0 {
            return Err(bad("holds no rows; write some to it".to_owned()));
        }
        let mut file = Self { reader, path: path.to_owned(), column, rows, dim: 0 };
        file.check_compression(file.column.leaf, &file.column.name)?;
        file.dim = file.first_length()?;
        Ok(file)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Length of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// f16 where that is what the lists hold, else f32, to which f64 is rounded.
    pub fn dtype(&self) -> Dtype {
        self.column.dtype
    }

    /// The ids of all rows: the strings or whole numbers of `column`, or of the only column whose name is one of ids (`id`, `docid` and the like).
    ///
    /// # Errors
    /// No column or several could be the ids and none is named; a row without an id, or with another's; damage.
    pub fn ids(&self, column: Option<&str>) -> Result<Vec<String>> {
        let columns = self.reader.metadata().file_metadata().schema_descr();
        let column = columns::ids(columns, column).map_err(|problem| self.bad(problem))?;
        self.check_compression(column.leaf, &column.name)?;
        // As many as the file says that it has rows, which a damaged one may say wrongly: nothing is reserved.
        let mut ids = Vec::new();
        for group in 0..self.reader.num_row_groups() {
            self.ids_of_group(group, &column, &mut ids)?;
        }
        let mut seen = HashMap::new();
        for (row, id) in ids.iter().enumerate() {
            if let Some(first) = seen.insert(id.as_str(), row) {
                let problem = format!("{id:?} is the id of row {first} too; rename one of the two");
                return Err(self.bad_row(&column.name, row, problem));
            }
        }
        Ok(ids)
    }

    /// Gives `each` the rows in their order.
    ///
    /// # Errors
    /// A row that is not there or of another length than the first; a number that is not there or not finite; damage; what `each` fails with.
    pub fn for_each_row(&self, mut each: impl FnMut(&[f32]) -> Result<()>) -> Result<()> {
        let mut row = 0;
        for group in 0..self.reader.num_row_groups() {
            let (mut column, mut batch) = (self.column_reader(group, self.column.leaf)?, Batch::default());
            let end = row + self.rows_of(group);
            while self.read(&mut column, BATCH, row, &mut batch)? {
                for numbers in batch.rows() {
                    self.check(row, numbers)?;
                    each(numbers)?;
                    row += 1;
                }
            }
            self.check_end(&self.column.name, row, end)?;
        }
        Ok(())
    }

    /// Length of the first row there is.
    fn first_length(&self) -> Result<usize> {
        for group in 0..self.reader.num_row_groups() {
            let (mut column, mut batch) = (self.column_reader(group, self.column.leaf)?, Batch::default());
            if self.read(&mut column, 1, 0, &mut batch)? {
                return Ok(batch.rows().next().map_or(0, <[f32]>::len));
            }
        }
        Err(self.bad(damaged(&"no row where some should be")))
    }

    /// Decodes the next rows, the first of them `row`, and says whether there were any.
    fn read(&self, column: &mut ColumnReader, records: usize, row: usize, batch: &mut Batch) -> Result<bool> {
        batch.read(column, &self.column, records).map_err(|(at, problem)| match at {
            Some(at) => self.bad_row(&self.column.name, row + at, problem),
            None => self.bad_row(&self.column.name, row, damaged(&problem)),
        })?;
        Ok(batch.rows().next().is_some())
    }

    fn check(&self, row: usize, numbers: &[f32]) -> Result<()> {
        let problem = if numbers.len() != self.dim {
            format!("{} numbers, the first row has {}; make them equally many", numbers.len(), self.dim)
        } else if let Some(at) = numbers.iter().position(|x| !x.is_finite()) {
            format!("{} at component {at}, as 32 bits; make it finite", numbers[at])
        } else {
            return Ok(());
        };
        Err(self.bad_row(&self.column.name, row, problem))
    }

    fn ids_of_group(&self, group: usize, column: &IdColumn, ids: &mut Vec<String>) -> Result<()> {
        let mut reader = self.column_reader(group, column.leaf)?;
        let end = ids.len() + self.rows_of(group);
        loop {
            let row = ids.len();
            let read = read_ids(&mut reader, column, BATCH, ids).map_err(|(at, problem)| match at {
                Some(at) => self.bad_row(&column.name, row + at, problem),
                None => self.bad_row(&column.name, row, damaged(&problem)),
            })?;
            // What is damaged may go on without an end.
            if read == 0 || ids.len() > end {
                return self.check_end(&column.name, ids.len(), end);
            }
        }
    }

    /// Fails where a row group held more or fewer rows than it says.
    fn check_end(&self, column: &str, row: usize, end: usize) -> Result<()> {
        match row == end {
            true => Ok(()),
            false => Err(self.bad_row(
                column,
                row,
                damaged(&format!("its row group ends here, {end} rows in all were promised")),
            )),
        }
    }

    fn rows_of(&self, group: usize) -> usize {
        // Checked when opened.
        self.reader.metadata().row_group(group).num_rows() as usize
    }

    fn column_reader(&self, group: usize, leaf: usize) -> Result<ColumnReader> {
        let column = self.reader.metadata().row_group(group).column(leaf).column_descr_ptr();
        let pages = guarded(|| self.reader.get_row_group(group)?.get_column_page_reader(leaf));
        let pages = pages.map_err(|e| self.bad(damaged(&e)))?;
        Ok(get_column_reader(column.clone(), Box::new(Pages::new(pages, &column))))
    }

    fn check_compression(&self, leaf: usize, name: &str) -> Result<()> {
        for group in self.reader.metadata().row_groups() {
            let compression = group.column(leaf).compression();
            use Compression::{GZIP, SNAPPY, UNCOMPRESSED, ZSTD};
            if !matches!(compression, UNCOMPRESSED | SNAPPY | GZIP(_) | ZSTD(_)) {
                let cure = "write it with snappy, zstd, gzip or none";
                let problem = format!("column {name:?} is compressed by {compression}; {cure}");
                return Err(self.bad(problem));
            }
        }
        Ok(())
    }

    fn bad(&self, problem: String) -> Error {
        Error::VectorFile { path: self.path.clone(), problem }
    }

    fn bad_row(&self, column: &str, row: usize, problem: String) -> Error {
        self.bad(format!("column {column:?}, row {row}: {problem}"))
    }
}

impl std::fmt::Debug for ParquetFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetFile").field("path", &self.path).field("column", &self.column).finish_non_exhaustive()
    }
}

/// What is wrong with a file that the format does not allow.
fn damaged(said: &impl Display) -> String {
    format!("cannot be read as Parquet ({said}): cut short or damaged; write it again")
}
