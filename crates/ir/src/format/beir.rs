//! A folder of corpus, queries and judgements, joined into examples.

use super::{ExampleOptions, texts};
use crate::collection::{ReadOptions, read_questions};
use crate::error::{Error, Result, snippet};
use crate::folder::{first_part, resolve, resolve_qrels};
use crate::{Example, ExampleIds, Qrels};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub(super) fn load(folder: &Path, options: &ExampleOptions) -> Result<Vec<Example>> {
    let judgements = qrels_path(folder, options)?;
    let corpus = match &options.corpus {
        Some(corpus) => resolve(corpus, "corpus")?,
        None => resolve(folder, "corpus")?,
    };
    let queries = match &options.queries {
        Some(queries) => resolve(queries, "queries")?,
        None => resolve(folder, "queries")?,
    };
    let qrels = Qrels::read(&judgements)?;
    let mut examples = examples(&qrels, &queries, &judgements, options)?;
    texts::fill(&mut examples, &corpus, &judgements)?;
    Ok(examples)
}

fn qrels_path(folder: &Path, options: &ExampleOptions) -> Result<PathBuf> {
    match &options.split {
        Some(split) => resolve_qrels(folder, Some(split)),
        None => first_part(folder, &["qrels.tsv".into(), "qrels/train.tsv".into()]),
    }
}

/// One example per query with a relevant document, in the order of the query ids, texts of documents left out.
fn examples(qrels: &Qrels, queries: &Path, judgements: &Path, options: &ExampleOptions) -> Result<Vec<Example>> {
    let mut found = HashMap::new();
    for question in read_questions(queries, &ReadOptions::default())? {
        let question = question?;
        if qrels.get(&question.id).is_some() {
            options.check_lang(question.lang, queries, question.line)?;
            found.insert(question.id.clone(), question);
        }
    }
    let mut examples = Vec::with_capacity(found.len());
    for (query, judged) in qrels.iter().filter(|(_, judged)| judged.values().any(|grade| *grade > 0)) {
        let Some(question) = found.remove(query) else {
            let (path, other) = (judgements.into(), queries.into());
            return Err(Error::UnknownId { path, what: "query", id: snippet(query), other });
        };
        let graded = |relevant| judged.iter().filter(move |(_, g)| (**g > 0) == relevant).map(|(doc, _)| doc.clone());
        let ids = ExampleIds {
            query: Some(query.clone()),
            positives: graded(true).collect(),
            negatives: graded(false).collect(),
        };
        let (query, lang, answers) = (question.text, question.lang, question.answers);
        examples.push(Example { query, lang, answers, ids, ..Example::default() });
    }
    Ok(examples)
}

#[cfg(test)]
mod tests {
    use crate::{ExampleOptions, load_examples};
    use std::fs;

    fn folder(qrels: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let corpus = "{\"_id\":\"d1\",\"title\":\"T\",\"text\":\"x\",\"lang\":\"en\"}\n{\"_id\":\"d2\",\"title\":\"\",\"text\":\"y\"}";
        fs::write(folder.path().join("corpus.jsonl"), corpus).unwrap();
        let queries =
            "{\"_id\":\"q2\",\"text\":\"two\",\"lang\":\"sw\",\"answers\":[\"a\"]}\n{\"_id\":\"q1\",\"text\":\"one\"}";
        fs::write(folder.path().join("queries.jsonl"), queries).unwrap();
        fs::write(folder.path().join("qrels.tsv"), format!("query-id\tcorpus-id\tscore\n{qrels}")).unwrap();
        folder
    }

    #[test]
    fn texts_are_joined_and_grades_part_them() {
        let folder = folder("q2\td1\t1\nq2\td2\t0\nq1\td2\t0\n");
        let examples = load_examples(folder.path(), &ExampleOptions::default()).unwrap();
        assert_eq!(examples.len(), 1);
        let e = &examples[0];
        assert_eq!(
            (e.query.as_str(), &e.positives[..], &e.negatives[..]),
            ("two", &["T x".to_owned()][..], &["y".to_owned()][..])
        );
        assert_eq!(
            (e.ids.query.as_deref(), &e.ids.positives[..], &e.answers[..]),
            (Some("q2"), &["d1".to_owned()][..], &["a".to_owned()][..])
        );
        assert_eq!((e.lang.unwrap().as_str(), e.doc_lang.unwrap().as_str()), ("sw", "en"));
    }

    #[test]
    fn a_judged_query_without_the_language_that_is_needed_is_told_with_its_line() {
        let options = ExampleOptions { lang_needed: true, ..ExampleOptions::default() };
        load_examples(folder("q2\td1\t1\n").path(), &options).unwrap();
        let error = load_examples(folder("q2\td1\t1\nq1\td2\t1\n").path(), &options).unwrap_err().to_string();
        assert!(error.contains("queries.jsonl:2: ") && error.contains("`lang`"), "{error}");
    }

    #[test]
    fn ids_that_point_nowhere_are_named() {
        for (qrels, id) in [("q9\td1\t1\n", "query \"q9\""), ("q1\td9\t1\n", "document \"d9\"")] {
            let error = load_examples(folder(qrels).path(), &ExampleOptions::default()).unwrap_err().to_string();
            assert!(error.contains(id) && error.contains("qrels.tsv"), "{error}");
        }
    }
}
