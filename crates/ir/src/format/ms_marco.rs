//! MS MARCO's triples: rows of query, positive and negative, as texts or as ids.

use super::{ExampleOptions, texts};
use crate::error::{Error, Result};
use crate::reader::Lines;
use crate::table::Rows;
use crate::{Example, ExampleIds};

/// Ids where a corpus or queries are named; rows of numbers alone are refused otherwise.
pub(super) fn load(lines: Lines<'_>, options: &ExampleOptions) -> Result<Vec<Example>> {
    let path = lines.path().to_path_buf();
    let by_id = options.corpus.is_some() || options.queries.is_some();
    let mut rows = Rows::new(lines, '\t');
    let mut examples = Vec::new();
    while let Some(([query, positive, negative], line)) =
        rows.next_columns("3 (query, positive, negative), apart by tabs")?
    {
        let numbers = [&query, &positive, &negative].iter().all(|text| text.bytes().all(|b| b.is_ascii_digit()));
        let missing = if options.corpus.is_none() { "document" } else { "query" };
        if (by_id && (options.corpus.is_none() || options.queries.is_none())) || (!by_id && numbers) {
            return Err(Error::TextsNeeded { path, line, what: missing });
        }
        options.check_lang(None, &path, line)?;
        examples.push(match by_id {
            true => Example {
                ids: ExampleIds { query: Some(query), positives: vec![positive], negatives: vec![negative] },
                ..Example::default()
            },
            false => Example { query, positives: vec![positive], negatives: vec![negative], ..Example::default() },
        });
    }
    if let (Some(corpus), Some(queries)) = (&options.corpus, &options.queries) {
        texts::fill(&mut examples, corpus, &path)?;
        texts::fill_queries(&mut examples, queries, &path)?;
    }
    Ok(examples)
}

#[cfg(test)]
mod tests {
    use crate::{ExampleOptions, load_examples, read_examples};

    #[test]
    fn ids_need_their_texts() {
        let error = read_examples(&b"1\t2\t3\n"[..], "t.tsv", &ExampleOptions::default()).unwrap_err().to_string();
        assert!(error.starts_with("t.tsv:1:") && error.contains("`corpus`"), "{error}");
    }

    #[test]
    fn ids_find_their_texts() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (corpus, queries) = (path("collection.tsv", "2\tp\n3\tn\n"), path("queries.tsv", "1\tq\n"));
        let options = ExampleOptions { corpus: Some(corpus), queries: Some(queries), ..Default::default() };
        let got = load_examples(path("triples.tsv", "1\t2\t3\n"), &options).unwrap();
        assert_eq!((&got[0].query[..], &got[0].positives[0][..], &got[0].negatives[0][..]), ("q", "p", "n"));
    }
}
