//! The texts behind ids: only those asked for are kept.

use crate::collection::{ReadOptions, read_docs, read_queries};
use crate::error::{Error, Result, snippet};
use crate::{Doc, Example, Query};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Puts the texts of `ids.positives` and `ids.negatives` into every example; `from` lists the ids.
pub(super) fn fill(examples: &mut [Example], corpus: &Path, from: &Path) -> Result<()> {
    let wanted: HashSet<String> =
        examples.iter().flat_map(|e| e.ids.positives.iter().chain(&e.ids.negatives)).cloned().collect();
    let docs = docs(corpus, &wanted)?;
    for example in examples {
        let text = |id: &String| match docs.get(id) {
            Some(doc) => Ok(doc.full_text().into_owned()),
            None => {
                Err(Error::UnknownId { path: from.into(), what: "document", id: snippet(id), other: corpus.into() })
            }
        };
        example.positives = example.ids.positives.iter().map(text).collect::<Result<_>>()?;
        example.negatives = example.ids.negatives.iter().map(text).collect::<Result<_>>()?;
        let lang = example.ids.positives.first().and_then(|id| docs.get(id)?.lang);
        example.doc_lang = example.doc_lang.or(lang);
    }
    Ok(())
}

/// Puts the text of `ids.query` into every example; `from` lists the ids.
pub(super) fn fill_queries(examples: &mut [Example], queries: &Path, from: &Path) -> Result<()> {
    let wanted: HashSet<String> = examples.iter().filter_map(|e| e.ids.query.clone()).collect();
    let mut texts: HashMap<String, Query> = HashMap::new();
    for query in read_queries(queries, &ReadOptions::default())? {
        let query = query?;
        if wanted.contains(&query.id) {
            texts.insert(query.id.clone(), query);
        }
    }
    for example in examples {
        let Some(id) = &example.ids.query else { continue };
        let Some(query) = texts.get(id) else {
            return Err(Error::UnknownId { path: from.into(), what: "query", id: snippet(id), other: queries.into() });
        };
        example.query.clone_from(&query.text);
        example.lang = query.lang;
    }
    Ok(())
}

fn docs(corpus: &Path, wanted: &HashSet<String>) -> Result<HashMap<String, Doc>> {
    let mut docs = HashMap::with_capacity(wanted.len());
    for doc in read_docs(corpus, &ReadOptions::default())? {
        let doc = doc?;
        if wanted.contains(&doc.id) {
            docs.insert(doc.id.clone(), doc);
        }
    }
    Ok(docs)
}
