//! Mined pairs against the rules of the method, written down once more without care for speed.

use isogloss_dense::{EncodeOptions, Encoder, EncoderError, Error, Side, VectorStore, Vectors, encode_to_shards};
use isogloss_ir::{Doc, Query};
use isogloss_lexical::{Bm25, Index, IndexOptions, Searcher, build_index};
use isogloss_mine::pairs::{Pairs, PairsOptions, mine};
use isogloss_mine::{Langs, Lists, Passages, QueryVectors};
use std::path::Path;
use std::sync::Arc;

/// A text's words, each a random direction: texts that share words are near, other ones are not.
struct Bag;

const DIM: usize = 16;

impl Encoder for Bag {
    fn dim(&self) -> usize {
        DIM
    }

    fn encode(&self, texts: &[&str], _: Side) -> Result<Vectors, EncoderError> {
        let mut vectors = Vectors::empty(DIM);
        for text in texts {
            let mut row = [0f32; DIM];
            for (at, word) in text.split(' ').enumerate() {
                let mut state = word.bytes().fold(at as u64 % 2, |hash, byte| hash.wrapping_mul(31) + u64::from(byte));
                for x in &mut row {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    *x += (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
                }
            }
            let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            vectors.push(&row.map(|x| x / norm));
        }
        Ok(vectors)
    }
}

/// Texts of a few of 40 words, in two languages.
fn texts(count: usize, words: usize, seed: u64) -> Vec<(String, String, isogloss_ir::Lang)> {
    let mut state = seed;
    let mut below = |n: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % n
    };
    let text = |i: usize| {
        let text = (0..words).map(|_| format!("word{}", below(40))).collect::<Vec<_>>().join(" ");
        (format!("{i:03}"), text, ["fi", "sw"][i % 2].parse().unwrap())
    };
    (0..count).map(text).collect()
}

fn store(texts: &[(String, String, isogloss_ir::Lang)], folder: &Path) -> Arc<VectorStore> {
    let rows = texts.iter().map(|(id, text, _)| Ok::<_, Error>((id.clone(), text.clone())));
    encode_to_shards(&Bag, rows, folder, &EncodeOptions::default(), |_| ()).unwrap();
    Arc::new(VectorStore::open(folder).unwrap())
}

/// `(s − (max + min) / 2) / (max − min)` of the first `depth`, and the least of it for all others.
fn normalised(list: &[(u32, f32)], depth: usize, of: u32) -> f64 {
    let list = &list[..list.len().min(depth)];
    let scores: Vec<f64> = list.iter().map(|(_, score)| f64::from(*score)).collect();
    if scores.is_empty() {
        return 0.0;
    }
    let (low, high) =
        (scores.iter().copied().fold(f64::MAX, f64::min), scores.iter().copied().fold(f64::MIN, f64::max));
    let n = |s: f64| if high > low { (s - (high + low) / 2.0) / (high - low) } else { 0.0 };
    list.iter().position(|(row, _)| *row == of).map_or(n(low), |at| n(scores[at]))
}

#[test]
fn pairs_are_those_of_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (corpus, asked) = (texts(300, 9, 1), texts(160, 5, 2));
    let doc = |(id, text, lang): &(String, String, isogloss_ir::Lang)| {
        Ok(Doc { id: id.clone(), title: String::new(), text: text.clone(), lang: Some(*lang) })
    };
    let passages = Passages::read(corpus.iter().map(doc), Path::new("c"), folder.path(), |_| ()).unwrap();
    let options = IndexOptions { profile: "icu".parse().unwrap(), ..IndexOptions::default() };
    let open = |_: &str| unreachable!();
    build_index(corpus.iter().map(doc), &path("words"), &options, &open, &mut |_| ()).unwrap();
    let searcher = Searcher::new(Index::open(&path("words")).unwrap(), Bm25::default(), &open).unwrap();
    let (docs, queries_store) = (store(&corpus, &path("docs")), store(&asked, &path("queries")));
    let lists = Lists::new(&passages, Some((&searcher, Path::new("words"))), Some(docs.clone())).unwrap();
    let queries: Vec<Query> =
        asked.iter().map(|(id, text, lang)| Query { id: id.clone(), text: text.clone(), lang: Some(*lang) }).collect();
    let vectors = QueryVectors::new(queries_store.clone(), Path::new("q"));
    let options = PairsOptions {
        depth: 40,
        lead: 0.05,
        top: 4,
        round_trip: 3,
        negatives: 100,
        negatives_top: 12,
        negatives_beyond: 50,
        near_duplicate: 1.0,
        ..PairsOptions::default()
    };
    let task = Pairs {
        lists: &lists,
        queries: &queries,
        vectors: Some(&vectors),
        query_words: None,
        qrels: None,
        inputs: Default::default(),
        options: &options,
    };
    let report = mine(&task, &path("mined.jsonl"), |_, _| ()).unwrap();
    let mined = std::fs::read_to_string(path("mined.jsonl")).unwrap();
    let mut rows = mined.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());

    let encoded = vectors.of(&queries).unwrap();
    let all = lists.search(&queries, Some(encoded.view()), corpus.len(), Langs::Same).unwrap();
    let mut pairs = 0;
    for (at, (query, found)) in queries.iter().zip(&all).enumerate() {
        let [words, dense] = found.each_ref().map(|list| list.as_ref().unwrap());
        let seen = |list: &[(u32, f32)], to: usize| list.iter().take(to).map(|(row, _)| *row).collect::<Vec<u32>>();
        let mut fused: Vec<(f64, u32)> = seen(words, 40)
            .into_iter()
            .chain(seen(dense, 40))
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .map(|row| (normalised(words, 40, row) + 0.8 * normalised(dense, 40, row), row))
            .collect();
        fused.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let best = fused[0].1;
        let in_language = |other: usize| asked[other].2 == asked[at].2;
        let nearer = |other: usize| {
            let score = |query: usize| {
                let doc = docs.row(best as usize);
                queries_store.row(query).iter().zip(&doc).map(|(x, y)| x * y).sum::<f32>()
            };
            in_language(other) && score(other) > score(at)
        };
        let back = (0..asked.len()).filter(|other| nearer(*other)).count() < 3;
        let top = seen(words, 4).contains(&best) && seen(dense, 4).contains(&best);
        if !(top && fused[0].0 - fused[1].0 >= 0.05 && back) {
            continue;
        }
        pairs += 1;
        let row = rows.next().unwrap();
        assert_eq!(
            (row["id"].as_str().unwrap(), row["pos_id"][0].as_str().unwrap()),
            (query.id.as_str(), lists.id(best))
        );
        let apart = |one: &[(u32, f32)], other: &[(u32, f32)]| -> Vec<u32> {
            let other = seen(other, 50);
            seen(one, 12).into_iter().filter(|row| *row != best && !other.contains(row)).collect()
        };
        let mut want = [apart(words, dense), apart(dense, words)].concat();
        want.sort_unstable();
        let ids = row["neg_id"].as_array().unwrap().iter();
        let mut got: Vec<u32> = ids.map(|id| passages.find(id.as_str().unwrap()).unwrap()).collect();
        got.sort_unstable();
        assert_eq!(got, want, "{}", query.id);
    }
    assert!(rows.next().is_none() && pairs >= 10, "{pairs}");
    assert_eq!(report.mined(), pairs);
}
