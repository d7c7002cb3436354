//! An examination of training, corpus, query and evaluation data before anybody trains or judges with them.
//!
//! Files are read once, as streams, row by row; a row that cannot be read is told and the next one is read. What is kept:
//! about 80 bytes for every id, 40 for every row, 500 for every longer row (see [`crate::minhash`]), the texts of test data of 40
//! letters or more, and ids that rows name without their texts.

use crate::error::{Error, Result, snippet};
use crate::record::TITLE_SEPARATOR;
use crate::{Lang, record};
use duplicates::Duplicates;
use files::File;
use finding::{Findings, keep};
use language::Tagged;
use leakage::{Place, TestTexts};
use named::Ids;
use prompts::Prompts;
use rows::{Event, Part, Role, Row};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

mod duplicates;
mod files;
mod finding;
mod language;
mod leakage;
mod named;
mod prompts;
mod rows;
mod text;

pub use finding::{Check, Example, Finding};
pub use rows::Kind;

/// Tokens that a model may put around a text.
const SPECIAL_TOKENS: usize = 3;

/// A file or folder to examine.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// Its place; a folder stands for the files in it.
    pub path: PathBuf,
    /// What it holds; told from each file where `None`.
    pub kind: Option<Kind>,
    /// The language of queries, of plain texts and of the first text of pairs, where they name none.
    pub lang: Option<Lang>,
    /// The language of documents and of the second text of pairs, where they name none.
    pub doc_lang: Option<Lang>,
    /// Languages that it must have texts in.
    pub langs: Vec<Lang>,
    /// Whether it is to be tested with, so that no other data may hold its texts.
    pub test: bool,
}

/// How long a text may be.
pub struct Limit<'a> {
    /// Most tokens, special ones included.
    pub tokens: usize,
    /// The tokens of a text, special ones included.
    pub count: &'a dyn Fn(&str) -> usize,
}

/// What the files do not say of themselves.
#[derive(Default)]
pub struct Options<'a> {
    /// The prompt that the model puts before queries.
    pub query_prompt: String,
    /// The prompt that the model puts before documents.
    pub passage_prompt: String,
    /// How long texts may be; not looked at where `None`.
    pub limit: Option<Limit<'a>>,
}

/// A file that was examined.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FileSummary {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds; `None` where it could not be told.
    pub kind: Option<Kind>,
    /// Whether it is to be tested with.
    pub test: bool,
    /// Rows read, those with faults included.
    pub rows: u64,
    /// Texts by language; those without tag under `-`.
    pub texts: BTreeMap<String, u64>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diagnosis {
    /// The files in the order in which they were read.
    pub files: Vec<FileSummary>,
    /// What was found in them, what should stop a run first.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// Whether something was found that should stop a run.
    pub fn stops(&self) -> bool {
        self.findings.iter().any(|finding| finding.stops)
    }
}

/// Examines files; `progress` is told file and row as they are read.
///
/// # Errors
/// A file or folder that is not there or cannot be opened. What is wrong inside of files are findings.
pub fn examine(inputs: &[Input], options: &Options<'_>, progress: &mut dyn FnMut(&Path, u64)) -> Result<Diagnosis> {
    let files = files::list(inputs)?;
    let mut doctor = Doctor {
        options,
        findings: Findings::default(),
        test: TestTexts::new(),
        ids: Ids::new(files.iter().map(|file| file.scope + 1).max().unwrap_or(1)),
        langs: vec![HashSet::new(); inputs.len()],
        paths: files.iter().map(|file| file.path.clone()).collect(),
    };
    let summaries: Vec<FileSummary> =
        files.iter().enumerate().map(|(number, file)| doctor.read(number, file, progress)).collect::<Result<_>>()?;
    doctor.ids.finish(&mut doctor.findings);
    for (number, file) in files.iter().enumerate() {
        let first = !files[..number].iter().any(|earlier| earlier.input == file.input);
        let (declared, found) = (&inputs[file.input].langs, &doctor.langs[file.input]);
        for lang in declared.iter().filter(|lang| first && !found.contains(&lang.canonical())) {
            doctor.findings.add_all(
                number,
                Check::EmptyLanguage,
                &format!("{lang}, which is declared"),
                1,
                Some(1),
                Vec::new(),
            );
        }
    }
    let all: Vec<(&Path, u64, u64)> =
        summaries.iter().map(|file| (file.path.as_path(), file.rows, file.texts.values().sum())).collect();
    let findings = doctor.findings.finish(&all);
    Ok(Diagnosis { files: summaries, findings })
}

