//! What can be found in data: its names, what it means, its cure, and whether it should stop a run.

use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Examples kept of a finding.
const EXAMPLES: usize = 3;
/// Share of damaged texts from which a remark becomes a reason to stop.
pub(super) const STOPPING_SHARE: f64 = 0.1;

macro_rules! checks {
    ($($check:ident, $name:literal, $weight:ident, $says:literal, $cure:literal;)*) => {
        /// What is looked for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Check {
            $(#[doc = $says] $check,)*
        }

        impl Check {
            /// Every check.
            pub const ALL: &[Check] = &[$(Check::$check,)*];

            /// Its name in tables, JSON and the documentation.
            pub fn name(self) -> &'static str {
                match self { $(Check::$check => $name,)* }
            }

            /// What it means.
            pub fn says(self) -> &'static str {
                match self { $(Check::$check => $says,)* }
            }

            /// What helps.
            pub fn cure(self) -> &'static str {
                match self { $(Check::$check => $cure,)* }
            }

            pub(super) fn weight(self) -> Weight {
                match self { $(Check::$check => Weight::$weight,)* }
            }
        }
    };
}

/// When a finding should stop a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// Always.
    Stop,
    /// Where a tenth of the texts or more have it.
    Share,
    /// Never.
    Remark,
}

checks! {
    Unreadable, "unreadable", Stop, "the file cannot be read to its end, or its format is unknown",
        "repair the file, or say what it holds with --format";
    NotUtf8, "not-utf8", Stop, "bytes that are not UTF-8", "convert the file to UTF-8 (iconv -t UTF-8)";
    Malformed, "malformed", Stop, "a line that is no JSON object", "write one JSON object per line";
    LoneSurrogate, "lone-surrogate", Stop, "a \\u escape of half a character (an unpaired surrogate)",
        "write the text as UTF-8, or both halves of the escape";
    StringForList, "string-for-list", Stop, "a bare string where a list is expected", "write [\"…\"]";
    Shape, "shape", Stop, "a field or column that is missing or of another type", "write the record as the format asks";
    BadLanguage, "bad-language", Stop, "a language tag that is no language code", "write BCP-47 or ISO 639 (en, swa, zh-Hant)";
    EmptyText, "empty-text", Stop, "a text of white space alone", "drop the row or fill in the text";
    EmptyPair, "empty-pair", Remark, "a pair of which one side is blank; training leaves it out", "drop the row or fill in the text";
    EmptyId, "empty-id", Stop, "a record whose id is empty", "give every record an id of its own";
    DuplicateId, "duplicate-id", Stop, "an id that two records have", "keep one of them or rename one";
    DuplicateText, "duplicate-text", Remark, "a row that says the same as an earlier one", "keep one of them";
    NearDuplicate, "near-duplicate", Remark, "a row that says nearly the same as an earlier one", "look at them, and keep one where they say the same";
    PositiveAmongNegatives, "positive-among-negatives", Stop, "a positive that is also a negative of its row, by id or by text",
        "take it out of the negatives";
    PromptDoubled, "prompt-doubled", Stop, "a prompt in the text that the model puts before it, too", "take the prompt out of the data";
    PromptMixed, "prompt-mixed", Stop, "a prompt before some texts and not before the others", "take the prompt out of the data everywhere";
    PromptInData, "prompt-in-data", Remark, "a prompt before every text", "train and search with a model that adds none, or take it out of the data";
    WrongLanguage, "wrong-language", Stop, "texts that are in another language than their tag says", "correct the tags or take the texts out";
    WrongScript, "wrong-script", Share, "a text wholly in a script its language is not written in", "correct the tag or take the text out";
    MissingLanguage, "missing-language", Remark, "texts without language tag", "add `lang` to the records, or declare it (LANG=FILE)";
    EmptyLanguage, "empty-language", Stop, "a language without any text", "add texts of it, or do not declare it";
    TestInTraining, "test-in-training", Stop, "a text to be tested with is in the training data", "take it out of the training data";
    TestNearTraining, "test-near-training", Stop, "a text to be tested with is nearly in the training data", "take it out of the training data";
    TestDocInTraining, "test-doc-in-training", Remark, "a document to be searched is in the training data, or nearly so",
        "take it out of the training data, or say so where results are reported";
    Truncated, "truncated", Remark, "texts longer than the model reads", "cut texts into passages, or allow more tokens";
    ReplacementCharacter, "replacement-character", Share, "U+FFFD, what is left of characters that were lost", "read the source again in its own encoding";
    Mojibake, "mojibake", Share, "UTF-8 that was read as Windows-1252 (Ã© for é)", "read the source again as UTF-8";
    ControlCharacter, "control-character", Share, "a control character", "remove it";
    Entity, "entity", Remark, "an HTML entity that was not decoded", "decode entities (html.unescape), twice where they are doubled";
    EscapedText, "escaped-text", Share, "an escape sequence as text (\\u00e9 for é), escaped twice", "decode the text once more";
    ByteOrderMark, "byte-order-mark", Remark, "a byte order mark", "save the file as UTF-8 without BOM";
    UnknownDoc, "unknown-doc", Stop, "a document that is judged or named and not in the corpus", "check that both files belong together";
    UnknownQuery, "unknown-query", Stop, "a query that is judged and not among the queries", "check that both files belong together";
    RunDocUnknown, "run-doc-unknown", Stop, "a document of a run that is not in the corpus", "search the corpus again that is judged";
    RunQueryUnknown, "run-query-unknown", Stop, "a query of a run that is not among the queries", "search with the queries that are judged";
    DuplicateJudgement, "duplicate-judgement", Stop, "a document judged or ranked twice for a query", "keep one of the rows";
    Unjudged, "unjudged", Remark, "a query without judgement", "judge it, or take it out: it counts for nothing";
    NothingRelevant, "nothing-relevant", Remark, "a judged query without relevant document", "judge more, or take it out: no ranking can be good for it";
}

