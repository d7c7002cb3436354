//! `isogloss tokenizer`: makes a tokenizer for a new model.

use crate::files::{create_folder, refuse_existing};
use crate::model::positive;
use clap::Subcommand;
use isogloss_ir::TextKind;
use isogloss_model::{TokenizerOptions, train_tokenizer};
use std::io::{self, Write};
use std::path::PathBuf;

mod sample;

pub use sample::Sample;

/// What to do about tokenizers.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:\n  isogloss tokenizer train parallel.tsv.zst --vocab-size 32000 --out tokenizer\n  isogloss tokenizer train corpus.jsonl wiki.txt --vocab-size 64000 --limit-sentences 2000000 --out tokenizer";

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a Unigram tokenizer of XLM-R's form.
    Train(TrainArgs),
}

/// What a tokenizer is trained on, and how large it is.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
struct TrainArgs {
    /// Translations (all languages of them), corpora, queries, or .txt files of one text per line.
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,

    /// Number of ids, the five special tokens included.
    #[arg(long, value_name = "N", value_parser = positive)]
    vocab_size: usize,

    /// Folder of the tokenizer.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Train on this many texts at most: an even sample, the same every time.
    #[arg(long, value_name = "N", value_parser = positive)]
    limit_sentences: Option<usize>,

    /// What the files hold, where their first line does not tell: documents, corpus, queries or parallel.
    #[arg(long, value_name = "KIND", value_parser = str::parse::<TextKind>)]
    kind: Option<TextKind>,
}

/// Does it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Train(args) => train(args),
    }
}

fn train(args: &TrainArgs) -> anyhow::Result<()> {
    refuse_existing(&args.out)?;
    let mut sample = Sample::new(args.limit_sentences);
    for input in &args.inputs {
        sample.read(input, args.kind)?;
    }
    let texts = sample.into_texts();
    let options = TokenizerOptions { vocab_size: args.vocab_size, ..TokenizerOptions::default() };
    eprintln!("training on {} distinct texts", texts.len());
    let ids = create_folder(&args.out, |partial| Ok(train_tokenizer(&texts, &options, partial)?))?;
    if ids < args.vocab_size {
        eprintln!("note: the texts hold fewer pieces than asked for");
    }
    eprintln!("{ids} ids");
    writeln!(io::stdout(), "{}", args.out.display())?;
    Ok(())
}
