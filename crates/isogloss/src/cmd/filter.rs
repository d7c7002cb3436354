//! `isogloss filter`: of generated queries those that are worth training on, and what dropped the others.

pub mod rules;

use crate::exit::Fault;
use crate::input::Input;
use crate::model::positive;
use crate::run_out::refuse_folder;
use crate::sheet::{Form, Sheet};
use isogloss_ir::reader::Lines;
use isogloss_ir::{AtomicFile, Error, ReadOptions, Run, read_docs};
use rules::{Generated, Reason, Rules};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Which queries, and what they must pass.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss filter queries.jsonl --corpus te=passages.jsonl --check-language --drop-duplicates --max-copied 0.8 --out good.jsonl\n  isogloss filter good.jsonl --run fused.trec --top 3 --out kept.jsonl"
)]
pub struct Args {
    /// Queries as `isogloss generate` writes them: lines {"id", "text", "doc"}, and `lang` where known.
    #[arg(value_name = "QUERIES.jsonl")]
    queries: PathBuf,

    /// File of the lines that are kept, as they are.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Fewest characters.
    #[arg(long, value_name = "N", value_parser = positive)]
    min_chars: Option<usize>,

    /// Most characters.
    #[arg(long, value_name = "N", value_parser = positive)]
    max_chars: Option<usize>,

    /// Drop queries that are in another language than theirs.
    #[arg(long)]
    check_language: bool,

    /// Drop queries that came before, letter case and white space aside.
    #[arg(long)]
    drop_duplicates: bool,

    /// Drop queries that share a longer run of characters with their passage than this part of their length.
    #[arg(long, value_name = "0..1", requires = "corpora")]
    max_copied: Option<f64>,

    /// The passages that the queries were made from.
    #[arg(long = "corpus", value_name = "INPUT", requires = "max_copied")]
    corpora: Vec<Input>,

    /// A run of the queries over their corpus: a query is kept if it finds its passage again.
    #[arg(long, value_name = "RUN.trec")]
    run: Option<PathBuf>,

    /// Rank down to which the passage must be found.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 3)]
    top: usize,

    #[command(flatten)]
    form: Form,
}

/// Filters, and prints for every language what was dropped by which rule.
pub fn run(args: &Args) -> anyhow::Result<()> {
    refuse_folder(Some(&args.out))?;
    let counts = filter(&args.queries, rules(args)?, &args.out)?;
    print(&counts, &args.form)
}

/// Writes to `out` the lines of `queries` that pass the rules, and counts by language.
///
/// # Errors
/// A line is no query, a rule lacks what it needs to know, or the disk fails.
pub fn filter(queries: &Path, mut rules: Rules, out: &Path) -> anyhow::Result<BTreeMap<String, Counts>> {
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    let mut file = AtomicFile::create(out)?;
    let mut lines = Lines::open(queries)?;
    let mut line = String::new();
    while lines.next_content(&mut line)? {
        let query = parse(queries, &line, lines.number())?;
        let lang = query.lang.map_or("und".to_owned(), |lang| lang.to_string());
        let counts = counts.entry(lang).or_default();
        counts.read += 1;
        match rules.dropped(&query).map_err(|problem| fault(queries, lines.number(), problem))? {
            Some(reason) => *counts.dropped.entry(reason).or_default() += 1,
            None => writeln!(file, "{}", line.trim_end()).map_err(|e| Error::io(out, e))?,
        }
    }
    file.commit()?;
    Ok(counts)
}

fn rules(args: &Args) -> anyhow::Result<Rules> {
    if args.max_copied.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        return Err(Fault::option("--max-copied", "must be from 0 to 1").into());
    }
    let passages = passages(&args.corpora)?;
    Ok(Rules {
        chars: args.min_chars.unwrap_or(0)..=args.max_chars.unwrap_or(usize::MAX),
        check_language: args.check_language,
        seen: args.drop_duplicates.then(Default::default),
        copied: args.max_copied.map(|share| (share, passages)),
        found: args.run.as_ref().map(|path| Ok::<_, Error>((Run::read(path)?, args.top))).transpose()?,
    })
}

/// The texts of corpora by their ids.
///
/// # Errors
/// A corpus cannot be read.
pub fn passages(corpora: &[Input]) -> isogloss_ir::Result<HashMap<String, String>> {
    let mut passages = HashMap::new();
    for Input { path, lang } in corpora {
        for doc in read_docs(path, &ReadOptions { lang: *lang })? {
            let doc = doc?;
            passages.insert(doc.id.clone(), doc.full_text().into_owned());
        }
    }
    Ok(passages)
}

fn fault(path: &Path, line: usize, problem: impl std::fmt::Display) -> Fault {
    Fault::new(path, format!("line {line}: {problem}"))
}

fn parse(path: &Path, line: &str, number: usize) -> Result<Generated, Fault> {
    serde_json::from_str(line).map_err(|problem| {
        let problem = problem.to_string();
        let what = problem.split(" at line ").next().unwrap_or_default();
        fault(path, number, format!("{what}; give a line {{\"id\", \"text\", \"doc\"}} for each query"))
    })
}

/// Queries of a language.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// All of them.
    pub read: usize,
    /// Those that fell to each rule.
    pub dropped: BTreeMap<Reason, usize>,
}

impl Counts {
    /// Those that passed.
    pub fn kept(&self) -> usize {
        self.read - self.dropped.values().sum::<usize>()
    }

    /// As JSON: `read`, `dropped` by rule, and `kept`.
    pub fn to_json(&self) -> Value {
        let dropped = Reason::ALL.map(|reason| (reason.name().to_owned(), json!(self.dropped_by(reason))));
        let dropped: Map<String, Value> = dropped.into_iter().collect();
        json!({"read": self.read, "dropped": dropped, "kept": self.kept()})
    }

    fn dropped_by(&self, reason: Reason) -> usize {
        self.dropped.get(&reason).copied().unwrap_or(0)
    }
}

fn print(counts: &BTreeMap<String, Counts>, form: &Form) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if form.json {
        let all: Map<String, Value> = counts.iter().map(|(lang, counts)| (lang.clone(), counts.to_json())).collect();
        return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?);
    }
    let mut sheet = Sheet::new(["lang", "read"].into_iter().chain(Reason::ALL.map(Reason::name)).chain(["kept"]));
    for (lang, counts) in counts {
        let dropped = Reason::ALL.map(|reason| counts.dropped_by(reason));
        let numbers = [counts.read].into_iter().chain(dropped).chain([counts.kept()]);
        sheet.push(std::iter::once(lang.clone()).chain(numbers.map(|n| n.to_string())).collect());
    }
    match form.csv {
        true => sheet.write_csv(&mut out)?,
        false => sheet.write(form.markdown, &mut out)?,
    }
    Ok(())
}
