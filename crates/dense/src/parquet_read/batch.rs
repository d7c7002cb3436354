//! Some rows of a column, decoded and told apart by their levels.

use half::f16;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{DataType, FixedLenByteArray};

use super::columns::{IdColumn, VectorColumn};
use super::guard::guarded;

/// What is wrong, and at which row counted from the first asked for; `None` where the file itself is damaged.
type Problem = (Option<usize>, String);

/// Rows of numbers, and where they end.
#[derive(Debug, Default)]
pub(super) struct Batch {
    numbers: Vec<f32>,
    ends: Vec<usize>,
    defined: Vec<i16>,
    repeated: Vec<i16>,
}

impl Batch {
    /// Decodes the next rows, `records` at most, in place of those in it; none at the end of the row group.
    pub fn read(&mut self, reader: &mut ColumnReader, column: &VectorColumn, records: usize) -> Result<(), Problem> {
        self.numbers.clear();
        self.ends.clear();
        match reader {
            ColumnReader::FloatColumnReader(reader) => self.decode(reader, column, records, |x| *x),
            ColumnReader::DoubleColumnReader(reader) => self.decode(reader, column, records, |x| *x as f32),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => self.decode(reader, column, records, half),
            _ => unreachable!("the column is of numbers"),
        }
    }

    /// The rows.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.numbers[start..end])
    }

    fn decode<T: DataType>(
        &mut self,
        reader: &mut ColumnReaderImpl<T>,
        column: &VectorColumn,
        records: usize,
        number: impl Fn(&T::T) -> f32,
    ) -> Result<(), Problem> {
        self.defined.clear();
        self.repeated.clear();
        let mut values = Vec::new();
        let (defined, repeated) = (&mut self.defined, &mut self.repeated);
        guarded(|| reader.read_records(records, Some(defined), Some(repeated), &mut values)).map_err(|e| (None, e))?;
        self.numbers.extend(values.iter().map(number));
        self.rows_of(column)
    }

    /// Finds where rows end: a row begins at repetition level 0.
    fn rows_of(&mut self, column: &VectorColumn) -> Result<(), Problem> {
        let (mut begun, mut numbers) = (0, 0);
        for (&defined, &repeated) in self.defined.iter().zip(&self.repeated) {
            if repeated == 0 {
                self.ends.extend((begun > 0).then_some(numbers));
                begun += 1;
            }
            let row = (begun.max(1) - 1) as usize;
            if defined < column.element {
                let what = if defined + 1 == column.element { "an empty list" } else { "null" };
                return Err((Some(row), format!("{what}; give it numbers, or leave the row out")));
            }
            if defined < column.number {
                let component = numbers - self.ends.last().copied().unwrap_or(0);
                return Err((Some(row), format!("null at component {component}; give it a number")));
            }
            numbers += 1;
        }
        self.ends.extend((begun > 0).then_some(numbers));
        let whole = self.repeated.first().is_none_or(|&first| first == 0) && numbers == self.numbers.len();
        if whole { Ok(()) } else { Err((None, "levels that do not fit the numbers".to_owned())) }
    }
}

/// Two bytes, of whose number the schema has made sure.
fn half(stored: &FixedLenByteArray) -> f32 {
    match stored.data() {
        &[low, high] => f16::from_le_bytes([low, high]).to_f32(),
        _ => f32::NAN,
    }
}

/// Decodes the next ids, `records` at most, behind those in `ids`, and returns how many.
pub(super) fn read_ids(
    reader: &mut ColumnReader,
    column: &IdColumn,
    records: usize,
    ids: &mut Vec<String>,
) -> Result<usize, Problem> {
    let unsigned = column.unsigned;
    match reader {
        ColumnReader::ByteArrayColumnReader(reader) => {
            decode_ids(reader, column, records, ids, |id| match std::str::from_utf8(id.data()) {
                Ok("") => Err("an empty id; give it one"),
                Ok(id) => Ok(id.to_owned()),
                Err(_) => Err("bytes that are no UTF-8; write ids as strings"),
            })
        }
        ColumnReader::Int32ColumnReader(reader) => decode_ids(reader, column, records, ids, |&id| {
            Ok(if unsigned { (id as u32).to_string() } else { id.to_string() })
        }),
        ColumnReader::Int64ColumnReader(reader) => decode_ids(reader, column, records, ids, |&id| {
            Ok(if unsigned { (id as u64).to_string() } else { id.to_string() })
        }),
        _ => unreachable!("the column is of strings or whole numbers"),
    }
}

fn decode_ids<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    column: &IdColumn,
    records: usize,
    ids: &mut Vec<String>,
    id: impl Fn(&T::T) -> Result<String, &'static str>,
) -> Result<usize, Problem> {
    let (mut values, mut defined) = (Vec::new(), Vec::new());
    let read = guarded(|| reader.read_records(records, Some(&mut defined), None, &mut values));
    let (rows, ..) = read.map_err(|e| (None, e))?;
    if let Some(row) = defined.iter().position(|&level| level < column.defined) {
        return Err((Some(row), "null; give it an id".to_owned()));
    }
    for (row, value) in values.iter().enumerate() {
        ids.push(id(value).map_err(|problem| (Some(row), problem.to_owned()))?);
    }
    Ok(rows)
}
