//! What is searched for candidates: a corpus, an index of its words, its vectors; and the queries' vectors.

use super::folder_of;
use crate::cmd::encode;
use crate::exit::Fault;
use crate::input::Input;
use crate::model::{CalibrationOptions, Model, ModelOptions};
use crate::progress::Progress;
use crate::run_out::is_plain;
use crate::stored::load_for;
use crate::texts::Texts;
use crate::words;
use isogloss_dense::{EncodeOptions, Manifest, Side, VectorStore};
use isogloss_ir::{Error, Query, ReadOptions, file_hash, read_docs, read_queries};
use isogloss_lexical::Searcher;
use isogloss_mine::{Lists, Passages, QueryVectors, work_folder};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// Queries encoded between two writings.
const ROWS_PER_SHARD: usize = 8192;

/// The options that say where everything is.
#[derive(Debug, clap::Args)]
pub struct Sources {
    /// The corpus, with its texts: a file or a folder in the BEIR layout. LANG=FILE declares the language of documents that
    /// name none.
    #[arg(long, value_name = "FILE")]
    pub corpus: Input,

    /// The queries: a file or a folder in the BEIR layout. LANG=FILE declares the language of queries that name none.
    #[arg(long, value_name = "FILE")]
    pub queries: Input,

    #[command(flatten)]
    pub words: words::Options,

    /// Vectors of the corpus that `isogloss encode` wrote; they are searched where they lie.
    #[arg(long, value_name = "DIR")]
    pub vectors: Option<PathBuf>,

    /// The model of those vectors, to encode the queries with.
    #[arg(long, requires = "vectors")]
    pub model: Option<String>,

    /// Vectors of the queries that `isogloss encode --side query` wrote, in place of a model.
    #[arg(long, value_name = "DIR", requires = "vectors", conflicts_with = "model")]
    pub query_vectors: Option<PathBuf>,

    #[command(flatten)]
    pub options: ModelOptions,

    #[command(flatten)]
    pub calibration: CalibrationOptions,

    /// The mined rows, as JSON lines that `isogloss train` reads (format flag-embedding). Beside it come FILE.report.json and
    /// FILE.report.txt, and while it is under way the folder FILE.mining, from which a killed run goes on.
    #[arg(long, value_name = "FILE.jsonl")]
    pub out: PathBuf,
}

/// Everything opened that is searched.
pub struct Opened {
    /// The queries, in their order.
    pub queries: Vec<Query>,
    /// The index of words.
    pub searcher: Option<Searcher>,
    /// The corpus.
    pub passages: Passages,
    /// Its vectors.
    pub store: Option<Arc<VectorStore>>,
    model: Option<Model>,
    query_store: Option<Arc<VectorStore>>,
}

impl Sources {
    /// Which lists there are: words, vectors.
    pub fn are(&self) -> [bool; 2] {
        [self.words.bm25.is_some(), self.vectors.is_some()]
    }

    /// Opens and checks all of it, and reads the corpus.
    ///
    /// # Errors
    /// Something is missing, damaged, or of another corpus or model.
    pub fn open(&self) -> anyhow::Result<Opened> {
        if self.out.is_dir() || !is_plain(&self.out) {
            return Err(Fault::new(&self.out, "is no plain file; name a file for the mined rows").into());
        }
        let folder = folder_of(&self.out);
        std::fs::metadata(folder).map_err(|e| Error::io(folder, e))?;
        let searcher = self.words.bm25.as_deref().map(|index| self.words.open(index)).transpose()?;
        let (model, query_store) = self.query_source()?;
        let store = self.vectors.as_deref().map(open_store).transpose()?;
        let queries = read_queries(&self.queries.path, &ReadOptions { lang: self.queries.lang })?;
        let queries: Vec<Query> = queries.collect::<isogloss_ir::Result<_>>()?;
        let docs = read_docs(&self.corpus.path, &ReadOptions { lang: self.corpus.lang })?;
        let mut progress = Progress::new(None);
        let told = |docs: u64| progress.tell(docs, || format!("{docs} documents read"));
        let passages = Passages::read(docs, &self.corpus.path, folder, told)?;
        Ok(Opened { queries, searcher, passages, store, model, query_store })
    }

