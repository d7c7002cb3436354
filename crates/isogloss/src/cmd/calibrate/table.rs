//! What was fitted, one language a row.

use super::gather::Gathered;
use super::rotation::Turned;
use comfy_table::{CellAlignment, Table, presets};
use isogloss_ir::Lang;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Prints language, texts, length of the mean, deviation; of rotations the pairs, and the mean CSLS cosine before and after.
///
/// # Errors
/// stdout cannot be written.
pub fn print(gathered: &Gathered, turned: &BTreeMap<Lang, Turned>) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let turning = !turned.is_empty();
    let header = ["language", "texts", "|mean|", "std"].into_iter();
    table.set_header(header.chain(["pairs", "cosine before", "after"].into_iter().filter(|_| turning)));
    for (lang, of_lang) in &gathered.langs {
        let moments = &of_lang.moments;
        let length = moments.mean().iter().map(|x| x * x).sum::<f64>().sqrt();
        let numbers = [format!("{length:.4}"), format!("{:.4}", moments.scalar_std())];
        let mut row = vec![lang.to_string(), moments.count().to_string()];
        row.extend(numbers);
        row.extend(turned.get(lang).into_iter().flat_map(cells));
        table.add_row(row);
    }
    (1..table.column_count()).for_each(|column| {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    });
    writeln!(io::stdout(), "{}", table.trim_fmt())
}

fn cells(turned: &Turned) -> [String; 3] {
    let pairs = turned.pairs.map_or("none".to_owned(), |pairs| pairs.to_string());
    [pairs, format!("{:.4}", turned.before), format!("{:.4}", turned.after)]
}
