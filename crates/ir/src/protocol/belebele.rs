//! Belebele (Bandarkar et al. 2023) as retrieval: the passage behind each question, among the 488 of a language.
//!
//! nDCG@10 of X→X, X→en and en→X; the pair `A-B` searches passages of A for questions of B.

use super::squad::Passages;
use super::xquad::across;
use super::{Retrieval, files};
use crate::error::Result;
use crate::fields::Records;
use crate::reader::Lines;
use crate::{Doc, Lang, Query};
use std::collections::HashMap;
use std::path::Path;

/// Reads `eng_Latn.jsonl` and the other languages that are there: `link` names the passage, `flores_passage` is its text.
///
/// # Errors
/// No file is there, or one is malformed.
pub fn read(path: &Path) -> Result<Retrieval> {
    let mut langs = Vec::new();
    for (code, file) in files::some(files::between(path, "", ".jsonl")?, path, "eng_Latn.jsonl or another language's")?
    {
        langs.push(passages(&file, files::lang(&code, &file)?)?);
    }
    Ok(across(langs, "eng-Latn", &["nDCG@10"]))
}

fn passages(path: &Path, lang: Lang) -> Result<Passages> {
    let mut all = Passages { lang, docs: vec![], queries: vec![], answers: vec![], ids: HashMap::new() };
    for record in Records::json(Lines::open(path)?)? {
        let mut record = record?;
        let (link, number) = (record.text(&["link"])?, record.id(&["question_number"])?);
        let (text, question) = (record.text(&["flores_passage"])?, record.text(&["question"])?);
        if !all.ids.contains_key(&link) {
            let id = format!("{lang}-{link}");
            all.ids.insert(link.clone(), id.clone());
            all.docs.push(Doc { id, title: String::new(), text, lang: Some(lang) });
        }
        let id = format!("{lang}-{link}#{number}");
        all.answers.push((id.clone(), link));
        all.queries.push(Query { id, text: question, lang: Some(lang) });
    }
    Ok(all)
}
