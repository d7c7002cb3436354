//! `isogloss generate`: texts written from texts by an encoder–decoder, a query for every passage for example.

use crate::exit::Fault;
use crate::hashes::{hashes, revision};
use crate::input::Input;
use crate::model::{self, positive};
use crate::progress::Progress;
use crate::resumed::Resumed;
use crate::run_out::{is_plain, put, refuse_folder};
use crate::texts::{Texts, told};
use isogloss_dense::{Side, Text};
use isogloss_ir::Lang;
use isogloss_model::{Beams, GenerateOptions, Sampling, Search, Seq2Seq, fill_prompt};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Texts read at a time; among them those of like length are continued together.
const WINDOW: usize = 1024;

/// From what, with which model, and how tokens are chosen.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss generate --model out/model --input te=corpus.jsonl --out queries.jsonl --top-k 10 --num-return 10\n  isogloss generate --model google/mt5-small --input texts.txt --beams 4 --max-new-tokens 64 > out.jsonl"
)]
pub struct Args {
    /// A folder of an mT5 or T5 model, or the name of one in the local cache.
    #[arg(long, value_name = "MODEL")]
    model: String,

    /// Corpora or .txt files of one text per line; folders in the BEIR layout. LANG=INPUT declares the language of texts
    /// that name none.
    #[arg(long = "input", value_name = "INPUT", required = true)]
    inputs: Vec<Input>,

    /// File of the result, a line {"id", "text", "doc", "score", "lang"} for each text, `doc` being the id of
    /// the text it was made from; stdout without it. A call that was killed goes on with what it left beside the file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Text before every input; {language} in it stands for the language's English name [default: what the model was
    /// trained with].
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,

    /// The language that the prompt asks for [default: that of each input].
    #[arg(long, value_name = "LANG")]
    prompt_lang: Option<Lang>,

    /// Where inputs are cut, in tokens [default: 512].
    #[arg(long, value_name = "N", value_parser = positive)]
    max_tokens: Option<usize>,

    /// Most tokens of a generated text.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = GenerateOptions::default().max_new_tokens)]
    max_new_tokens: usize,

    /// Hypotheses of a beam search.
    #[arg(long, value_name = "N", value_parser = positive, conflicts_with_all = ["temperature", "top_k", "top_p", "seed"])]
    beams: Option<usize>,

    /// End a beam search as soon as as many texts have ended as there are beams.
    #[arg(long, requires = "beams")]
    early_stopping: bool,

    /// Scores are sums of log-probabilities by length to this power; above 1 favours long texts in a beam search.
    #[arg(long, value_name = "X", allow_negative_numbers = true, default_value_t = GenerateOptions::default().length_penalty)]
    length_penalty: f64,

    /// Draw tokens instead of taking the likeliest; lower temperatures keep closer to these.
    #[arg(long, value_name = "X")]
    temperature: Option<f32>,

    /// Draw from so many of the likeliest tokens.
    #[arg(long, value_name = "N", value_parser = positive)]
    top_k: Option<usize>,

    /// Draw from the fewest tokens that hold so much of the probability.
    #[arg(long, value_name = "X")]
    top_p: Option<f32>,

    /// Seed of what is drawn.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Texts for each input: drawn anew each time, or the best of a beam search.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 1)]
    num_return: usize,
}

impl Args {
    fn options(&self) -> GenerateOptions {
        let drawn = self.temperature.is_some() || self.top_k.is_some() || self.top_p.is_some() || self.seed.is_some();
        let search = match self.beams {
            Some(beams) => Search::Beam(Beams { beams, early_stopping: self.early_stopping }),
            None if drawn => Search::Sample(Sampling {
                temperature: self.temperature.unwrap_or(1.0),
                top_k: self.top_k,
                top_p: self.top_p,
                seed: self.seed.unwrap_or(0),
            }),
            None => Search::Greedy,
        };
        let (max_new_tokens, returned, length_penalty) = (self.max_new_tokens, self.num_return, self.length_penalty);
        GenerateOptions { search, max_new_tokens, returned, length_penalty }
    }

    fn request<'a>(&'a self, options: &'a GenerateOptions) -> Request<'a> {
        let Self { model, inputs, prompt_lang, max_tokens, .. } = self;
        let prompt = self.prompt.as_deref();
        Request { model, inputs, prompt, prompt_lang: *prompt_lang, max_tokens: *max_tokens, options }
    }
}

/// What is written from what, and how.
pub struct Request<'a> {
    /// Folder or name of the model.
    pub model: &'a str,
    /// Where the texts are.
    pub inputs: &'a [Input],
    /// Text before every input; `None` for what the model was trained with.
    pub prompt: Option<&'a str>,
    /// The language that the prompt asks for; `None` for that of each input.
    pub prompt_lang: Option<Lang>,
    /// Where inputs are cut, in tokens.
    pub max_tokens: Option<usize>,
    /// How tokens are chosen.
    pub options: &'a GenerateOptions,
}

