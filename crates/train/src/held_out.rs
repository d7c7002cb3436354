//! Held-out queries with their passages: how likely a generator finds what it has not been shown.

use std::collections::BTreeMap;
use std::str::FromStr;

use isogloss_engine::no_grad;
use isogloss_ir::{Doc, Lang, PairOptions, Qrels, ReadOptions, load_pairs, read_docs, read_queries};
use isogloss_model::{Seq2Seq, fill_prompt};

use crate::config::EvaluateConfig;
use crate::dev::Score;
use crate::error::{Error, Result};
use crate::recipes::QueryGenerationConfig;
use crate::step::chunks;

/// Pairs that are tokenized at once.
const ROWS: usize = 64;
/// Tokens of passages that go through the model at once.
const CHUNK: usize = 4096;

/// How the likelihood of held-out queries is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likelihood {
    /// Nats per token.
    Loss,
    /// Its exponential.
    Perplexity,
}

impl Likelihood {
    fn name(self) -> &'static str {
        match self {
            Likelihood::Loss => "loss",
            Likelihood::Perplexity => "perplexity",
        }
    }

    fn of(self, nats: f64) -> f64 {
        match self {
            Likelihood::Loss => nats,
            Likelihood::Perplexity => nats.exp(),
        }
    }
}

impl FromStr for Likelihood {
    type Err = Error;

    fn from_str(name: &str) -> Result<Likelihood> {
        let known = [Likelihood::Loss, Likelihood::Perplexity];
        known.into_iter().find(|measure| measure.name() == name).ok_or_else(|| {
            let problem =
                format!("{name:?} is no measure of query_generation, which ranks nothing; use perplexity or loss");
            Error::value("evaluate.measure", problem)
        })
    }
}

/// A query with a passage that answers it.
struct Pair {
    passage: String,
    query: String,
}

/// Held-out pairs in memory, by the language of the query.
pub struct HeldOut {
    langs: BTreeMap<Option<Lang>, Vec<Pair>>,
    recipe: QueryGenerationConfig,
    measure: Likelihood,
}

impl HeldOut {
    /// Reads the development set of a run that trains by `recipe`: every judged query with each of its relevant documents, or
    /// translations, whose source is the query.
    ///
    /// # Errors
    /// A file is unreadable or malformed, holds no pair, or a query names no language although the prompt needs it.
    pub fn load(config: &EvaluateConfig, recipe: &QueryGenerationConfig) -> Result<HeldOut> {
        let mut langs: BTreeMap<Option<Lang>, Vec<Pair>> = BTreeMap::new();
        let (place, pairs) = match config {
            EvaluateConfig { parallel: Some(path), .. } => (path, translations(config)?),
            EvaluateConfig { queries: Some(path), .. } => (path, judged(config)?),
            _ => return Err(Error::value("evaluate", "needs corpus, queries and qrels, or parallel")),
        };
        if pairs.is_empty() {
            let problem =
                format!("{}: no query has a relevant document; give the judgements of these queries", place.display());
            return Err(Error::value("evaluate", problem));
        }
        for (lang, pair) in pairs {
            if fill_prompt(&recipe.prompt, lang).is_none() {
                let (path, query) = (place.display(), &pair.query);
                let problem = format!(
                    "{path}: the query {query:?} names no language, and the prompt has {{language}}; add `lang` to it, or take {{language}} out of recipe.prompt"
                );
                return Err(Error::value("evaluate", problem));
            }
            langs.entry(lang).or_default().push(pair);
        }
        Ok(HeldOut { langs, recipe: recipe.clone(), measure: config.measure(true).parse()? })
    }

    /// The mean loss of a query's token, without dropout and label smoothing, in each language and in their unweighted mean;
    /// or the exponentials of both.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn score(&self, model: &Seq2Seq) -> Result<Score> {
        let (mut by_lang, mut sum) = (BTreeMap::new(), 0.0);
        for (lang, pairs) in &self.langs {
            let nats = self.nats(model, *lang, pairs)?;
            let name = lang.map_or_else(|| "unknown".to_string(), |lang| lang.to_string());
            by_lang.insert(name, self.measure.of(nats));
            sum += nats;
        }
        let value = self.measure.of(sum / self.langs.len() as f64);
        Ok(Score { measure: self.measure.name().into(), value, falls: true, by_lang })
    }

    /// Nats per token of a language's queries.
    fn nats(&self, model: &Seq2Seq, lang: Option<Lang>, pairs: &[Pair]) -> Result<f64> {
        let prompt = fill_prompt(&self.recipe.prompt, lang).unwrap_or_default();
        let (mut nats, mut tokens) = (0.0, 0);
        for pairs in pairs.chunks(ROWS) {
            let passages: Vec<String> = pairs.iter().map(|pair| format!("{prompt}{}", pair.passage)).collect();
            let passages = model.tokenize(&passages.iter().map(String::as_str).collect::<Vec<_>>())?;
            let queries: Vec<&str> = pairs.iter().map(|pair| pair.query.as_str()).collect();
            let queries = model.tokenize_targets(&queries, self.recipe.max_query_tokens)?;
            for rows in chunks(&passages, Some(CHUNK)) {
                let (passages, queries) = (&passages[rows.clone()], &queries[rows]);
                let labels: usize = queries.iter().map(Vec::len).sum();
                let loss = no_grad(|| model.loss(passages, queries, 0, 0.0, None).item());
                nats += f64::from(loss) * labels as f64;
                tokens += labels;
            }
        }
        Ok(nats / tokens as f64)
    }
}

fn translations(config: &EvaluateConfig) -> Result<Vec<(Option<Lang>, Pair)>> {
    let Some(path) = &config.parallel else { return Ok(Vec::new()) };
    let pairs = load_pairs(path, &PairOptions::default())?.into_iter();
    Ok(pairs.map(|pair| (pair.src_lang, Pair { passage: pair.tgt, query: pair.src })).collect())
}

fn judged(config: &EvaluateConfig) -> Result<Vec<(Option<Lang>, Pair)>> {
    let (Some(corpus), Some(queries), Some(qrels)) = (&config.corpus, &config.queries, &config.qrels) else {
        return Err(Error::value("evaluate", "needs corpus, queries and qrels together"));
    };
    let (options, judgements) = (ReadOptions::default(), Qrels::read(qrels)?);
    let text = |doc: isogloss_ir::Result<Doc>| doc.map(|doc| (doc.id.clone(), doc.full_text().into_owned()));
    let docs: BTreeMap<String, String> = read_docs(corpus, &options)?.map(text).collect::<isogloss_ir::Result<_>>()?;
    let mut pairs = Vec::new();
    for query in read_queries(queries, &options)? {
        let query = query?;
        let relevant = judgements.get(&query.id).into_iter().flatten().filter(|(_, grade)| **grade > 0);
        for (doc, _) in relevant {
            let Some(passage) = docs.get(doc) else {
                let problem = format!(
                    "{}: the document {doc:?} is not in {}; give its corpus",
                    qrels.display(),
                    corpus.display()
                );
                return Err(Error::value("evaluate", problem));
            };
            pairs.push((query.lang, Pair { passage: passage.clone(), query: query.text.clone() }));
        }
    }
    Ok(pairs)
}
