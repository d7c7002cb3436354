//! An index of words: bytes laid over a good one from a place in it on, with checksums that hold.
#![no_main]

mod folder;
mod seal;

use folder::Folder;
use isogloss_ir::Doc;
use isogloss_lexical::{Bm25, Index, IndexOptions, Searcher, build_index};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// A good index of a few documents.
static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = Folder::new();
    let doc = |i: usize| {
        let text = ["horse river", "stone horse horse", "", "night"][i % 4].to_owned();
        Ok(Doc { id: format!("d{i}"), title: String::new(), text, lang: None })
    };
    let options = IndexOptions { profile: "icu".parse().expect("known"), ..IndexOptions::default() };
    build_index((0..12).map(doc), &folder.path().join("i"), &options, &|_| unreachable!(), &mut |_| ()).expect("built");
    std::fs::read(folder.path().join("i/bm25.iso")).expect("written")
});

fuzz_target!(|bytes: &[u8]| {
    let folder = Folder::new();
    folder.write("bm25.iso", &seal::laid_over(&WHOLE, bytes));
    let Ok(index) = Index::open(folder.path()) else { return };
    let _ = index.verify();
    let ids: Vec<&str> = (0..index.len() as u32).map(|doc| index.id(doc)).collect();
    let _ = ids.iter().filter(|id| index.find(id).is_some()).count();
    let no_tokenizer =
        |name: &str| Err(isogloss_lexical::Error::Subword { name: name.to_owned(), source: "there is none".into() });
    if let Ok(searcher) = Searcher::new(index, Bm25::default(), &no_tokenizer) {
        let _ = searcher.search(&[("horse river night", None)], 5);
    }
});
