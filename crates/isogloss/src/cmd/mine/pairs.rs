//! `isogloss mine pairs`: positives and hard negatives for queries without labels.

use super::EXAMPLES;
use super::sources::{Opened, Sources};
use crate::model::positive;
use crate::progress::Progress;
use crate::subword;
use isogloss_ir::{Doc, Qrels};
use isogloss_lexical::{Bm25, Index, IndexOptions, Searcher, build_index};
use isogloss_mine::pairs::{Agreement, Pairs, PairsOptions, PairsReport, mine};
use isogloss_mine::{Langs, work_folder};
use std::path::{Path, PathBuf};

/// Where candidates come from, and when the lists agree on one.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    sources: Sources,

    /// Which lists have to agree; one alone is for comparison.
    #[arg(long, value_name = "both|bm25|dense", default_value_t = Agreement::Both)]
    lists: Agreement,

    /// Documents of each list that are fused.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 100)]
    depth: usize,

    /// The weight of the vectors' list beside 1 for words, in n(bm25) + alpha · n(dense).
    #[arg(long, value_name = "X", default_value_t = 0.8, allow_negative_numbers = true)]
    alpha: f64,

    /// The last rank of a positive, in every list.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 3)]
    top: usize,

    /// How far the positive's fused score is ahead of the next.
    #[arg(long, value_name = "X", default_value_t = 0.1, allow_negative_numbers = true)]
    lead: f64,

    /// The last rank at which the positive finds its query among all queries; 0 for no such rule.
    #[arg(long, value_name = "N", default_value_t = 10)]
    round_trip: usize,

    /// Hard negatives per query, at most.
    #[arg(long, value_name = "N", default_value_t = 8)]
    negatives: usize,

    /// The last rank of a hard negative in the list that has it.
    #[arg(long, value_name = "N", default_value_t = 30)]
    negatives_top: usize,

    /// The rank up to which the other list does not have it.
    #[arg(long, value_name = "N", default_value_t = 100)]
    negatives_beyond: usize,

    /// Similarity to the positive (Jaccard of five-character pieces) from which a text is its near-duplicate and no negative.
    #[arg(long, value_name = "X", default_value_t = 0.8)]
    near_duplicate: f64,

    /// Documents of which languages are searched: the query's (same), any, or other ones.
    #[arg(long, value_name = "same|any|other", default_value_t = Langs::Same)]
    langs: Langs,

    /// Judgements to report the precision by; they decide nothing.
    #[arg(long, value_name = "FILE")]
    qrels: Option<PathBuf>,

    /// Pairs of each language shown in the report: those with the smallest lead.
    #[arg(long, value_name = "N", default_value_t = 5)]
    samples: usize,
}

impl Args {
    fn options(&self) -> PairsOptions {
        PairsOptions {
            lists: self.lists,
            depth: self.depth,
            alpha: self.alpha,
            top: self.top,
            lead: self.lead,
            round_trip: self.round_trip,
            negatives: self.negatives,
            negatives_top: self.negatives_top,
            negatives_beyond: self.negatives_beyond,
            near_duplicate: self.near_duplicate,
            langs: self.langs,
            samples: self.samples,
        }
    }
}

/// Mines and prints the report.
pub fn run(args: &Args) -> anyhow::Result<()> {
    super::print(&pairs(&args.sources, &args.options(), args.qrels.as_deref())?)
}

/// Mines into `sources.out` with progress on stderr; the judgements decide nothing.
///
/// # Errors
/// An option is out of its range, or whatever sources and mining fail with.
pub fn pairs(sources: &Sources, options: &PairsOptions, qrels: Option<&Path>) -> anyhow::Result<PairsReport> {
    options.check(sources.are())?;
    let qrels = qrels.map(Qrels::read).transpose()?;
    let opened = sources.open()?;
    let lists = opened.lists(sources)?;
    let inputs = opened.inputs(sources)?;
    let query_words = match options.round_trip > 0 && options.lists == Agreement::Bm25 {
        true => Some(words_of_queries(&opened, sources)?),
        false => None,
    };
    let vectors = opened.query_vectors(sources)?;
    let task = Pairs {
        lists: &lists,
        queries: &opened.queries,
        vectors: vectors.as_ref(),
        query_words: query_words.as_ref(),
        qrels: qrels.as_ref(),
        inputs,
        options,
    };
    let mut progress = Progress::new(None);
    Ok(mine(&task, &sources.out, |done, all| progress.tell(done, || format!("{done} of {all} queries")))?)
}

/// An index of the queries by the analysis of the corpus, in the folder of the work.
fn words_of_queries(opened: &Opened, sources: &Sources) -> anyhow::Result<Searcher> {
    let folder = work_folder(&sources.out)?.join("words");
    crate::files::remove(&folder)?;
    let of_corpus = opened.searcher.as_ref().expect("words are used");
    let profile = of_corpus.index().profile().parse()?;
    let docs = opened.queries.iter().map(|query| {
        Ok(Doc { id: query.id.clone(), title: String::new(), text: query.text.clone(), lang: query.lang })
    });
    let options = IndexOptions { profile, ..IndexOptions::default() };
    build_index(docs, &folder, &options, &subword::open, &mut |_| ())?;
    let bm25 = Bm25::new(sources.words.k1, sources.words.b)?;
    Ok(Searcher::new(Index::open(&folder)?, bm25, &subword::open)?)
}