/// What is known across files.
struct Doctor<'a> {
    options: &'a Options<'a>,
    findings: Findings,
    test: TestTexts,
    ids: Ids,
    /// Languages with a text, by input.
    langs: Vec<HashSet<Lang>>,
    paths: Vec<PathBuf>,
}

/// What is known of the file being read.
struct Chart {
    kind: Option<Kind>,
    rows: u64,
    duplicates: Duplicates,
    /// By whether they are queries, and by tag.
    tagged: BTreeMap<(bool, Option<Lang>), Tagged>,
    /// Texts without tag, by whether they are queries.
    untagged: [(u64, Vec<Example>); 2],
    prompts: [Prompts; 2],
    /// Texts cut and all, by tag.
    cut: BTreeMap<Option<Lang>, (u64, u64, Vec<Example>)>,
    /// Languages that rows name without text.
    blank: BTreeMap<Lang, u64>,
}

impl Doctor<'_> {
    fn read(&mut self, number: usize, file: &File, progress: &mut dyn FnMut(&Path, u64)) -> Result<FileSummary> {
        let mut chart = Chart {
            kind: file.kind,
            rows: 0,
            duplicates: Duplicates::new(),
            tagged: BTreeMap::new(),
            untagged: Default::default(),
            prompts: Default::default(),
            cut: BTreeMap::new(),
            blank: BTreeMap::new(),
        };
        let read = rows::read(&file.path, file.kind, &mut |kind, event| {
            chart.kind = chart.kind.or(kind);
            chart.rows += u64::from(!matches!(event, Event::ByteOrderMark));
            progress(&file.path, chart.rows);
            self.take(number, file, &mut chart, event);
        });
        match read {
            Ok(kind) => chart.kind = Some(kind),
            Err(error @ Error::Io { .. }) => return Err(error),
            Err(error) => self.fault(number, &error),
        }
        self.tell(number, file.input, &chart);
        let mut texts: BTreeMap<String, u64> = BTreeMap::new();
        for ((_, lang), tagged) in &chart.tagged {
            *texts.entry(lang.map_or("-".into(), |lang| lang.to_string())).or_default() += tagged.texts;
        }
        Ok(FileSummary { path: file.path.clone(), kind: chart.kind, test: file.test, rows: chart.rows, texts })
    }

    fn take(&mut self, number: usize, file: &File, chart: &mut Chart, event: Event) {
        match event {
            Event::ByteOrderMark => self.findings.add(number, Check::ByteOrderMark, "", 1, "at the start of the file"),
            Event::Fault(error, id) => {
                self.fault(number, &error);
                // What names the row is not to blame.
                if let (Some(id), Some(kind @ (Kind::Corpus | Kind::Queries))) = (id, chart.kind) {
                    self.ids.insert(&mut self.findings, (number, file.scope), error.line(), &id, kind == Kind::Queries);
                }
            }
            Event::Judgement(line, query, doc, relevant) => {
                self.ids.judge(&mut self.findings, (number, file.scope), line, [&query, &doc], relevant);
            }
            Event::Hit(line, query, doc) => {
                self.ids.hit(&mut self.findings, (number, file.scope), line, [&query, &doc]);
            }
            Event::Row(row) => self.row(number, file, chart, row),
        }
    }

    /// Tells a row, or the rest of a file, that cannot be read.
    fn fault(&mut self, number: usize, error: &Error) {
        let (check, detail) = named_fault(error);
        let (line, text) = (error.line(), error.to_string());
        let place = format!("{}:{line}: ", self.paths[number].display());
        self.findings.add(number, check, &detail, line, text.strip_prefix(&place).unwrap_or(&text));
    }

    fn row(&mut self, number: usize, file: &File, chart: &mut Chart, mut row: Row) {
        for (at, part) in row.parts.iter_mut().enumerate() {
            let is_second = chart.kind == Some(Kind::Pairs) && at == 1;
            let is_doc = chart.kind == Some(Kind::Corpus) || matches!(part.role, Role::Positive | Role::Negative);
            part.lang = part.lang.or(if is_second || is_doc { file.doc_lang } else { file.lang });
        }
        if let (Some(id), Some(kind @ (Kind::Corpus | Kind::Queries))) = (&row.id, chart.kind) {
            self.ids.insert(&mut self.findings, (number, file.scope), row.line, id, kind == Kind::Queries);
        }
        for (role, id) in &row.named {
            self.ids.name((number, file.scope), row.line, id, *role == Role::Query);
        }
        for part in &row.parts {
            self.part(number, file, chart, row.line, part);
        }
        for lang in &row.blank {
            *chart.blank.entry(*lang).or_default() += 1;
        }
        self.contradiction(number, &row);
        let Some(kind) = chart.kind else { return };
        if let Some(earlier) = chart.duplicates.insert(&row, kind) {
            let text = row.parts.first().map_or(String::new(), |part| snippet(&full(part)));
            let (check, like) = match earlier.similarity {
                None => (Check::DuplicateText, "as".to_owned()),
                Some(similarity) => (Check::NearDuplicate, format!("{:.0} % like", 100.0 * similarity)),
            };
            self.findings.add(number, check, "", row.line, format!("{like} line {}: {text}", earlier.line));
        }
    }

    fn part(&mut self, number: usize, file: &File, chart: &mut Chart, line: usize, part: &Part) {
        let text = full(part);
        let detail = match part.role {
            Role::Query => "query",
            Role::Positive => "positive",
            Role::Negative => "negative",
            Role::Text => "",
        };
        if text.trim().is_empty() {
            let check = if chart.kind == Some(Kind::Pairs) { Check::EmptyPair } else { Check::EmptyText };
            let lang = part.lang.map_or(String::new(), |lang| format!("the text in {lang}"));
            return self.findings.add(number, check, detail, line, lang);
        }
        for (check, at) in text::damage(&text) {
            self.findings.add(number, check, detail, line, snippet(text::around(&text, at)));
        }
        let is_query = part.role == Role::Query;
        chart.tagged.entry((is_query, part.lang)).or_insert_with(|| Tagged::new(part.lang)).add(line, &part.text);
        if part.lang.is_none() {
            let untagged = &mut chart.untagged[usize::from(is_query)];
            untagged.0 += 1;
            keep(&mut untagged.1, line, &text);
        }
        chart.prompts[usize::from(is_query)].add(line, &text, self.own_prompt(is_query));
        if let Some(limit) = self.options.limit.as_ref().filter(|_| chart.kind != Some(Kind::Documents)) {
            let cut = chart.cut.entry(part.lang).or_default();
            cut.1 += 1;
            let text = format!("{}{text}", self.own_prompt(is_query));
            // No token is shorter than a byte.
            if text.len() + SPECIAL_TOKENS > limit.tokens && (limit.count)(&text) > limit.tokens {
                cut.0 += 1;
                keep(&mut cut.2, line, &text);
            }
        }
        let is_doc = chart.kind == Some(Kind::Corpus) || matches!(part.role, Role::Positive | Role::Negative);
        match file.test {
            true => self.test.insert(&text, Place { file: number, line, is_doc }),
            false => self.leak(number, line, &text),
        }
    }

    /// Tells a text of the training data that is to be tested with.
    fn leak(&mut self, number: usize, line: usize, text: &str) {
        let Some((place, similarity)) = self.test.find(text) else { return };
        let check = match () {
            () if place.is_doc => Check::TestDocInTraining,
            () if similarity == 1.0 => Check::TestInTraining,
            () => Check::TestNearTraining,
        };
        let from = self.paths[place.file].display();
        let alike = if similarity == 1.0 { String::new() } else { format!("{:.0} % ", 100.0 * similarity) };
        self.findings.add(
            number,
            check,
            &format!("of {from}"),
            line,
            format!("{alike}line {} there: {}", place.line, snippet(text)),
        );
    }

    fn own_prompt(&self, is_query: bool) -> &str {
        if is_query { &self.options.query_prompt } else { &self.options.passage_prompt }
    }

    /// Tells a positive of a row among its negatives.
    fn contradiction(&mut self, number: usize, row: &Row) {
        let texts = |role: Role| row.parts.iter().filter(move |part| part.role == role);
        let positives: Vec<_> = texts(Role::Positive).map(|part| (&part.id, duplicates::key(&part.text))).collect();
        let same_text = texts(Role::Negative).find(|negative| {
            let key = duplicates::key(&negative.text);
            positives.iter().any(|(id, positive)| *positive == key || id.is_some() && **id == negative.id)
        });
        let ids = |role: Role| row.named.iter().filter(move |(named, _)| *named == role).map(|(_, id)| id);
        let same_id = ids(Role::Negative).find(|id| ids(Role::Positive).any(|positive| positive == *id));
        if let Some(shown) = same_text.map(|part| &part.text).or(same_id) {
            self.findings.add(number, Check::PositiveAmongNegatives, "", row.line, snippet(shown));
        }
    }

    /// Tells what only a whole file shows.
    fn tell(&mut self, number: usize, input: usize, chart: &Chart) {
        let findings = &mut self.findings;
        for ((is_query, _), tagged) in &chart.tagged {
            let Some(lang) = tagged.lang() else { continue };
            self.langs[input].insert(lang.canonical());
            let side = if *is_query { "queries tagged" } else { "texts tagged" };
            let (strange, examples) = tagged.strange();
            if strange > 0 {
                findings.add_all(
                    number,
                    Check::WrongScript,
                    &format!("{side} {lang}"),
                    strange,
                    Some(tagged.texts),
                    examples.to_vec(),
                );
            }
            for other in tagged.others() {
                let detail = format!("{side} {lang} look like {}", other.lang);
                findings.add_all(number, Check::WrongLanguage, &detail, other.found, Some(other.of), other.examples);
            }
        }
        for (side, (untagged, examples)) in chart.untagged.iter().enumerate().filter(|(_, (untagged, _))| *untagged > 0)
        {
            let is_query = side == 1;
            let of_side = chart.tagged.iter().filter(|((query, _), _)| *query == is_query);
            let all: u64 = of_side.map(|(_, tagged)| tagged.texts).sum();
            let looks = chart.tagged.get(&(is_query, None)).map_or(Vec::new(), Tagged::others);
            let detail = match looks.len() {
                0 | 1 => String::new(),
                _ => format!(
                    "they look like {}",
                    looks.iter().map(|o| o.lang.to_string()).collect::<Vec<_>>().join(", ")
                ),
            };
            // A file of one language needs no tags.
            if *untagged < all || !detail.is_empty() {
                findings.add_all(number, Check::MissingLanguage, &detail, *untagged, Some(all), examples.clone());
            }
        }
        for (lang, rows) in &chart.blank {
            if !chart.tagged.keys().any(|(_, tag)| tag == &Some(*lang)) {
                findings.add_all(number, Check::EmptyLanguage, lang.as_str(), *rows, None, Vec::new());
            }
        }
        for (side, is_query) in [("texts", false), ("queries", true)] {
            let own = if is_query { &self.options.query_prompt } else { &self.options.passage_prompt };
            chart.prompts[usize::from(is_query)].tell(findings, number, side, own);
        }
        let [docs, queries] = &chart.prompts;
        queries.tell_forgotten(docs, findings, number);
        for (lang, (cut, all, examples)) in chart.cut.iter().filter(|(_, (cut, _, _))| *cut > 0) {
            let lang = lang.map_or("texts without tag".to_owned(), |lang| format!("in {lang}"));
            findings.add_all(number, Check::Truncated, &lang, *cut, Some(*all), examples.clone());
        }
    }
}

