//! `isogloss index`: a corpus into an index of its words.

use crate::input::Input;
use crate::progress::Progress;
use crate::subword;
use isogloss_ir::{ReadOptions, read_docs};
use isogloss_lexical::{FieldSummary, IndexOptions, Profile, build_index};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What is indexed, by which analysis, and where the index goes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss index --bm25 corpus.jsonl --out words --analyzer lucene:te\n  isogloss index --bm25 vi=corpus/ --out words\n  isogloss index --bm25 corpus.jsonl --out words --analyzer lucene:te+subword:out/model"
)]
pub struct Args {
    /// A corpus to index for BM25: a file or a folder in the BEIR layout. LANG=CORPUS declares the language of documents
    /// that name none; without it, it is told from their letters.
    #[arg(long, value_name = "CORPUS")]
    bm25: Input,

    /// Folder of the index; it must not be there yet.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// How text becomes words: `lucene:LANG` (`lucene:ja:DICTIONARY`), `icu`, `subword:TOKENIZER`, two joined by `+`, or
    /// `auto`: each document by its language.
    #[arg(long, value_name = "PROFILE", default_value_t = Profile::Auto)]
    analyzer: Profile,
}

/// Indexes and prints the folder.
pub fn run(args: &Args) -> anyhow::Result<()> {
    for field in index(&args.bm25, &args.analyzer, &args.out)? {
        eprintln!("{}: {} documents, {} tokens, {} terms", field.name, field.docs, field.tokens, field.terms);
    }
    writeln!(io::stdout(), "{}", args.out.display())?;
    Ok(())
}

/// Indexes a corpus into the folder `out` with progress on stderr.
///
/// # Errors
/// As [`build_index`].
pub fn index(corpus: &Input, analyzer: &Profile, out: &Path) -> anyhow::Result<Vec<FieldSummary>> {
    let docs = read_docs(&corpus.path, &ReadOptions { lang: corpus.lang })?;
    let options = IndexOptions { profile: analyzer.clone(), ..IndexOptions::default() };
    let mut progress = Progress::new(None);
    let mut told = |docs: u64| progress.tell(docs, || format!("{docs} documents"));
    Ok(build_index(docs, out, &options, &subword::open, &mut told)?)
}
