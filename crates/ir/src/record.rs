//! The two records of retrieval: what is asked and what is found.

use crate::{DocId, Lang, QueryId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What stands between title and text when both are encoded.
pub const TITLE_SEPARATOR: &str = " ";

/// A question put to the corpus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Its name in qrels and runs.
    pub id: QueryId,
    /// What is asked.
    pub text: String,
    /// The language it is asked in, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<Lang>,
}

/// The retrievable unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doc {
    /// Its name in qrels and runs.
    pub id: DocId,
    /// Its heading; empty where there is none.
    #[serde(default)]
    pub title: String,
    /// Its body.
    pub text: String,
    /// The language it is written in, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<Lang>,
}

impl Doc {
    /// Title and text with a space between, or the text alone where there is no title.
    pub fn full_text(&self) -> Cow<'_, str> {
        self.full_text_with(TITLE_SEPARATOR)
    }

    /// As [`Doc::full_text`] with another separator, such as `"\n\n"`.
    pub fn full_text_with(&self, separator: &str) -> Cow<'_, str> {
        titled(&self.title, &self.text, separator)
    }
}

pub(crate) fn titled<'a>(title: &'a str, text: &'a str, separator: &str) -> Cow<'a, str> {
    match (title.is_empty(), text.is_empty()) {
        (true, _) => text.into(),
        (false, true) => title.into(),
        (false, false) => format!("{title}{separator}{text}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_stands_only_between_two_parts() {
        assert_eq!(titled("", "text", " "), "text");
        assert_eq!(titled("title", "", " "), "title");
        assert_eq!(titled("title", "text", "\n\n"), "title\n\ntext");
    }
}
