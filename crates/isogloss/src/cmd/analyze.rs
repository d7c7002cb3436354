//! `isogloss analyze`: what an analyzer makes of text.

use crate::exit::Fault;
use crate::subword;
use isogloss_ir::Lang;
use isogloss_ir::reader::Lines;
use isogloss_lexical::{Analyzer, Field, Profile, field_of};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// By which analysis, and in which form.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  echo 'The horses ran.' | isogloss analyze --analyzer lucene:en\n  isogloss analyze --analyzer lucene:te --json < texts.jsonl > tokens.jsonl"
)]
pub struct Args {
    /// `lucene:LANG` (`lucene:ja:DICTIONARY`), `icu`, `subword:TOKENIZER`, two joined by `+`, or `auto`: each line by its language.
    #[arg(long, value_name = "PROFILE", default_value_t = Profile::Auto)]
    analyzer: Profile,

    /// Read lines {"text": …} (and `lang`, where known) and write a line {"tokens": […]} for each.
    #[arg(long)]
    json: bool,
}

/// A text in JSON.
#[derive(Deserialize)]
struct Text {
    text: String,
    lang: Option<Lang>,
}

/// Its tokens in JSON.
#[derive(Serialize)]
struct Tokens {
    tokens: Vec<String>,
}

/// Analyses stdin line by line; without `--json` a token is a line of its own.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut analyzers = Analyzers { profile: args.analyzer.clone(), opened: HashMap::new() };
    analyzers.open_all()?;
    let mut lines = Lines::from_reader(io::stdin(), "stdin")?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut line = String::new();
    while lines.next_line(&mut line)? {
        if args.json {
            if line.trim().is_empty() {
                continue;
            }
            let text = parse(&line, lines.number())?;
            let tokens = analyzers.tokens(&text.text, text.lang)?;
            serde_json::to_writer(&mut out, &Tokens { tokens }).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            for token in analyzers.tokens(&line, None)? {
                writeln!(out, "{token}")?;
            }
        }
    }
    out.flush()?;
    Ok(())
}

fn parse(line: &str, number: usize) -> Result<Text, Fault> {
    serde_json::from_str(line).map_err(|problem| {
        let problem = problem.to_string();
        let what = problem.split(" at line ").next().unwrap_or_default();
        Fault::new(Path::new("stdin"), format!("line {number}: {what}; give a line {{\"text\": …}} for each text"))
    })
}

/// The analyzers of a profile, opened when they are needed.
struct Analyzers {
    profile: Profile,
    opened: HashMap<Field, Box<dyn Analyzer>>,
}

impl Analyzers {
    /// Opens those that are known before the first text, so that a wrong name is told at once.
    fn open_all(&mut self) -> isogloss_lexical::Result<()> {
        if let Profile::Fields(fields) = &self.profile {
            for field in fields {
                self.opened.insert(field.clone(), field.analyzer(&subword::open)?);
            }
        }
        Ok(())
    }

    fn tokens(&mut self, text: &str, lang: Option<Lang>) -> isogloss_lexical::Result<Vec<String>> {
        let fields = match &self.profile {
            Profile::Fields(fields) => fields.clone(),
            Profile::Auto => vec![field_of(text, lang)],
        };
        let mut tokens = Vec::new();
        for field in fields {
            if !self.opened.contains_key(&field) {
                self.opened.insert(field.clone(), field.analyzer(&subword::open)?);
            }
            self.opened[&field].each_token(text, &mut |token| tokens.push(token.to_owned()))?;
        }
        Ok(tokens)
    }
}
