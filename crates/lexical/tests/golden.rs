//! Analysis and BM25 against Anserini 0.25.0 (Lucene 9.9.1): `tests/golden/bm25`.

use isogloss_ir::reader::Lines;
use isogloss_ir::{Doc, Lang, ReadOptions, read_queries};
use isogloss_lexical::{
    Analyzer, Bm25, Field, Index, IndexOptions, Searcher, analyzer::LANGS, build_index, printed_scores,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Languages whose dictionaries are not those of the reference.
const APART: [&str; 3] = ["pl", "th", "uk"];

fn golden(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/bm25").join(path)
}

fn lines(path: &Path) -> Vec<String> {
    let (mut lines, mut line, mut all) = (Lines::open(path).unwrap(), String::new(), Vec::new());
    while lines.next_line(&mut line).unwrap() {
        all.push(line.clone());
    }
    all
}

fn analyzer(lang: &'static str) -> Box<dyn Analyzer> {
    Field::Chain(lang).analyzer(&|_| unreachable!("no subwords")).unwrap()
}

#[derive(Deserialize)]
struct Row {
    text: String,
    tokens: Vec<String>,
}

/// How many rows of a language there are, and those that are not given exactly.
fn rows(lang: &str, analyzer: &dyn Analyzer) -> (usize, Vec<String>) {
    let rows = lines(&golden(&format!("analyzers/{lang}.jsonl.zst")));
    let differs = rows.iter().filter_map(|line| {
        let row: Row = serde_json::from_str(line).unwrap();
        let got = analyzer.tokens(&row.text).unwrap();
        (got != row.tokens).then(|| format!("{lang} {:?}: {got:?}, want {:?}", row.text, row.tokens))
    });
    (rows.len(), differs.collect())
}

/// A folder with the part of IPADIC that is here.
fn ipadic() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in DICTIONARY {
        let packed = std::fs::read(golden(&format!("ipadic/{name}.zst"))).unwrap();
        std::fs::write(folder.path().join(name), zstd::decode_all(&packed[..]).unwrap()).unwrap();
    }
    folder
}

const DICTIONARY: [&str; 4] = ["sys.dic", "unk.dic", "matrix.bin", "char.bin"];

fn japanese(folder: &Path) -> isogloss_lexical::Result<Box<dyn Analyzer>> {
    Field::Japanese(folder.to_str().unwrap().to_owned()).analyzer(&|_| unreachable!("no subwords"))
}

#[test]
fn japanese_words_are_lucenes_with_its_dictionary() {
    let folder = ipadic();
    let (all, differs) = rows("ja", &*japanese(folder.path()).unwrap());
    assert!(all > 150 && differs.is_empty(), "{} of {all}: {}", differs.len(), differs.join("\n"));
}

#[test]
fn a_damaged_dictionary_is_refused_by_its_file() {
    for name in DICTIONARY {
        let folder = ipadic();
        let path = folder.path().join(name);
        let whole = std::fs::read(&path).unwrap();
        for keep in [0, 3, 71, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..keep]).unwrap();
            let error = japanese(folder.path()).err().expect("damaged").to_string();
            assert!(error.contains(name), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(japanese(folder.path()).err().expect("missing").to_string().contains(name));
    }
    let folder = ipadic();
    let path = folder.path().join("sys.dic");
    let mut other = std::fs::read(&path).unwrap();
    other[40..44].copy_from_slice(b"EUC-");
    std::fs::write(&path, other).unwrap();
    assert!(japanese(folder.path()).err().expect("another encoding").to_string().contains("UTF-8"));
}

#[test]
fn every_chain_gives_lucenes_tokens() {
    for lang in LANGS.into_iter().filter(|lang| !APART.contains(lang)) {
        let (all, differs) = rows(lang, &*analyzer(lang));
        assert!(all > 60 && differs.is_empty(), "{} of {all}: {}", differs.len(), differs.join("\n"));
    }
}

#[derive(Deserialize)]
struct Contents {
    id: String,
    contents: String,
}

fn corpus(set: &str) -> Vec<Doc> {
    let doc = |line: &String| {
        let row: Contents = serde_json::from_str(line).unwrap();
        Doc { id: row.id, title: String::new(), text: row.contents, lang: None }
    };
    lines(&golden(&format!("runs/{set}/corpus.jsonl.zst"))).iter().map(doc).collect()
}

