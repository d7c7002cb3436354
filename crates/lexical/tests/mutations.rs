//! Damaged indexes: an error that names the file or a result, never a panic, with checksums that hold as well.

#[path = "../../../tests/mutate.rs"]
mod mutate;

use isogloss_ir::{Doc, Lang};
use isogloss_lexical::{Bm25, Index, IndexOptions, Searcher, build_index};
use mutate::{Random, replace, times};
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// Forty documents of a few words in three languages, one word so often that its frequency is kept apart.
fn build(profile: &str, folder: &Path) -> Vec<u8> {
    let doc = |i: usize| {
        let words = [["horse", "river", "stone"], ["mto", "jiwe", "usiku"], ["నది", "రాయి", "రాత్రి"]][i % 3];
        let mut text = (0..1 + i % 5).map(|at| words[(i / (at + 1)) % 3]).collect::<Vec<_>>().join(" ");
        if i == 3 {
            text += &" horse".repeat(300);
        }
        Ok(Doc { id: format!("d{i}é"), title: String::new(), text, lang: ["en", "sw", "te"][i % 3].parse().ok() })
    };
    let options = IndexOptions { profile: profile.parse().unwrap(), ..IndexOptions::default() };
    build_index((0..40).map(doc), &folder.join("i"), &options, &|_| unreachable!(), &mut |_| ()).unwrap();
    std::fs::read(folder.join("i/bm25.iso")).unwrap()
}

fn word(bytes: &[u8], at: usize) -> usize {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize
}

/// Checksums of table and head as they are now.
fn seal(bytes: &mut [u8], table: usize) {
    let (length, sum) = ((bytes.len() - table) as u64, xxh3_64(&bytes[table..]));
    bytes[24..32].copy_from_slice(&length.to_le_bytes());
    bytes[32..40].copy_from_slice(&sum.to_le_bytes());
    let head = xxh3_64(&bytes[..40]);
    bytes[40..48].copy_from_slice(&head.to_le_bytes());
}

/// Everything that reads an index; whether it was taken.
fn use_it(folder: &Path) -> Result<(), isogloss_lexical::Error> {
    let index = Index::open(folder)?;
    let _ = index.verify();
    let all: Vec<u32> = (0..index.len() as u32).collect();
    let ids: usize = all.iter().map(|doc| index.id(*doc).len()).sum();
    assert!(ids < 1 << 20 && index.find("none").is_none());
    let no_tokenizer =
        |name: &str| Err(isogloss_lexical::Error::Subword { name: name.to_owned(), source: "there is none".into() });
    let searcher = Searcher::new(index, Bm25::default(), &no_tokenizer)?;
    let lang: Option<Lang> = "sw".parse().ok();
    let queries = [("horse river నది", None), ("mto jiwe stone", lang), ("", None)];
    for hits in searcher.search(&queries, 7)? {
        assert!(hits.len() <= 7);
        hits.iter().for_each(|hit| drop(searcher.index().id(hit.0).to_owned()));
    }
    searcher.scores(&queries.map(|(text, lang)| (text, lang, all.as_slice()))).map(drop)
}

#[test]
fn damaged_indexes_never_panic() {
    let mut random = Random(21);
    for profile in ["icu", "auto", "icu+lucene:en"] {
        let folder = tempfile::tempdir().unwrap();
        let whole = build(profile, folder.path());
        let (place, index) = (folder.path().join("i/bm25.iso"), folder.path().join("i"));
        let table = word(&whole, 16);
        use_it(&index).unwrap();
        let mut refused = 0;
        let rounds = 700 * times();
        for round in 0..rounds {
            let mut bytes = whole.clone();
            match round % 4 {
                // As it comes.
                0 => random.mutate(&mut bytes, &[]),
                // The table as text, the sections as numbers, each with sums that hold.
                1 => {
                    let mut text = bytes.split_off(table);
                    for _ in 0..=random.below(2) {
                        let end = text.len();
                        match random.below(2) {
                            0 => random.mutate(&mut text, &[]),
                            _ => random.mutate_numbers(&mut text, 0, end),
                        }
                    }
                    bytes.extend(text);
                    seal(&mut bytes, table);
                }
                _ => {
                    for _ in 0..=random.below(3) {
                        random.mutate_numbers(&mut bytes, 64, table);
                    }
                    seal(&mut bytes, table);
                }
            }
            replace(&place, &bytes);
            if let Err(error) = use_it(&index) {
                let told = error.to_string();
                let of_file = told.contains("bm25.iso") && told.contains("; ");
                // A name of an analyzer that the table has is told as one that is given.
                assert!(
                    of_file || told.contains("analyzer") || told.contains("lucene:") || told.contains("subword:"),
                    "{told}"
                );
                refused += 1;
            }
        }
        assert!(refused > rounds / 4, "{profile}: {refused} of {rounds}");
    }
}
