//! `isogloss index`: a corpus into an index of its words, or vectors into an index for approximate search.

mod attributes;
mod vectors;
pub mod words;

use crate::exit::Fault;
use crate::input::Input;
use crate::model::positive;
use crate::vector_file::ColumnOptions;
use isogloss_dense::Scalar;
use isogloss_lexical::Profile;
use std::path::PathBuf;

/// What is indexed, how, and where the index goes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss index --bm25 corpus.jsonl --out words --analyzer lucene:te\n  isogloss index --bm25 vi=corpus/ --out words\n  isogloss index --bm25 corpus.jsonl --out words --analyzer lucene:te+subword:out/model\n  isogloss index vectors --hnsw\n  isogloss index vectors --hnsw --scalar f16 --m 32 --ef-construction 256 --rebuild\n  isogloss index vectors --hnsw --add more-vectors\n  isogloss index vectors --hnsw --vectors embeddings.npy --ids ids.txt\n  isogloss index vectors --hnsw --vectors embeddings.parquet\n  isogloss index vectors --attributes corpus.jsonl"
)]
pub struct Args {
    /// Directory of vectors that `isogloss encode` wrote; its index lies beside them.
    #[arg(value_name = "DIR", required_unless_present = "bm25", conflicts_with = "bm25")]
    directory: Option<PathBuf>,

    /// A corpus to index for BM25: a file or a folder in the BEIR layout. LANG=CORPUS declares the language of documents
    /// that name none; without it, it is told from their letters.
    #[arg(long, value_name = "CORPUS")]
    bm25: Option<Input>,

    #[command(flatten)]
    words: WordArgs,

    #[command(flatten)]
    vectors: VectorArgs,
}

/// What is for words alone.
#[derive(Debug, clap::Args)]
pub struct WordArgs {
    /// Folder of the index of words; it must not be there yet.
    #[arg(long, value_name = "DIR", requires = "bm25")]
    out: Option<PathBuf>,

    /// How text becomes words: `lucene:LANG` (`lucene:ja:DICTIONARY`), `icu`, `subword:TOKENIZER`, two joined by `+`, or
    /// `auto`: each document by its language.
    #[arg(long, value_name = "PROFILE", default_value_t = Profile::Auto, conflicts_with = "hnsw")]
    analyzer: Profile,
}

/// What is for vectors alone.
#[derive(Debug, clap::Args)]
pub struct VectorArgs {
    /// Index vectors for approximate search by a graph: those that are not in the index yet.
    #[arg(long, requires = "directory")]
    hnsw: bool,

    /// Neighbours of a vector in the graph; twice as many on its lowest layer.
    #[arg(long, value_name = "N", default_value_t = 16, requires = "hnsw")]
    m: u32,

    /// Candidates among which neighbours are chosen.
    #[arg(long, value_name = "N", default_value_t = 128, requires = "hnsw")]
    ef_construction: u32,

    /// What a search reads of a vector's components on its way; what it finds is rescored at 16 bits.
    #[arg(long, value_name = "f16|int8|binary", default_value_t = Scalar::Int8, requires = "hnsw")]
    scalar: Scalar,

    /// Index the first N numbers alone, for models with Matryoshka dimensions; brought to length 1 again where the vectors are.
    #[arg(long, value_name = "N", value_parser = positive, requires = "hnsw")]
    dim: Option<usize>,

    /// Build one graph over all vectors in place of the index there is.
    #[arg(long, requires = "hnsw")]
    rebuild: bool,

    /// Another directory of vectors, of the same model, to add to DIR first.
    #[arg(long, value_name = "DIR", requires = "hnsw", conflicts_with = "vectors")]
    add: Option<PathBuf>,

    /// Ids, one a line, that no search is to find any more.
    #[arg(long, value_name = "FILE", requires = "hnsw", conflicts_with_all = ["vectors", "add", "rebuild"])]
    delete: Option<PathBuf>,

    /// Vectors of another tool, to be brought to DIR first, one a row: a .npy file of float32 or float16, or a Parquet file with a column of
    /// lists of those or of float64.
    #[arg(long, value_name = "FILE", requires = "hnsw")]
    vectors: Option<PathBuf>,

    /// The ids of those vectors, one a line; for Parquet in place of its column of ids.
    #[arg(long, value_name = "FILE", requires = "vectors")]
    ids: Option<PathBuf>,

    #[command(flatten)]
    columns: ColumnOptions,

    /// The corpus of the vectors: its languages and the `metadata` of its JSON lines are stored beside them, for `search --where`.
    #[arg(long, value_name = "CORPUS", requires = "directory")]
    attributes: Option<Input>,
}

/// Indexes, and prints the folder.
pub fn run(args: &Args) -> anyhow::Result<()> {
    match (&args.bm25, &args.directory) {
        (Some(corpus), _) => words::run(corpus, &args.words),
        (None, Some(directory)) if args.vectors.hnsw || args.vectors.attributes.is_some() => {
            vectors::run(directory, &args.vectors)
        }
        _ => Err(Fault::option("--hnsw", "is missing; give it to index vectors, or --bm25 for words").into()),
    }
}
