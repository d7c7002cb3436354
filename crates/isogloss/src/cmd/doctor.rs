//! `isogloss doctor`: what is wrong with data, before anybody trains or judges with them.

use crate::exit::Fault;
use crate::input::Input;
use crate::model::positive;
use crate::progress::Progress;
use crate::sheet::{Form, Sheet};
use isogloss_dense::Side;
use isogloss_engine::cuda::{self, Report};
use isogloss_ir::doctor::{self, Diagnosis, Finding, Kind, Limit, Options};
use isogloss_ir::{Lang, doctor::Input as Data};
use isogloss_model::{ArchitectureConfig, FolderLayout, Pooling, Tokenizer};
use isogloss_train::{DataConfig, RunConfig};
use serde::Serialize;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// What to examine, and for which model.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss doctor train.jsonl\n  isogloss doctor train.jsonl pairs.tsv --test xquad_r queries.tsv --json\n  isogloss doctor run.toml\n  isogloss doctor corpus.jsonl sw=queries.tsv qrels.tsv run.trec --model out/model --langs en,sw\n  isogloss doctor --gpu\n\nEvery finding names file, lines, how often, and the cure; docs/doctor.md lists all.\nExit code 0: nothing, or remarks only; 1: something that should stop a run; 2: a file could not be opened."
)]
pub struct Args {
    /// Files and folders: training data, corpora, queries, translations, documents, qrels, runs, run files (.toml); LANG=FILE
    /// declares a language.
    #[arg(required_unless_present = "gpu", value_name = "[LANG=]DATA")]
    data: Vec<Input>,

    /// Say instead which GPU --device cuda would use, or why none.
    #[arg(long, exclusive = true)]
    gpu: bool,

    /// Data to test with, which no other data may hold; examined like the others.
    #[arg(long, num_args = 1.., value_name = "[LANG=]DATA")]
    test: Vec<Input>,

    /// What the files hold, where that is told wrongly: corpus, queries, documents, pairs, parallel, texts, qrels, run, or a
    /// format of training examples.
    #[arg(long, value_name = "NAME")]
    format: Option<Kind>,

    /// Languages that every DATA must have texts in, apart by commas.
    #[arg(long, value_delimiter = ',', value_name = "LANG,…")]
    langs: Vec<Lang>,

    /// The model to train or search with: its tokenizer, greatest length and prompts.
    #[arg(long, conflicts_with = "tokenizer")]
    model: Option<String>,

    /// A folder with the tokenizer to count tokens with.
    #[arg(long, value_name = "DIR", requires = "max_tokens")]
    tokenizer: Option<PathBuf>,

    /// Longest text in tokens [default: the model's].
    #[arg(long, value_name = "N", value_parser = positive)]
    max_tokens: Option<usize>,

    /// What is put before every query, over what the model's folder says.
    #[arg(long, value_name = "TEXT")]
    query_prompt: Option<String>,

    /// What is put before every document, over what the model's folder says.
    #[arg(long, value_name = "TEXT")]
    passage_prompt: Option<String>,

    #[command(flatten)]
    form: Form,
}

/// Examines, prints, and fails where a run should be stopped.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.gpu {
        return tell_gpu();
    }
    let mut inputs = Vec::new();
    for (given, test) in args.data.iter().map(|data| (data, false)).chain(args.test.iter().map(|data| (data, true))) {
        match given.path.extension().is_some_and(|extension| extension == "toml") {
            true => of_run_file(&given.path, &mut inputs)?,
            false => inputs.push(Data {
                path: given.path.clone(),
                kind: args.format,
                lang: given.lang,
                doc_lang: given.lang,
                langs: if test { Vec::new() } else { args.langs.clone() },
                test,
            }),
        }
    }
    let reader = Reader::open(args)?;
    let count = |text: &str| reader.count(text);
    let limit = reader.tokenizer.as_ref().zip(reader.max_tokens).map(|(_, tokens)| Limit { tokens, count: &count });
    let prompt = |given: &Option<String>, own: &str| given.clone().unwrap_or_else(|| own.to_owned());
    let options = Options {
        query_prompt: prompt(&args.query_prompt, &reader.prompts[0]),
        passage_prompt: prompt(&args.passage_prompt, &reader.prompts[1]),
        limit,
    };
    let (mut progress, mut rows) = (Progress::new(None), 0);
    let diagnosis = doctor::examine(&inputs, &options, &mut |path, row| {
        rows += 1;
        progress.tell(rows, || format!("reading {}: row {row}", path.display()));
    })?;
    drop(progress);
    print(&diagnosis, args.form)?;
    match diagnosis.findings.iter().filter(|finding| finding.stops).count() {
        0 => Ok(()),
        n => anyhow::bail!("{n} finding(s) that should stop a run; mend the data as told"),
    }
}

/// Prints what there is of a GPU and of the libraries that its use needs.
fn tell_gpu() -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match cuda::report() {
        Err(error) => writeln!(out, "no GPU can be used: {error}")?,
        Ok(Report { gpu, compiler, products, collectives, gpus }) => {
            let (major, minor) = gpu.capability;
            let memory = gpu.memory as f64 / f64::from(1 << 30);
            let cores = gpu.multiprocessors;
            writeln!(
                out,
                "{}: compute capability {major}.{minor}, {cores} multiprocessors, {memory:.1} GiB",
                gpu.name
            )?;
            let ((cuda, update), (rtc, rtc_minor), (lt, lt_minor)) = (gpu.driver, compiler, products);
            writeln!(out, "driver for CUDA {cuda}.{update}, NVRTC {rtc}.{rtc_minor}, cuBLASLt {lt}.{lt_minor}")?;
            let nccl = match collectives {
                Some((major, minor, patch)) => format!("NCCL {major}.{minor}.{patch}"),
                None => "no NCCL (libnccl.so.2), which train --gpus needs".to_owned(),
            };
            writeln!(out, "{gpus} GPU(s) shown, {nccl}")?;
        }
    }
    Ok(())
}

