//! `isogloss mine negatives`: hard negatives for labelled queries.

use super::EXAMPLES;
use super::sources::{Sources, hash_of};
use crate::exit::Fault;
use crate::model::positive;
use crate::progress::Progress;
use isogloss_ir::{Lang, Qrels, Run, file_hash};
use isogloss_mine::negatives::{
    ListRules, Margin, Negatives, NegativesOptions, Pick, PositiveScore, RerankerRules, mine,
};
use isogloss_mine::{Langs, Parallel};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where candidates come from, and which of them are negatives.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    sources: Sources,

    /// Which documents answer which query: TREC qrels, BEIR's TSV, or a folder in the BEIR layout.
    #[arg(long, value_name = "FILE")]
    qrels: PathBuf,

    /// The least grade of an answer.
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_grade: i32,

    /// Negatives per query, at most.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 8)]
    negatives: usize,

    /// Ranks of BM25's list that give negatives; what stands before them is never one.
    #[arg(long, value_name = "FIRST-LAST", value_parser = ranks, default_value = "1-100")]
    bm25_ranks: (usize, usize),

    /// Ranks of the vectors' list that give negatives; what stands before them is never one.
    #[arg(long, value_name = "FIRST-LAST", value_parser = ranks, default_value = "1-100")]
    dense_ranks: (usize, usize),

    /// A negative's BM25 score is at least so much below the positive's.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    bm25_margin: Option<f32>,

    /// A negative's BM25 score is below the positive's by at least this share of it.
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    bm25_relative: Option<f32>,

    /// A negative's inner product is at least so much below the positive's.
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    dense_margin: Option<f32>,

    /// A negative's inner product is below the positive's by at least this share of it, or `none`.
    #[arg(long, value_name = "SHARE|none", value_parser = share, default_value = "0.05", allow_negative_numbers = true)]
    dense_relative: Share,

    /// Which score margins are measured from, where a query has several positives.
    #[arg(long, value_name = "min|max|mean", default_value_t = PositiveScore::Min)]
    positive_score: PositiveScore,

    /// Documents of which languages are searched: any, the query's (same), or other ones.
    #[arg(long, value_name = "any|same|other", default_value_t = Langs::Any)]
    langs: Langs,

    /// Negatives per query in one language, at most.
    #[arg(long, value_name = "N")]
    per_lang: Option<usize>,

    /// The same for single languages, apart by commas.
    #[arg(long, value_name = "LANG=N,LANG=N", value_delimiter = ',', value_parser = quota)]
    quota: Vec<(Lang, usize)>,

    /// Documents that are translations of each other: a file with a row of ids, apart by tabs, for each group; or `ids`,
    /// where ids differ in their language alone (`sw-17`, `fi-17`). Queries whose ids do so ask the same question.
    #[arg(long, value_name = "FILE|ids")]
    parallel: Option<PathBuf>,

    /// Similarity to a positive (Jaccard of five-character pieces) from which a text is its near-duplicate.
    #[arg(long, value_name = "X", default_value_t = 0.8)]
    near_duplicate: f64,

    /// A reranker's scores of positives and candidates, as a TREC run.
    #[arg(long, value_name = "RUN.trec")]
    reranker: Option<PathBuf>,

    /// A negative's reranker score is at least so much below the positive's.
    #[arg(long, value_name = "X", requires = "reranker", allow_negative_numbers = true)]
    reranker_margin: Option<f32>,

    /// A negative's reranker score is below the positive's by at least this share of it.
    #[arg(long, value_name = "SHARE", requires = "reranker", allow_negative_numbers = true)]
    reranker_relative: Option<f32>,

    /// A negative's reranker score, at most.
    #[arg(long, value_name = "X", requires = "reranker", allow_negative_numbers = true)]
    reranker_most: Option<f32>,

    /// Which candidates are taken of those that pass: the best ranked, or random ones.
    #[arg(long, value_name = "hardest|random", default_value_t = Pick::Hardest)]
    pick: Pick,

    /// Where random numbers come from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Likely false negatives shown in the report.
    #[arg(long, value_name = "N", default_value_t = 20)]
    suspects: usize,
}