fn indexed(docs: &[Doc], lang: &'static str, memory: usize, out: &Path) -> Index {
    let options = IndexOptions { profile: isogloss_lexical::Profile::Fields(vec![Field::Chain(lang)]), memory };
    build_index(docs.iter().cloned().map(Ok), out, &options, &|_| unreachable!("no subwords"), &mut |_| {}).unwrap();
    let index = Index::open(out).unwrap();
    index.verify().unwrap();
    index
}

/// Query, document, score as f32 and score as printed, in rank order.
type RunRow = (String, String, f32, String);

fn found(set: &str, lang: &'static str, k1: f32, b: f32) -> Vec<RunRow> {
    let folder = tempfile::tempdir().unwrap();
    let index = indexed(&corpus(set), lang, 1 << 30, &folder.path().join("index"));
    let searcher = Searcher::new(index, Bm25::new(k1, b).unwrap(), &|_| unreachable!("no subwords")).unwrap();
    let queries: BTreeMap<String, String> =
        read_queries(golden(&format!("runs/{set}/queries.tsv")), &ReadOptions::default())
            .unwrap()
            .map(|query| query.map(|q| (q.id, q.text)).unwrap())
            .collect();
    let asked: Vec<(&String, Option<Lang>)> = queries.values().map(|text| (text, None)).collect();
    let mut rows = Vec::new();
    for (id, hits) in queries.keys().zip(searcher.search(&asked, 100).unwrap()) {
        let printed = printed_scores(&hits.iter().map(|hit| hit.1).collect::<Vec<_>>());
        for ((doc, score), printed) in hits.into_iter().zip(printed) {
            rows.push((id.clone(), searcher.index().id(doc).to_owned(), score, format!("{printed:.6}")));
        }
    }
    rows
}

fn expected(set: &str, name: &str) -> Vec<RunRow> {
    let by_query_and_rank = |file: &str, rank: usize| -> BTreeMap<(String, u32), Vec<String>> {
        let row = |line: String| {
            let columns: Vec<String> = line.split([' ', '\t']).map(str::to_owned).collect();
            ((columns[0].clone(), columns[rank].parse().unwrap()), columns)
        };
        lines(&golden(&format!("runs/{set}/{name}.{file}.zst"))).into_iter().map(row).collect()
    };
    let (full, printed) = (by_query_and_rank("full.tsv", 2), by_query_and_rank("trec", 3));
    assert!(full.keys().eq(printed.keys()));
    let row = |(full, printed): (&Vec<String>, &Vec<String>)| {
        assert_eq!(full[1], printed[2]);
        (full[0].clone(), full[1].clone(), full[3].parse().unwrap(), printed[4].clone())
    };
    full.values().zip(printed.values()).map(row).collect()
}

#[test]
fn runs_are_anserinis_bit_for_bit() {
    let runs = [
        ("te", "te", "run_k0.9_b0.4", 0.9, 0.4),
        ("lengths", "en", "run_k0.9_b0.4", 0.9, 0.4),
        ("lengths", "en", "run_k1.2_b0.75", 1.2, 0.75),
    ];
    for (set, lang, name, k1, b) in runs {
        let (got, want) = (found(set, lang, k1, b), expected(set, name));
        assert_eq!(got.len(), want.len(), "{set}");
        for (got, want) in got.iter().zip(&want) {
            assert_eq!((got, got.2.to_bits()), (want, want.2.to_bits()), "{set} {name}");
        }
    }
}

#[test]
fn memory_and_threads_do_not_show_in_the_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let docs = corpus("te");
    let bytes = |name: &str, memory: usize, threads: usize| {
        let out = folder.path().join(name);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| drop(indexed(&docs, "te", memory, &out)));
        let names: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["bm25.iso"]);
        std::fs::read(out.join("bm25.iso")).unwrap()
    };
    let want = bytes("a", 1 << 30, 1);
    assert!(want == bytes("b", 0, 1), "spilled");
    assert!(want == bytes("c", 1 << 30, 3), "in parallel");
    assert!(want == bytes("d", 0, 4), "spilled, in parallel");
}
