//! CLEAR's columns: an anchor with its positive and negatives, the anchor in another language, and
//! wrong queries in that language.
//!
//! | column | alias |
//! |---|---|
//! | `anchor` | `en_question` |
//! | `positive` | `paragraphs` |
//! | `negative_1`, `negative_2`, … | `neg_1`, `neg_2`, … |
//! | `cross_anchor` | `lang_question` |
//! | `neg_query_1`, `neg_query_2`, … | |
//! | `lang`, `cross_lang`: the language of anchor and positive, and of the cross anchor | |

use super::records;
use crate::error::{Error, Result};
use crate::fields::Record;
use crate::reader::Lines;
use crate::{Example, Lang};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::Path;

/// One row of CLEAR's training data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClearExample {
    /// The query in the language of the texts.
    pub anchor: String,
    /// The text that answers it.
    pub positive: String,
    /// Texts that do not.
    pub negatives: Vec<String>,
    /// The same query in another language; `None` where the row has none.
    pub cross_anchor: Option<String>,
    /// Other queries in the language of the cross anchor.
    pub neg_queries: Vec<String>,
    /// The language of anchor and texts, where known.
    pub lang: Option<Lang>,
    /// The language of the cross anchor and the wrong queries, where known.
    pub cross_lang: Option<Lang>,
}

impl From<ClearExample> for Example {
    /// The monolingual half: what a row says without its cross anchor and wrong queries.
    fn from(row: ClearExample) -> Self {
        Example {
            query: row.anchor,
            positives: vec![row.positive],
            negatives: row.negatives,
            lang: row.lang,
            doc_lang: row.lang,
            ..Example::default()
        }
    }
}

/// The rows of a JSON, TSV or CSV file.
///
/// # Errors
/// A file that cannot be read, is empty or malformed, or a row without anchor or positive.
pub fn load_clear(path: impl AsRef<Path>) -> Result<Vec<ClearExample>> {
    from_lines(Lines::open(path.as_ref())?)
}

/// As [`load_clear`], from any source; `name` stands for the path in errors.
///
/// # Errors
/// As [`load_clear`].
pub fn read_clear<'a>(reader: impl Read + Send + 'a, name: &str) -> Result<Vec<ClearExample>> {
    from_lines(Lines::from_reader(reader, name)?)
}

fn from_lines(lines: Lines<'_>) -> Result<Vec<ClearExample>> {
    let path = lines.path().to_path_buf();
    let rows: Vec<_> = records(lines)?.map(|record| example(&mut record?)).collect::<Result<_>>()?;
    match rows.is_empty() {
        true => Err(Error::Empty {
            path,
            expected: "rows of anchor, positive, negative_1 …, cross_anchor, neg_query_1 …",
        }),
        false => Ok(rows),
    }
}

pub(crate) fn example(record: &mut Record) -> Result<ClearExample> {
    let mut negatives = record.numbered("negative")?;
    negatives.extend(record.numbered("neg")?);
    Ok(ClearExample {
        anchor: record.content(&["anchor", "en_question"])?,
        positive: record.content(&["positive", "paragraphs"])?,
        negatives,
        cross_anchor: record.optional_text(&["cross_anchor", "lang_question"])?.filter(|text| !text.is_empty()),
        neg_queries: record.numbered("neg_query")?,
        lang: record.lang(&["lang"])?,
        cross_lang: record.lang(&["cross_lang"])?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_say_the_same() {
        let names = "anchor,positive,negative_1,negative_2,cross_anchor,neg_query_1,neg_query_2\nq,p,n,m,k,x,y\n";
        let aliases = r#"{"en_question":"q","paragraphs":"p","neg_1":"n","neg_2":"m","lang_question":"k","neg_query_1":"x","neg_query_2":"y"}"#;
        let rows = read_clear(names.as_bytes(), "x").unwrap();
        assert_eq!(rows, read_clear(aliases.as_bytes(), "x").unwrap());
        assert_eq!(
            (rows[0].cross_anchor.as_deref(), &rows[0].neg_queries[..]),
            (Some("k"), &["x".to_owned(), "y".into()][..])
        );
    }
}