/// A share, or none.
#[derive(Debug, Clone, Copy)]
struct Share(Option<f32>);

fn share(text: &str) -> Result<Share, String> {
    match text {
        "none" => Ok(Share(None)),
        number => number.parse().map(|share| Share(Some(share))).map_err(|_| "must be a number, or none".into()),
    }
}

fn ranks(text: &str) -> Result<(usize, usize), String> {
    let ends = text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    ends.filter(|(first, last)| *first >= 1 && first <= last).ok_or_else(|| "must be two ranks such as 1-100".into())
}

fn quota(text: &str) -> Result<(Lang, usize), String> {
    let parts = text.split_once('=').and_then(|(lang, n)| Some((lang.parse().ok()?, n.parse().ok()?)));
    parts.ok_or_else(|| "must be a language code and a number such as sw=2".into())
}

impl Args {
    fn options(&self) -> NegativesOptions {
        let list = |(first, last), absolute, relative| ListRules { first, last, margin: Margin { absolute, relative } };
        NegativesOptions {
            negatives: self.negatives,
            lists: [
                list(self.bm25_ranks, self.bm25_margin, self.bm25_relative),
                list(self.dense_ranks, self.dense_margin, self.dense_relative.0),
            ],
            positive_score: self.positive_score,
            min_grade: self.min_grade,
            langs: self.langs,
            per_lang: self.per_lang,
            quotas: self.quota.iter().copied().collect::<BTreeMap<_, _>>(),
            near_duplicate: self.near_duplicate,
            reranker: RerankerRules {
                margin: Margin { absolute: self.reranker_margin, relative: self.reranker_relative },
                most: self.reranker_most,
            },
            pick: self.pick,
            seed: self.seed,
            suspects: self.suspects,
        }
    }
}

/// Mines and prints the report.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let (sources, options) = (&args.sources, args.options());
    options.check(sources.are(), args.reranker.is_some())?;
    let qrels = Qrels::read(&args.qrels)?;
    let reranker = args.reranker.as_deref().map(Run::read).transpose()?;
    if let (Some(run), Some(path)) = (&reranker, &args.reranker)
        && !run.iter().any(|(query, _)| qrels.get(query).is_some())
    {
        let problem =
            format!("scores none of the queries of {}; give the scores of these queries", args.qrels.display());
        return Err(Fault::new(path, problem).into());
    }
    let opened = sources.open()?;
    let lists = opened.lists(sources)?;
    let parallel = match args.parallel.as_deref() {
        None => Parallel::default(),
        Some(ids) if ids.as_os_str() == "ids" && !ids.exists() => Parallel::by_id(&opened.passages)?,
        Some(path) => Parallel::read(path, &opened.passages)?,
    };
    let mut inputs = opened.inputs(sources)?;
    inputs.insert("qrels".into(), hash_of(qrels.iter().map(|judged| format!("{judged:?}"))));
    if let Some(run) = &reranker {
        inputs.insert("reranker".into(), hash_of(run.iter().map(|hits| format!("{hits:?}"))));
    }
    if let Some(path) = args.parallel.as_deref() {
        inputs.insert("parallel".into(), if path.exists() { file_hash(path)? } else { "ids".into() });
    }
    let mut task = Negatives {
        lists: &lists,
        queries: &opened.queries,
        queries_path: &sources.queries.path,
        vectors: None,
        qrels: &qrels,
        qrels_path: &args.qrels,
        parallel: &parallel,
        reranker: reranker.as_ref(),
        inputs,
        options: &options,
    };
    task.check()?;
    let vectors = opened.query_vectors(sources)?;
    task.vectors = vectors.as_ref();
    let mut progress = Progress::new(None);
    let report = mine(&task, &sources.out, |done, all| progress.tell(done, || format!("{done} of {all} queries")))?;
    drop(progress);
    super::print(&report)
}
