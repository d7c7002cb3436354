//! `isogloss search --hybrid`: the best documents by words and vectors together.

use super::{Args, bm25, dense, queries, write};
use crate::exit::Fault;
use isogloss_ir::{Floor, Lang, fuse_by};
use std::collections::BTreeMap;
use std::path::Path;

/// BM25 lists every document that has a word of the query, unless they are more than asked for: any other scored 0.
const FLOORS: [Floor; 1] = [Floor::Zero];

/// Searches both, fuses what they find and writes the run: the one that `isogloss fuse` makes of theirs.
pub fn run(index: &Path, args: &Args) -> anyhow::Result<()> {
    let fusing = args.fusion.open(&FLOORS)?.of_depths(&[args.depth; 2]);
    let queries = queries(args.queries())?;
    let langs: BTreeMap<String, Option<Lang>> = queries.iter().map(|query| (query.id.clone(), query.lang)).collect();
    let searcher = args.words.open(index)?;
    let by_words = bm25::ranked(&searcher, &queries, args.depth)?;
    let by_vectors = dense(args, queries, args.depth)?;
    let found = || by_vectors.iter().flat_map(|(_, hits)| hits.iter());
    if found().next().is_some() && !found().any(|(doc, _)| searcher.index().find(doc).is_some()) {
        let corpus = &args.corpus().path;
        let problem =
            format!("none of the documents found there is in {}; index and encode the same corpus", index.display());
        return Err(Fault::new(corpus, problem).into());
    }
    let lang = |query: &str| langs.get(query).copied().flatten();
    let fused = fuse_by(&[by_words, by_vectors], |query| fusing.of(lang(query)), args.k)?;
    Ok(write(&fused, args.out.as_deref())?)
}