fn full(part: &Part) -> Cow<'_, str> {
    record::titled(&part.title, &part.text, TITLE_SEPARATOR)
}

/// The check that a fault belongs to, and the field it is told of.
fn named_fault(error: &Error) -> (Check, String) {
    let of = |field: &String| format!("`{field}`");
    match error {
        Error::Utf8 { .. } => (Check::NotUtf8, String::new()),
        Error::Json { detail, .. } if detail.contains("surrogate") || detail.contains("hex escape") => {
            (Check::LoneSurrogate, String::new())
        }
        Error::Json { .. } => (Check::Malformed, String::new()),
        Error::FieldType { field, got, .. } if got == "blank" || got == "an empty list" => {
            (Check::EmptyText, of(field))
        }
        Error::FieldType { field, got, .. } if got == "an empty string" => (Check::EmptyId, of(field)),
        Error::FieldType { field, got, expected, .. } if got == "a string" && expected.starts_with("a list") => {
            (Check::StringForList, of(field))
        }
        Error::FieldType { field, .. } => (Check::Shape, of(field)),
        Error::FieldMissing { field, .. } => (Check::Shape, field.clone()),
        Error::Columns { .. } | Error::Number { .. } | Error::Header { .. } => (Check::Shape, "columns".into()),
        Error::LangAt { .. } => (Check::BadLanguage, String::new()),
        _ => (Check::Unreadable, String::new()),
    }
}