/// The data of a run, and what it is watched with as data to test with.
fn of_run_file(path: &Path, inputs: &mut Vec<Data>) -> anyhow::Result<()> {
    let config = RunConfig::read(path)?;
    for data in config.tasks()?.iter().flat_map(|task| &task.data) {
        inputs.push(of_data(data)?);
    }
    let watched = config.evaluate.iter().flat_map(|set| [&set.corpus, &set.queries, &set.qrels, &set.parallel]);
    inputs.extend(watched.flatten().map(|path| Data { path: path.clone(), test: true, ..Data::default() }));
    Ok(())
}

fn of_data(data: &DataConfig) -> anyhow::Result<Data> {
    let (lang, doc_lang) = data.langs()?;
    let langs = data.languages.iter().flatten().map(|lang| lang.parse::<Lang>()).collect::<Result<_, _>>()?;
    // `parallel` stands for pairs and rows alike, `beir` for a folder: both are told from the files.
    let kind = data.format.as_deref().filter(|name| *name != "parallel").and_then(|name| name.parse().ok());
    Ok(Data { path: data.path.clone(), kind, lang, doc_lang, langs, test: false })
}

/// What is known of the model.
#[derive(Default)]
struct Reader {
    tokenizer: Option<Tokenizer>,
    max_tokens: Option<usize>,
    /// Whether the model puts no tokens around a text.
    is_static: bool,
    /// Of queries and of documents.
    prompts: [String; 2],
}

impl Reader {
    fn open(args: &Args) -> anyhow::Result<Self> {
        if let Some(folder) = &args.tokenizer {
            let tokenizer = Some(Tokenizer::load(folder)?);
            return Ok(Self { tokenizer, max_tokens: args.max_tokens, ..Self::default() });
        }
        let Some(name) = &args.model else {
            return match args.max_tokens {
                Some(_) => {
                    Err(Fault::option("--max-tokens", "tokens are a model's; name it with --model or --tokenizer")
                        .into())
                }
                None => Ok(Self::default()),
            };
        };
        let folder = isogloss_model::resolve(name)?;
        let layout = FolderLayout::read(&folder, Some(Pooling::Mean))?;
        let tokenizer = Tokenizer::load(&layout.tokenizer)?;
        Ok(Self {
            tokenizer: Some(if layout.lowercase { tokenizer.lowercased()? } else { tokenizer }),
            max_tokens: args.max_tokens.or(layout.max_tokens),
            is_static: matches!(layout.architecture, ArchitectureConfig::Static(_)),
            prompts: [Side::Query, Side::Doc].map(|side| layout.prompt(side).to_owned()),
        })
    }

    /// The tokens of a text, special ones included; 0 if it cannot be tokenized.
    fn count(&self, text: &str) -> usize {
        let Some(tokenizer) = &self.tokenizer else { return 0 };
        match self.is_static {
            true => tokenizer.encode_plain(text).map_or(0, |ids| ids.len()),
            false => tokenizer.encode_batch(&[text], "", usize::MAX).map_or(0, |ids| ids[0].ids.len()),
        }
    }
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Verdict<'a> {
    stops: bool,
    #[serde(flatten)]
    diagnosis: &'a Diagnosis,
}

fn print(diagnosis: &Diagnosis, form: Form) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    if form.json {
        let verdict = Verdict { stops: diagnosis.stops(), diagnosis };
        serde_json::to_writer_pretty(&mut out, &verdict).map_err(io::Error::from)?;
        writeln!(out)?;
    } else if form.csv {
        sheet(diagnosis).write_csv(&mut out)?;
    } else {
        let rows: u64 = diagnosis.files.iter().map(|file| file.rows).sum();
        let found = match diagnosis.findings.len() {
            0 => "nothing wrong was found".to_owned(),
            n => format!("{n} finding(s)"),
        };
        writeln!(out, "{} file(s), {rows} rows: {found}", diagnosis.files.len())?;
        if !diagnosis.findings.is_empty() {
            writeln!(out)?;
            sheet(diagnosis).write(form.markdown, &mut out)?;
            diagnosis.findings.iter().try_for_each(|finding| explain(finding, &mut out))?;
        }
    }
    out.flush()?;
    Ok(())
}

fn sheet(diagnosis: &Diagnosis) -> Sheet {
    let mut sheet = Sheet::new(["finding", "weight", "found", "of", "about", "in"]);
    for finding in &diagnosis.findings {
        let weight = if finding.stops { "stop" } else { "remark" };
        let place = finding.path.display().to_string();
        let row = [
            finding.check.name(),
            weight,
            &finding.found.to_string(),
            &finding.of.to_string(),
            &finding.detail,
            &place,
        ];
        sheet.push(row.map(str::to_owned).to_vec());
    }
    sheet
}

/// What a finding means, its first places, and its cure.
fn explain(finding: &Finding, out: &mut impl Write) -> io::Result<()> {
    let detail = if finding.detail.is_empty() { String::new() } else { format!(" ({})", finding.detail) };
    writeln!(out, "\n{}: {}: {}{detail}", finding.path.display(), finding.check.name(), finding.says)?;
    for example in &finding.examples {
        match example.line {
            0 => writeln!(out, "  {}", example.text)?,
            line => writeln!(out, "  line {line}: {}", example.text)?,
        }
    }
    writeln!(out, "  cure: {}", finding.cure)
}
