//! Rows of TSV (raw) and CSV (RFC 4180, quoted fields may span lines), with and without a header.

use crate::error::{Error, Result};
use crate::reader::Lines;
use serde_json::{Map, Value};
use std::path::Path;

/// Rows of delimited text.
pub(crate) struct Rows<'a> {
    lines: Lines<'a>,
    delimiter: char,
    buf: String,
}

impl<'a> Rows<'a> {
    pub fn new(lines: Lines<'a>, delimiter: char) -> Self {
        Self { lines, delimiter, buf: String::new() }
    }

    pub fn path(&self) -> &Path {
        self.lines.path()
    }

    /// The next row that is not blank and the line it starts at.
    pub fn next_row(&mut self) -> Result<Option<(Vec<String>, usize)>> {
        if !self.lines.next_content(&mut self.buf)? {
            return Ok(None);
        }
        let line = self.lines.number();
        let row = match self.delimiter {
            ',' => self.quoted(line)?,
            delimiter => self.buf.split(delimiter).map(str::to_owned).collect(),
        };
        Ok(Some((row, line)))
    }

    /// As [`Rows::next_row`], refusing any other number of columns than `N`.
    pub fn next_columns<const N: usize>(&mut self, expected: &str) -> Result<Option<([String; N], usize)>> {
        let Some((row, line)) = self.next_row()? else {
            return Ok(None);
        };
        match row.try_into() {
            Ok(columns) => Ok(Some((columns, line))),
            Err(row) => Err(self.columns(expected, row.len(), line)),
        }
    }

    pub fn columns(&self, expected: &str, got: usize, line: usize) -> Error {
        Error::Columns { path: self.path().into(), line, expected: expected.into(), got }
    }

    fn quoted(&mut self, first_line: usize) -> Result<Vec<String>> {
        let mut row = vec![String::new()];
        let mut open = false;
        loop {
            split_quoted(&self.buf, self.delimiter, &mut row, &mut open);
            if !open {
                return Ok(row);
            }
            if !self.lines.next_line(&mut self.buf)? {
                return Err(Error::UnclosedQuote { path: self.path().into(), line: first_line });
            }
            if let Some(field) = row.last_mut() {
                field.push('\n');
            }
        }
    }
}

/// Adds one line to a row; `open` says whether a quote is still open at its end.
fn split_quoted(line: &str, delimiter: char, row: &mut Vec<String>, open: &mut bool) {
    let mut chars = line.chars().peekable();
    let mut field = row.pop().unwrap_or_default();
    while let Some(c) = chars.next() {
        match c {
            '"' if *open && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if *open => *open = false,
            '"' if field.is_empty() => *open = true,
            c if c == delimiter && !*open => row.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    row.push(field);
}

/// Rows under a header.
pub(crate) struct Table<'a> {
    rows: Rows<'a>,
    header: Vec<String>,
}

impl<'a> Table<'a> {
    /// Takes the first row as the header.
    pub fn new(lines: Lines<'a>, delimiter: char) -> Result<Self> {
        let mut rows = Rows::new(lines, delimiter);
        let header = rows.next_row()?.map_or(Vec::new(), |(row, _)| row);
        Ok(Self { rows, header })
    }

    pub fn path(&self) -> &Path {
        self.rows.path()
    }

    pub fn next_object(&mut self) -> Result<Option<(Map<String, Value>, usize)>> {
        let Some((row, line)) = self.rows.next_row()? else {
            return Ok(None);
        };
        if row.len() != self.header.len() {
            let expected = format!("{} as in the header", self.header.len());
            return Err(self.rows.columns(&expected, row.len(), line));
        }
        let fields = self.header.iter().cloned().zip(row.into_iter().map(Value::String)).collect();
        Ok(Some((fields, line)))
    }
}

/// The delimiter and the names of a header that has one of each group of `names`; `None` where the line is no such header.
pub(crate) fn header_of(line: &str, names: &[&[&str]]) -> Option<(char, Vec<String>)> {
    let delimiter = if line.contains('\t') { '\t' } else { ',' };
    let header: Vec<String> = line.split(delimiter).map(|n| n.trim_matches('"').to_owned()).collect();
    let has = |group: &&[&str]| group.iter().any(|name| header.iter().any(|h| h == name));
    names.iter().all(has).then_some((delimiter, header))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(text: &str) -> Result<Vec<(Vec<String>, usize)>> {
        let mut rows = Rows::new(Lines::from_reader(text.as_bytes(), "x.csv")?, ',');
        std::iter::from_fn(|| rows.next_row().transpose()).collect()
    }

    #[test]
    fn csv_fields_hold_commas_quotes_and_line_ends() {
        let rows = csv("a,\"b,\"\"c\"\"\nd\",\n1,2\" x,\"\"\n").unwrap();
        assert_eq!(rows[0], (vec!["a".into(), "b,\"c\"\nd".into(), String::new()], 1));
        assert_eq!(rows[1], (vec!["1".into(), "2\" x".into(), String::new()], 3));
    }

    #[test]
    fn an_open_quote_is_told_with_the_line_it_opens_in() {
        let error = csv("a\n\"b\nc\n").unwrap_err().to_string();
        assert!(error.starts_with("x.csv:2:"), "{error}");
    }
}