    /// What gives the queries' vectors.
    fn query_source(&self) -> anyhow::Result<(Option<Model>, Option<Arc<VectorStore>>)> {
        let Some(vectors) = &self.vectors else { return Ok((None, None)) };
        match (&self.model, &self.query_vectors) {
            (Some(model), _) => Ok((Some(load_for(vectors, model, &self.options, &self.calibration)?), None)),
            (None, Some(given)) => {
                let store = open_store(given)?;
                let (queries, docs) = (&store.manifest().plan, Manifest::read(vectors)?.plan);
                if queries.side != Side::Query {
                    return Err(Fault::new(given, "holds documents; encode the queries with --side query").into());
                }
                if queries.model_hash != docs.model_hash {
                    let problem =
                        format!("holds vectors of another model than {}; encode both with one", vectors.display());
                    return Err(Fault::new(given, problem).into());
                }
                Ok((None, Some(store)))
            }
            (None, None) => {
                let problem = "need the queries' vectors too; give --model, or --query-vectors";
                Err(Fault::option("--vectors", problem).into())
            }
        }
    }
}

fn open_store(folder: &Path) -> anyhow::Result<Arc<VectorStore>> {
    let store = VectorStore::open(folder)?;
    store.verify()?;
    Ok(Arc::new(store))
}

impl Opened {
    /// What finds candidates.
    ///
    /// # Errors
    /// Index or vectors are of another corpus.
    pub fn lists(&self, sources: &Sources) -> anyhow::Result<Lists<'_>> {
        let words = self.searcher.as_ref().zip(sources.words.bm25.as_deref());
        Ok(Lists::new(&self.passages, words, self.store.clone())?)
    }

    /// The queries' vectors; a model encodes them first, into the folder of the work.
    ///
    /// # Errors
    /// What the model or the disk fails with.
    pub fn query_vectors(&self, sources: &Sources) -> anyhow::Result<Option<QueryVectors>> {
        let store = match (&self.model, &self.query_store) {
            (Some(model), _) => {
                let folder = work_folder(&sources.out)?.join("queries");
                let texts = Texts::new(vec![sources.queries.clone()], Side::Query, None).for_model(model);
                let options = EncodeOptions { rows_per_shard: ROWS_PER_SHARD, ..model.encode_options(Side::Query) };
                encode::shards(model, texts, &folder, &options)?;
                open_store(&folder)?
            }
            (None, Some(store)) => store.clone(),
            (None, None) => return Ok(None),
        };
        Ok(Some(QueryVectors::new(store, &sources.queries.path)))
    }

    /// Hashes of what decides the rows, by name.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn inputs(&self, sources: &Sources) -> anyhow::Result<BTreeMap<String, String>> {
        let mut inputs = BTreeMap::new();
        inputs.insert("corpus".into(), format!("{:016x}", self.passages.fingerprint()));
        let queries = self.queries.iter().map(|query| format!("{:?}", (&query.id, &query.text, query.lang)));
        inputs.insert("queries".into(), hash_of(queries));
        if let Some(searcher) = &self.searcher {
            let words::Options { k1, b, .. } = sources.words;
            inputs.insert("bm25".into(), format!("{:016x} k1={k1} b={b}", searcher.index().fingerprint()));
        }
        if let Some(vectors) = &sources.vectors {
            inputs.insert("vectors".into(), file_hash(vectors.join("manifest.json"))?);
        }
        if let Some(model) = &self.model {
            inputs.insert("model".into(), model.hash.clone());
        }
        if let Some(vectors) = &sources.query_vectors {
            inputs.insert("query vectors".into(), file_hash(vectors.join("manifest.json"))?);
        }
        Ok(inputs)
    }
}

/// One hash of several texts.
pub fn hash_of(parts: impl Iterator<Item = String>) -> String {
    let mut hash = Xxh3::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update(b"\n");
    }
    format!("{:032x}", hash.digest128())
}