impl Request<'_> {
    /// Writes the file `out`; goes on where the same request was killed.
    ///
    /// # Errors
    /// Options out of their range, and whatever the model, the inputs or the disk fail with.
    pub fn write(&self, out: &Path) -> anyhow::Result<()> {
        let model = self.open()?;
        let mut file = Resumed::open(out, self.plan()?)?;
        let done = file.done();
        self.generate(&model, done, |lines, done| Ok(file.append(lines, done)?))?;
        Ok(file.finish()?)
    }

    fn open(&self) -> anyhow::Result<Seq2Seq> {
        self.options.check()?;
        Ok(Seq2Seq::load(self.model, self.max_tokens)?)
    }

    /// What decides the lines: the model's files, the inputs, and how tokens are chosen.
    fn plan(&self) -> anyhow::Result<String> {
        let inputs = self.inputs.iter().map(|input| Ok((revision(&hashes(&input.path)?), input.lang)));
        let inputs = inputs.collect::<isogloss_ir::Result<Vec<_>>>()?;
        let model = model::hash(&isogloss_model::resolve(self.model)?, true)?;
        let prompt = (&self.prompt, self.prompt_lang, self.max_tokens);
        Ok(format!("{} {model} {inputs:?} {prompt:?} {:?}", env!("CARGO_PKG_VERSION"), self.options))
    }

    /// The prompt of a text.
    fn prompt(&self, model: &Seq2Seq, text: &Text) -> Result<String, Fault> {
        let prompt = self.prompt.or(model.prompt()).unwrap_or("");
        fill_prompt(prompt, self.prompt_lang.or(text.lang)).ok_or_else(|| {
            let problem = format!(
                "the prompt {prompt:?} names a language, and the text {:?} has none; give --prompt-lang, LANG=INPUT or another --prompt",
                text.id
            );
            Fault::option("--prompt", problem)
        })
    }

    /// Gives the lines of every window to `sink`, with the number of texts that are done then; the first `done` ones were
    /// before.
    fn generate(
        &self,
        model: &Seq2Seq,
        mut done: u64,
        mut sink: impl FnMut(&[u8], u64) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut texts = Texts::new(self.inputs.to_vec(), Side::Doc, None);
        for text in texts.by_ref().take(done as usize) {
            text.map_err(told)?;
        }
        let mut progress = Progress::new(None);
        loop {
            let window = texts.by_ref().take(WINDOW).collect::<Result<Vec<Text>, _>>().map_err(told)?;
            if window.is_empty() {
                return Ok(());
            }
            let lines = self.lines(model, &window, done)?;
            done += window.len() as u64;
            sink(&lines, done)?;
            progress.tell(done, || format!("{done} texts continued"));
        }
    }

    /// The lines of a window, before which `done` texts were.
    fn lines(&self, model: &Seq2Seq, window: &[Text], done: u64) -> anyhow::Result<Vec<u8>> {
        let prompted = window.iter().map(|text| Ok(self.prompt(model, text)? + &text.text));
        let prompted = prompted.collect::<Result<Vec<String>, Fault>>()?;
        let sources: Vec<&str> = prompted.iter().map(String::as_str).collect();
        let mut lines = Vec::new();
        for (source, texts) in window.iter().zip(model.generate(&sources, done, self.options)?) {
            for (number, made) in texts.into_iter().enumerate() {
                let numbered = format!("{}-{number}", source.id);
                let id = if self.options.returned == 1 { &source.id } else { &numbered };
                let (doc, lang) = (source.id.as_str(), self.prompt_lang.or(source.lang));
                let line = Line { id, text: &made.text, doc, score: made.score, lang };
                serde_json::to_writer(&mut lines, &line)?;
                lines.push(b'\n');
            }
        }
        Ok(lines)
    }
}

/// A line of the result.
#[derive(Serialize)]
struct Line<'a> {
    /// That of the text it was made from; with several of a text, also its number among them.
    id: &'a str,
    text: &'a str,
    /// The text it was made from.
    doc: &'a str,
    score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lang: Option<Lang>,
}

/// Generates, a window of texts after the other, in their order. A file goes on where the same request was killed.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let options = args.options();
    let request = args.request(&options);
    options.check()?;
    refuse_folder(args.out.as_deref())?;
    let again = args.inputs.iter().all(|input| input.path.is_file() || input.path.is_dir());
    match args.out.as_deref().filter(|out| again && is_plain(out)) {
        Some(out) => request.write(out),
        None => {
            let model = request.open()?;
            put(args.out.as_deref(), |to, _| request.generate(&model, 0, |lines, _| Ok(to.write_all(lines)?)))
        }
    }
}
