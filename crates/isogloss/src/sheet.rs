//! Tables of results: for people, as Markdown, and as CSV for other programs.

use comfy_table::{CellAlignment, Table, presets};
use std::io::{self, Write};

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct Form {
    /// Print JSON.
    #[arg(long, conflicts_with_all = ["csv", "markdown"])]
    pub json: bool,

    /// Print CSV, numbers in full.
    #[arg(long, conflicts_with = "markdown")]
    pub csv: bool,

    /// Print tables as Markdown.
    #[arg(long)]
    pub markdown: bool,
}

/// Rows of text under a header.
#[derive(Debug, Clone)]
pub struct Sheet {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Sheet {
    /// No rows yet.
    pub fn new<T: Into<String>>(header: impl IntoIterator<Item = T>) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// Writes it with aligned columns, all but the first to the right; or as Markdown.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, markdown: bool, out: &mut impl Write) -> io::Result<()> {
        let mut table = Table::new();
        table.load_style(if markdown { presets::ASCII_MARKDOWN } else { presets::NOTHING });
        table.set_header(&self.header);
        for row in &self.rows {
            table.add_row(row);
        }
        for column in 1..self.header.len() {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        writeln!(out, "{}", table.trim_fmt())
    }

    /// Writes it as CSV (RFC 4180).
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        for row in std::iter::once(&self.header).chain(&self.rows) {
            let cells: Vec<_> = row.iter().map(|cell| quoted(cell)).collect();
            writeln!(out, "{}", cells.join(","))?;
        }
        Ok(())
    }
}

fn quoted(cell: &str) -> String {
    match cell.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sheet_in_three_forms() {
        let mut sheet = Sheet::new(["over", "n"]);
        sheet.push(vec!["fi, \"all\"".into(), "7".into()]);
        let written = |write: &dyn Fn(&mut Vec<u8>) -> io::Result<()>| {
            let mut bytes = Vec::new();
            write(&mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(written(&|out| sheet.write_csv(out)), "over,n\n\"fi, \"\"all\"\"\",7\n");
        assert!(written(&|out| sheet.write(true, out)).contains("| fi, \"all\" | 7 |"));
        assert!(written(&|out| sheet.write(false, out)).contains("fi, \"all\"  7"));
    }
}
