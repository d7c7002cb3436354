//! What a generated query must pass.

use isogloss_ir::{Lang, Run};
use isogloss_lexical::contradicts;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use xxhash_rust::xxh3::xxh3_128;

/// A line of the queries.
#[derive(Debug, Deserialize)]
pub struct Generated {
    /// Its own id.
    pub id: String,
    /// What it asks.
    pub text: String,
    /// The passage that it was made from.
    pub doc: String,
    /// The language that it should be in.
    pub lang: Option<Lang>,
}

/// Why a query was dropped, in the order in which the rules are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Too short or too long.
    Length,
    /// In another language.
    Language,
    /// Came before.
    Duplicate,
    /// Taken from the passage.
    Copied,
    /// Does not find its passage.
    NotFound,
}

impl Reason {
    /// All of them in their order.
    pub const ALL: [Reason; 5] =
        [Reason::Length, Reason::Language, Reason::Duplicate, Reason::Copied, Reason::NotFound];

    /// The head of its column.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Length => "length",
            Reason::Language => "language",
            Reason::Duplicate => "duplicate",
            Reason::Copied => "copied",
            Reason::NotFound => "not found",
        }
    }
}

/// The rules that are asked.
pub struct Rules {
    /// How many characters a query may have.
    pub chars: RangeInclusive<usize>,
    /// Whether its language is looked at.
    pub check_language: bool,
    /// Hashes of the queries that were kept so far.
    pub seen: Option<HashSet<u128>>,
    /// The largest part of a query that may be copied, and the passages by id.
    pub copied: Option<(f64, HashMap<String, String>)>,
    /// A run, and the rank down to which it must have the passage.
    pub found: Option<(Run, usize)>,
}

impl Rules {
    /// The first rule that drops the query, if any does. A query counts as seen only if no other rule drops it before.
    ///
    /// # Errors
    /// What a rule needs to know is not there.
    pub fn dropped(&mut self, query: &Generated) -> Result<Option<Reason>, String> {
        let text = folded(&query.text);
        if !self.chars.contains(&text.chars().count()) {
            return Ok(Some(Reason::Length));
        }
        if self.check_language {
            let lang = query.lang.ok_or("names no lang to check its text by; add it or leave --check-language out")?;
            if contradicts(&query.text, lang) {
                return Ok(Some(Reason::Language));
            }
        }
        if self.seen.as_mut().is_some_and(|seen| !seen.insert(xxh3_128(text.as_bytes()))) {
            return Ok(Some(Reason::Duplicate));
        }
        if let Some((most, passages)) = &self.copied {
            let missing =
                || format!("doc {:?} is not in the corpus; name the one the queries were made from", query.doc);
            let passage = passages.get(&query.doc).ok_or_else(missing)?;
            if copied(&text, &folded(passage)) > *most {
                return Ok(Some(Reason::Copied));
            }
        }
        match &self.found {
            Some((run, top)) if !found(run, query, *top) => Ok(Some(Reason::NotFound)),
            _ => Ok(None),
        }
    }
}

fn found(run: &Run, query: &Generated, top: usize) -> bool {
    run.get(&query.id).is_some_and(|hits| hits.iter().take(top).any(|(doc, _)| *doc == query.doc))
}

/// In lower case, white space brought to single blanks.
fn folded(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The longest run of characters of `query` that `passage` holds too, as a part of its length; 0 of an empty one.
fn copied(query: &str, passage: &str) -> f64 {
    let query: Vec<char> = query.chars().collect();
    // For every place in the query the characters before it that also end at the present place of the passage.
    let mut ends = vec![0usize; query.len() + 1];
    let mut longest = 0;
    for c in passage.chars() {
        for i in (0..query.len()).rev() {
            ends[i + 1] = if query[i] == c { ends[i] + 1 } else { 0 };
            longest = longest.max(ends[i + 1]);
        }
    }
    longest as f64 / query.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(id: &str, text: &str, doc: &str, lang: Option<&str>) -> Generated {
        Generated { id: id.into(), text: text.into(), doc: doc.into(), lang: lang.map(|lang| lang.parse().unwrap()) }
    }

    fn none() -> Rules {
        Rules { chars: 0..=usize::MAX, check_language: false, seen: None, copied: None, found: None }
    }

    #[test]
    fn the_longest_common_run_is_found_in_any_script() {
        assert_eq!(copied("abcd", "xxabcyy"), 0.75);
        assert_eq!(copied("नदी चौड़ी", "यह नदी चौड़ी है"), 1.0);
        assert_eq!(copied("aaaa", "aa"), 0.5);
        assert_eq!(copied("", "x"), 0.0);
        assert_eq!(copied("ab", "ba"), 0.5);
    }

    #[test]
    fn each_rule_drops_what_it_is_for() {
        let ask = |mut rules: Rules, query: Generated| rules.dropped(&query).unwrap();
        let plain = || query("q", "How high is the river this year?", "d", Some("en"));
        assert_eq!(ask(none(), plain()), None);
        assert_eq!(ask(Rules { chars: 40..=99, ..none() }, plain()), Some(Reason::Length));
        let check = || Rules { check_language: true, ..none() };
        assert_eq!(ask(check(), plain()), None);
        let russian = query("q", "Насколько высока река в этом году?", "d", Some("en"));
        assert_eq!(ask(check(), russian), Some(Reason::Language));
        let passages = |text: &str| Some((0.8, HashMap::from([("d".to_owned(), text.to_owned())])));
        let copied = |text| Rules { copied: passages(text), ..none() };
        assert_eq!(ask(copied("Well, HOW high is  the river this year? Who knows."), plain()), Some(Reason::Copied));
        assert_eq!(ask(copied("The river is high this year."), plain()), None);
        let mut run = Run::new();
        run.insert("q", vec![("a".into(), 3.0), ("d".into(), 2.0), ("b".into(), 1.0)]).unwrap();
        let found = |top| Rules { found: Some((run.clone(), top)), ..none() };
        assert_eq!((ask(found(1), plain()), ask(found(2), plain())), (Some(Reason::NotFound), None));
        assert_eq!(ask(found(3), query("other", "x", "d", None)), Some(Reason::NotFound));
    }

    #[test]
    fn the_first_of_equal_queries_stays() {
        let mut rules = Rules { seen: Some(HashSet::new()), ..none() };
        let texts = ["How high?", "how  HIGH?", "How wide?"];
        let dropped = texts.map(|text| rules.dropped(&query("q", text, "d", None)).unwrap());
        assert_eq!(dropped, [None, Some(Reason::Duplicate), None]);
    }

    #[test]
    fn what_a_rule_needs_is_asked_for() {
        let mut rules = Rules { check_language: true, ..none() };
        assert!(rules.dropped(&query("q", "x", "d", None)).unwrap_err().contains("lang"));
        let mut rules = Rules { copied: Some((0.8, HashMap::new())), ..none() };
        assert!(rules.dropped(&query("q", "x", "d", None)).unwrap_err().contains("corpus"));
    }
}