impl Check {
    /// Whether it is counted among texts, of which a row may have many; else among rows.
    fn is_of_texts(self) -> bool {
        self == Self::EmptyText || (Self::ReplacementCharacter..=Self::ByteOrderMark).contains(&self)
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A place in a file and what stands there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// From 1; 0 where the file is not made of lines.
    pub line: usize,
    /// What stands there, shortened and escaped.
    pub text: String,
}

/// One thing found in one file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What was found.
    pub check: Check,
    /// Whether it should stop a run; else it is a remark.
    pub stops: bool,
    /// Where.
    pub path: PathBuf,
    /// Of which part of the file, field or language it is told; may be empty.
    pub detail: String,
    /// How often.
    pub found: u64,
    /// Among how many.
    pub of: u64,
    /// What it means.
    pub says: &'static str,
    /// What helps.
    pub cure: &'static str,
    /// The first few places.
    pub examples: Vec<Example>,
}

/// How often something was found, among how many where that is not all rows, and where first.
#[derive(Default)]
struct Count {
    found: u64,
    of: Option<u64>,
    examples: Vec<Example>,
}

/// Findings by file, check and detail, counted.
#[derive(Default)]
pub(super) struct Findings(BTreeMap<(usize, Check, String), Count>);

impl Findings {
    /// Counts one more, in the file of that number.
    pub fn add(&mut self, file: usize, check: Check, detail: &str, line: usize, text: impl Into<String>) {
        self.add_all(file, check, detail, 1, None, vec![Example { line, text: text.into() }]);
    }

    /// Counts `found` more `of` so many (of the file's rows or texts where `None`).
    pub fn add_all(
        &mut self,
        file: usize,
        check: Check,
        detail: &str,
        found: u64,
        of: Option<u64>,
        examples: Vec<Example>,
    ) {
        let all = self.0.entry((file, check, detail.to_owned())).or_default();
        all.found += found;
        all.of = of.or(all.of);
        let room = EXAMPLES.saturating_sub(all.examples.len());
        all.examples.extend(examples.into_iter().take(room));
    }

    /// The findings of files of these names and so many rows and texts, those that stop first.
    pub fn finish(self, files: &[(&Path, u64, u64)]) -> Vec<Finding> {
        let finding = |((file, check, detail), Count { found, of, examples }): ((usize, Check, String), Count)| {
            let (path, rows, texts) = files[file];
            let all = if check.is_of_texts() { texts } else { rows };
            let of = of.unwrap_or(all).max(found);
            let stops = match check.weight() {
                Weight::Stop => true,
                Weight::Share => found as f64 >= STOPPING_SHARE * of as f64,
                Weight::Remark => false,
            };
            Finding {
                check,
                stops,
                path: path.into(),
                detail,
                found,
                of,
                says: check.says(),
                cure: check.cure(),
                examples,
            }
        };
        let mut findings: Vec<Finding> = self.0.into_iter().map(finding).collect();
        findings.sort_by_key(|finding| !finding.stops);
        findings
    }
}

/// Keeps `example` while there are few.
pub(super) fn keep(examples: &mut Vec<Example>, line: usize, text: &str) {
    if examples.len() < EXAMPLES {
        examples.push(Example { line, text: crate::error::snippet(text) });
    }
}
