//! `isogloss index --bm25`: a corpus into an index of its words.

use super::WordArgs;
use crate::exit::Fault;
use crate::input::Input;
use crate::progress::Progress;
use crate::subword;
use isogloss_ir::{ReadOptions, read_docs};
use isogloss_lexical::{FieldSummary, IndexOptions, Profile, build_index};
use std::io::{self, Write};
use std::path::Path;

/// Indexes and prints the folder.
pub fn run(corpus: &Input, args: &WordArgs) -> anyhow::Result<()> {
    let Some(out) = &args.out else {
        return Err(Fault::option("--out", "is missing; name the folder of the index").into());
    };
    for field in index(corpus, &args.analyzer, out)? {
        eprintln!("{}: {} documents, {} tokens, {} terms", field.name, field.docs, field.tokens, field.terms);
    }
    writeln!(io::stdout(), "{}", out.display())?;
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
