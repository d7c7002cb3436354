//! `isogloss bias`: whether a pool of several languages was searched by meaning or by language.

use super::evaluate::langs;
use crate::input::Input;
use crate::model::positive;
use crate::sheet::{Form, Sheet};
use isogloss_ir::language_bias::Cell;
use isogloss_ir::{Lang, LanguageBias, Pool, Qrels, ReadOptions, Run, language_bias, read_docs};
use std::collections::HashSet;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// The run, what it was made from, and what to print.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss bias run.trec --qrels xquad_r --queries xquad_r --corpus xquad_r\n  isogloss bias run.trec --qrels qrels.tsv --queries queries.jsonl --corpus corpus.jsonl --k 20 --json\n\nRanks are whole only where the run holds the whole pool: search with --k as large as the corpus."
)]
pub struct Args {
    /// The run, as TREC rows `qid Q0 docid rank score tag`.
    run: PathBuf,

    /// Judgements: TREC qrels, BEIR's TSV, or a folder in the BEIR layout.
    #[arg(long, value_name = "FILE")]
    qrels: PathBuf,

    /// Queries with their languages, LANG=FILE where they name none. Ids that differ in their language alone (`sw-17`, `fi-17`) are translations.
    #[arg(long, value_name = "FILE")]
    queries: Input,

    /// The documents that were searched, with their languages, LANG=FILE where they name none.
    #[arg(long, value_name = "FILE")]
    corpus: Input,

    /// Ranks read for shares and overlaps.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 10)]
    k: usize,

    #[command(flatten)]
    form: Form,
}

/// Measures and prints.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let (run, qrels, langs) = (Run::read(&args.run)?, Qrels::read(&args.qrels)?, langs(&args.queries)?);
    let ranked = run.iter().flat_map(|(_, hits)| hits.iter().map(|(doc, _)| doc.as_str()));
    let judged = qrels.iter().flat_map(|(_, judged)| judged.keys().map(String::as_str));
    let named: HashSet<&str> = ranked.chain(judged).collect();
    let pool =
        Pool::of(read_docs(&args.corpus.path, &ReadOptions { lang: args.corpus.lang })?, |id| named.contains(id))?;
    let bias = language_bias(&run, &qrels, &langs, &pool, args.k)?;
    note(&bias);
    let mut out = BufWriter::new(io::stdout().lock());
    match args.form {
        Form { json: true, .. } => {
            serde_json::to_writer_pretty(&mut out, &bias).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        Form { csv: true, .. } => cells(&bias).write_csv(&mut out)?,
        Form { markdown, .. } => print(&bias, markdown, &mut out)?,
    }
    out.flush()?;
    Ok(())
}

fn note(bias: &LanguageBias) {
    if bias.missing > 0 {
        eprintln!("note: judged queries that the run lacks, passed over: {}", bias.missing);
    }
    if bias.unranked > 0 {
        eprintln!("note: relevant documents that the run lacks, ranked behind its last: {}", bias.unranked);
    }
}

/// The languages' own figures, the matrix of shares and of ranks, and what holds over all.
pub fn print(bias: &LanguageBias, markdown: bool, out: &mut impl Write) -> io::Result<()> {
    let k = bias.k;
    by_query_lang(bias).write(markdown, out)?;
    writeln!(out, "\nshare of the documents' languages (columns) in the top {k} of each query language (rows)\n")?;
    matrix(bias, |cell| Some(cell.share), 3).write(markdown, out)?;
    writeln!(out, "\nmean rank of the first relevant document in each language\n")?;
    matrix(bias, |cell| cell.rank, 1).write(markdown, out)?;
    writeln!(out)?;
    writeln!(out, "bias ratio, mean of the query languages (1 = none): {}", number(bias.bias_ratio, 4))?;
    let gap = bias.rank_gap_same_vs_other;
    writeln!(out, "rank of other languages less own (above 0: the own is preferred): {}", number(gap, 2))?;
    if let Some(found) = &bias.translations {
        let (gap, first) = (number(found.rank_gap_mean_abs, 2), number(found.first_gold_rank_gap, 2));
        writeln!(out, "{} questions in several languages:", found.questions)?;
        writeln!(out, "  difference of a relevant document's rank between translations: {gap}")?;
        writeln!(out, "  worst less best rank of the first relevant document: {first}")?;
        writeln!(out, "  overlap of their top {k}: {:.4}", found.overlap_at_k)?;
    }
    Ok(())
}

fn by_query_lang(bias: &LanguageBias) -> Sheet {
    let mut sheet =
        Sheet::new(["queries in", "queries", "same-language share", "pool share", "bias ratio", "rank gap"]);
    for (lang, found) in &bias.by_query_lang {
        sheet.push(vec![
            lang.to_string(),
            found.queries.to_string(),
            format!("{:.4}", found.same_language_share),
            number(bias.pool_share.get(lang).copied(), 4),
            number(found.bias_ratio, 4),
            number(found.rank_gap_same_vs_other, 2),
        ]);
    }
    sheet
}

fn matrix(bias: &LanguageBias, of: impl Fn(&Cell) -> Option<f64>, digits: usize) -> Sheet {
    let langs = bias.pool_share.keys().map(Lang::to_string);
    let mut sheet = Sheet::new(["".to_owned()].into_iter().chain(langs));
    for (lang, cells) in &bias.matrix {
        let cells = cells.values().map(|cell| number(of(cell), digits));
        sheet.push([lang.to_string()].into_iter().chain(cells).collect());
    }
    sheet
}

/// Every cell of the matrix, a row each.
fn cells(bias: &LanguageBias) -> Sheet {
    let mut sheet = Sheet::new(["query_lang", "doc_lang", "share", "pool_share", "bias_ratio", "rank", "rank_gap"]);
    let full = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    for (lang, row) in &bias.matrix {
        for (other, cell) in row {
            let mut cells = vec![lang.to_string(), other.to_string()];
            let shares = [Some(cell.share), bias.pool_share.get(other).copied(), Some(cell.bias_ratio)];
            cells.extend(shares.into_iter().chain([cell.rank, cell.rank_gap]).map(full));
            sheet.push(cells);
        }
    }
    sheet
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or("-".into(), |value| format!("{value:.digits$}"))
}
