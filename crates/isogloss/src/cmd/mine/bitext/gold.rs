//! Pairs that are known to be right, and how what was found compares with them.

use crate::exit::Fault;
use crate::input::Input;
use isogloss_dense::{Bitext, Margin, Mined, VectorStore};
use isogloss_ir::reader::Lines;
use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

/// A row of the file: two ids and their line.
pub type Row = ([String; 2], usize);

/// Reads rows of two ids, apart by a tab.
///
/// # Errors
/// The file cannot be read, has no row, or one of more or fewer columns.
pub fn read(path: &Path) -> anyhow::Result<Vec<Row>> {
    let mut lines = Lines::open(path)?;
    let (mut rows, mut buf) = (Vec::new(), String::new());
    while lines.next_content(&mut buf)? {
        let (line, ids): (_, Vec<&str>) = (lines.number(), buf.split('\t').map(str::trim).collect());
        match ids[..] {
            [x, y] => rows.push(([x.to_owned(), y.to_owned()], line)),
            _ => {
                let (path, got) = (path.to_owned(), ids.len());
                let expected = "2 (an id of each side), apart by a tab".into();
                return Err(isogloss_ir::Error::Columns { path, line, expected, got }.into());
            }
        }
    }
    match rows.is_empty() {
        false => Ok(rows),
        true => {
            Err(isogloss_ir::Error::Empty { path: path.to_owned(), expected: "rows of two ids, apart by a tab" }.into())
        }
    }
}

/// For rows of the first side the row of the second that is their translation.
pub struct Gold(Vec<(u32, u32)>);

impl Gold {
    /// Pairs by their ids.
    ///
    /// # Errors
    /// An id that its side does not have.
    pub fn of_ids(rows: &[Row], x: &VectorStore, y: &VectorStore, path: &Path) -> anyhow::Result<Self> {
        let by_id = |store: &VectorStore| -> HashMap<String, u32> {
            (0..store.rows()).map(|row| (store.id(row).to_owned(), row as u32)).collect()
        };
        let sides = [by_id(x), by_id(y)];
        let find = |side: usize, ids: &[String; 2], line: usize| {
            sides[side].get(&ids[side]).copied().ok_or_else(|| {
                let which = ["first", "second"][side];
                let problem = format!("the {which} side has no text {:?}; give ids of both sides", ids[side]);
                Fault::new(Path::new(&format!("{}:{line}", path.display())), problem)
            })
        };
        let pair = |(ids, line): &Row| Ok((find(0, ids, *line)?, find(1, ids, *line)?));
        rows.iter().map(pair).collect::<Result<_, Fault>>().map(Self).map_err(Into::into)
    }

    /// Row `i` with row `i`.
    ///
    /// # Errors
    /// The sides have not the same number of rows.
    pub fn aligned(x: &VectorStore, y: &VectorStore, sides: &[Input]) -> Result<Self, Fault> {
        match x.rows() == y.rows() {
            true => Ok(Self((0..x.rows() as u32).map(|row| (row, row)).collect())),
            false => {
                let problem = format!(
                    "{} texts, but {} in {}; --aligned needs as many, or name the pairs by --gold",
                    y.rows(),
                    x.rows(),
                    sides[0]
                );
                Err(Fault::new(&sides[1].path, problem))
            }
        }
    }

    /// xSIM errors by every margin and direction, and precision, recall and F1 of the pairs mined.
    pub fn told(&self, bitext: &Bitext<'_>, mined: &[Mined], margin: Margin) -> String {
        let mut told = String::new();
        let all = self.0.len().max(1) as f64;
        for margin in [Margin::Absolute, Margin::Distance, Margin::Ratio] {
            let [forth, back] = [bitext.rescored(margin), bitext.rescored_back(margin)];
            let wrong_forth = self.0.iter().filter(|(x, y)| forth[*x as usize] != *y).count();
            let wrong_back = self.0.iter().filter(|(x, y)| back[*y as usize] != *x).count();
            let percent = |wrong: usize| 100.0 * wrong as f64 / all;
            let (forth, back) = (percent(wrong_forth), percent(wrong_back));
            let _ = writeln!(
                told,
                "xSIM error, {margin}: {forth:.2} % forward, {back:.2} % backward, of {} pairs",
                self.0.len()
            );
        }
        let gold: std::collections::HashSet<_> = self.0.iter().copied().collect();
        let right = mined.iter().filter(|pair| gold.contains(&(pair.x, pair.y))).count() as f64;
        let (precision, recall) = (right / mined.len().max(1) as f64, right / all);
        let f1 = if right == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) };
        let _ = writeln!(
            told,
            "{} pairs mined by {margin}: precision {:.2} %, recall {:.2} %, F1 {:.2} %",
            mined.len(),
            100.0 * precision,
            100.0 * recall,
            100.0 * f1
        );
        told
    }
}
