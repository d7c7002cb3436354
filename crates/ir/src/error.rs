//! What can be wrong with a file, a name or a number, said in one line that names file, line and cure.

use std::io;
use std::path::PathBuf;

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Lines count from 1. `got` is what stood there, shortened and escaped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the fields are the words of the message above them
pub enum Error {
    /// The operating system refused to open, read or write.
    #[error("{}: {}", .path.display(), io_reason(.source))]
    Io { path: PathBuf, source: io::Error },

    /// A file without any record.
    #[error("{}:1: the file is empty; expected {expected}", .path.display())]
    Empty { path: PathBuf, expected: &'static str },

    /// A compressed stream that stops before its end mark.
    #[error("{}:{line}: the {container} stream is truncated here; copy or download the file again", .path.display())]
    Truncated { path: PathBuf, line: usize, container: &'static str },

    /// A file whose bytes are not what its suffix or its first bytes say.
    #[error("{}:{line}: not a valid {container} stream ({detail}); check the file's suffix or fetch it again", .path.display())]
    Container { path: PathBuf, line: usize, container: &'static str, detail: String },

    /// Bytes that are not UTF-8.
    #[error("{}:{line}: invalid UTF-8 at byte {column} of the line; convert the file to UTF-8 (iconv -t UTF-8)", .path.display())]
    Utf8 { path: PathBuf, line: usize, column: usize },

    /// A line beyond the limit of memory spent on one.
    #[error("{}:{line}: the line is longer than {limit} bytes; write one record per line", .path.display())]
    LineTooLong { path: PathBuf, line: usize, limit: usize },

    /// Text that is no JSON, or JSON of another shape.
    #[error("{}:{line}: malformed JSON at column {column} ({detail}); expected {expected}", .path.display())]
    Json { path: PathBuf, line: usize, column: usize, detail: String, expected: &'static str },

    /// A record without a field it needs.
    #[error("{}:{line}: missing field {field}; the record has {found}: add or rename one", .path.display())]
    FieldMissing { path: PathBuf, line: usize, field: String, found: String },

    /// A field of another type than its name promises.
    #[error("{}:{line}: field `{field}` is {got}; expected {expected}", .path.display())]
    FieldType { path: PathBuf, line: usize, field: String, expected: &'static str, got: String },

    /// A row with too few or too many columns.
    #[error("{}:{line}: got {got} column(s); expected {expected}", .path.display())]
    Columns { path: PathBuf, line: usize, expected: String, got: usize },

    /// A first line that is not the header its format asks for.
    #[error("{}:{line}: the header is {got}; expected {expected}", .path.display())]
    Header { path: PathBuf, line: usize, expected: &'static str, got: String },

    /// A quoted CSV field without its closing quote.
    #[error("{}:{line}: the quoted field that opens in this row is never closed; double the quotes inside it (\"\")", .path.display())]
    UnclosedQuote { path: PathBuf, line: usize },

    /// A column that should hold a number.
    #[error("{}:{line}: {field} is {got}; expected {expected}", .path.display())]
    Number { path: PathBuf, line: usize, field: &'static str, expected: &'static str, got: String },

    /// A score that cannot be ordered.
    #[error("{}:{line}: the score of document {doc} for query {query} is NaN; remove the row or repair the scores", .path.display())]
    NanScore { path: PathBuf, line: usize, query: String, doc: String },

    /// The same thing said twice.
    #[error("{}:{line}: {what} {id} already stands in line {first_line}; keep one of them", .path.display())]
    Duplicate { path: PathBuf, line: usize, first_line: usize, what: &'static str, id: String },

    /// A language code in a file that is none.
    #[error("{}:{line}: {got} is no language code; write BCP-47 or ISO 639 (en, swa, zh-Hant)", .path.display())]
    LangAt { path: PathBuf, line: usize, got: String },

    /// A language code that is none.
    #[error("{got} is no language code; write BCP-47 or ISO 639 (en, swa, zh-Hant)")]
    Lang { got: String },

    /// A file's name that should hold a language code.
    #[error("{}: {got} in its name is no language code; name the file after BCP-47 or ISO 639 (en, swa, eng_Latn)", .path.display())]
    LangInName { path: PathBuf, got: String },

    /// A file of no known format.
    #[error("{}:{line}: unknown format, the file starts with {got}; expected {expected}", .path.display())]
    UnknownFormat { path: PathBuf, line: usize, expected: &'static str, got: String },

    /// A format's name that is none.
    #[error("unknown format {got}; known are {known}")]
    FormatName { got: String, known: &'static str },

    /// An id that points nowhere.
    #[error("{}: {what} {id} is not in {}; check that both files belong together", .path.display(), .other.display())]
    UnknownId { path: PathBuf, what: &'static str, id: String, other: PathBuf },

    /// A file of ids that needs another file for the texts.
    #[error("{}:{line}: the file lists {what} ids only; name the file of their texts too (options `corpus` and `queries`)", .path.display())]
    TextsNeeded { path: PathBuf, line: usize, what: &'static str },

    /// A folder without a part it needs.
    #[error("{}: the folder has no {expected}; add it or name the file itself", .path.display())]
    FolderPart { path: PathBuf, expected: String },

    /// Two files that should be parallel and are not.
    #[error("{}:{line}: the file ends here but {} goes on; both need the same number of lines", .path.display(), .other.display())]
    Unparallel { path: PathBuf, line: usize, other: PathBuf },

    /// A multi-parallel file without the language all pairs should have.
    #[error("{}: no row has text in {pivot}; the file has {found}: name one of them as the pivot", .path.display())]
    NoPivot { path: PathBuf, pivot: String, found: String },

    /// A run and judgements about different queries.
    #[error(
        "the run and the qrels share no query: the run has {run}, the qrels have {qrels}; check that both are of the same set"
    )]
    NoSharedQuery { run: String, qrels: String },

    /// A judged query whose language is asked for and unknown.
    #[error(
        "judged query {query} has no language; give its record a `lang` field or declare one language for the file"
    )]
    QueryLang { query: String },

    /// A query whose language is needed and unknown.
    #[error("{}:{line}: the query names no language; add `lang` to its record, or declare one for the file", path.display())]
    NoLang { path: PathBuf, line: usize },

    /// A ranked or judged document whose language is asked for and unknown.
    #[error(
        "document {doc} has no language: it is not in the corpus or its record has none; give the corpus that was searched, with a `lang` in every record"
    )]
    DocLang { doc: String },

    /// A query that only one of two systems has values for.
    #[error("query {query} has values in only one of the two results; compare results of the same queries")]
    Unpaired { query: String },

    /// Two results without any query.
    #[error("the results hold no query; compare results with values by query")]
    NoQuery,

    /// Weights that are not one a list.
    #[error("{weights} weight(s) for {lists} lists; give one for each")]
    Weights { weights: usize, lists: usize },

    /// A way to fuse that is none.
    #[error("unknown fusion {got}; known are {known}")]
    FusionName { got: String, known: &'static str },

    /// A floor of a fusion that is none.
    #[error("unknown floor {got}; known are lowest, zero")]
    FloorName { got: String },

    /// A measure's name that is none.
    #[error("unknown measure {got}; known are {}", crate::measure::KNOWN)]
    MeasureName { got: String },

    /// A measure with a parameter it cannot take.
    #[error("measure {got}: {reason}")]
    MeasureParameter { got: String, reason: &'static str },

    /// An id that cannot stand in a file of white-space separated columns.
    #[error("id {id} is empty or holds white space and cannot be written to a TREC file; rename it")]
    UnwritableId { id: String },

    /// An index beyond the end of a data set.
    #[error("index {index} is out of range; the data set has {len} items")]
    OutOfRange { index: usize, len: usize },
}

impl Error {
    /// The operating system's refusal at `path`.
    pub fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }

    /// The line it is told of; 0 where it is told of none.
    pub(crate) fn line(&self) -> usize {
        match self {
            Self::Truncated { line, .. }
            | Self::Container { line, .. }
            | Self::Utf8 { line, .. }
            | Self::LineTooLong { line, .. }
            | Self::Json { line, .. }
            | Self::FieldMissing { line, .. }
            | Self::FieldType { line, .. }
            | Self::Columns { line, .. }
            | Self::Header { line, .. }
            | Self::UnclosedQuote { line, .. }
            | Self::Number { line, .. }
            | Self::LangAt { line, .. }
            | Self::UnknownFormat { line, .. }
            | Self::Unparallel { line, .. } => *line,
            _ => 0,
        }
    }
}

fn io_reason(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound => "no such file or folder; check the path".into(),
        io::ErrorKind::PermissionDenied => "permission denied; check who may read or write it".into(),
        io::ErrorKind::IsADirectory => "is a folder; name a file in it".into(),
        _ => source.to_string().replace('\n', " "),
    }
}

/// `text` quoted, escaped and cut to 40 characters: safe inside a one-line message.
pub(crate) fn snippet(text: &str) -> String {
    let mut chars = text.chars();
    let head: String = chars.by_ref().take(40).collect();
    let rest = if chars.next().is_some() { "…" } else { "" };
    format!("\"{}{rest}\"", head.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snippets_are_short_and_of_one_line() {
        assert_eq!(snippet("a\nb"), "\"a\\nb\"");
        assert_eq!(snippet(&"x".repeat(50)).chars().count(), 43);
    }

    #[test]
    fn io_errors_name_path_and_cure() {
        let error = Error::io("corpus.jsonl", io::ErrorKind::NotFound.into());
        assert_eq!(error.to_string(), "corpus.jsonl: no such file or folder; check the path");
    }
}
