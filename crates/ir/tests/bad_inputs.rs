//! What people get wrong in their files, and the one line they are told: place, fault and cure.

use isogloss_ir::format::clear::read_clear;
use isogloss_ir::format::documents::read_documents;
use isogloss_ir::format::parallel::{read_pairs, read_parallel};
use isogloss_ir::reader::MAX_LINE;
use isogloss_ir::{Docs, ExampleOptions, PairOptions, Qrels, Queries, ReadOptions, Result, Run, read_examples};
use std::io::{Read, Write};

#[derive(Clone, Copy, Debug)]
enum Reader {
    Docs,
    Queries,
    Qrels,
    Run,
    Examples,
    Clear,
    Pairs,
    Rows,
    Documents,
}
use Reader::*;

fn message(reader: Reader, bytes: &[u8], name: &str) -> String {
    let options = ReadOptions::default();
    let result: Result<()> = match reader {
        Docs => Docs::read_from(bytes, name, &options).and_then(|mut docs| docs.try_for_each(|d| d.map(drop))),
        Queries => Queries::read_from(bytes, name, &options).and_then(|mut q| q.try_for_each(|q| q.map(drop))),
        Qrels => Qrels::read_from(bytes, name).map(drop),
        Run => Run::read_from(bytes, name).map(drop),
        Examples => read_examples(bytes, name, &ExampleOptions::default()).map(drop),
        Clear => read_clear(bytes, name).map(drop),
        Pairs => read_pairs(bytes, name, &PairOptions::default()).map(drop),
        Rows => read_parallel(bytes, name).map(drop),
        Documents => read_documents(bytes, name, None).map(drop),
    };
    result.expect_err(&format!("{reader:?} took {:?}", String::from_utf8_lossy(bytes))).to_string()
}

/// Reader, file name, content, line of the fault, words of the message.
type Case = (Reader, &'static str, &'static str, usize, &'static [&'static str]);

const CASES: &[Case] = &[
    // collections
    (Docs, "c.jsonl", "", 1, &["empty", "JSON lines"]),
    (Docs, "c.jsonl", "\n \n", 1, &["empty"]),
    (
        Docs,
        "c.jsonl",
        "{\"_id\":\"1\",\"text\":\"a\"}\n{\"_id\":\"2\",\"te",
        2,
        &["cut off", "one JSON object per line"],
    ),
    (Docs, "c.jsonl", "{\"_id\":\"1\",\"text\":\"a\"}\n\n[1]", 3, &["a list", "one JSON object per line"]),
    (Docs, "c.jsonl", "{\"_id\":\"1\",\"text\":\"a\" \"b\"}", 1, &["malformed JSON at column 23"]),
    (Docs, "c.jsonl", "{\"_id\":\"1\",\"body\":\"a\"}", 1, &["missing field `text`", "`_id`, `body`", "rename"]),
    (Docs, "c.jsonl", "{\"text\":\"a\"}", 1, &["missing field `_id` or `id`"]),
    (Docs, "c.jsonl", "{\"_id\":\"\",\"text\":\"a\"}", 1, &["`_id` is an empty string", "of its own"]),
    (Docs, "c.jsonl", "{\"_id\":\"1\",\"text\":[\"a\"]}", 1, &["`text` is a list", "a string"]),
    (Docs, "c.jsonl", "{\"_id\":1.5,\"text\":\"a\"}", 1, &["`_id` is a number", "quotes"]),
    (
        Docs,
        "c.jsonl",
        "{\"_id\":\"1\",\"text\":\"a\"}\n{\"_id\":\"2\",\"text\":\"\"}\n{\"_id\":\"1\",\"text\":\"\"}",
        3,
        &["document \"1\"", "line 1", "keep one"],
    ),
    (Docs, "c.jsonl", "{\"_id\":\"1\",\"text\":\"a\",\"lang\":\"english\"}", 1, &["\"english\"", "BCP-47"]),
    (Docs, "c.tsv", "1\ta\n2\tb\tc\td\te\n", 2, &["5 column", "3 (id, title, text)"]),
    (Docs, "c.tsv", "1\ta\n2 b\n", 2, &["1 column", "tabs"]),
    (Docs, "c.csv", "docid,title,text\n1,a\n", 2, &["2 column", "3 as in the header"]),
    (Docs, "c.csv", "docid,title,text\n1,a,\"b\n2,c,d\n", 2, &["never closed", "double the quotes"]),
    (Docs, "c.csv", "one,two\n", 1, &["unknown format", "\"one,two\"", "JSON lines"]),
    (Queries, "q.jsonl", "{\"_id\":\"1\"}", 1, &["missing field `text` or `question`"]),
    (Queries, "q.tsv", "1\ta\n1\tb\n", 2, &["query \"1\"", "line 1"]),
    (Queries, "q.tsv", "1\ta\tb\n", 1, &["3 column", "2 (id, text)"]),
    // judgements and runs
    (Qrels, "q.tsv", "", 1, &["empty", "query-id corpus-id score"]),
    (Qrels, "q.tsv", "q1\td1\t1\n", 1, &["header is \"q1\\td1\\t1\"", "query-id corpus-id score"]),
    (Qrels, "q.tsv", "query_id\tcorpus_id\tscore\n", 1, &["header", "query-id corpus-id score"]),
    (Qrels, "q.tsv", "query-id\tcorpus-id\tscore\n", 1, &["empty"]),
    (Qrels, "q.tsv", "query-id\tcorpus-id\tscore\nq\td\n", 2, &["2 column", "tabs"]),
    (Qrels, "q.txt", "q 0 d 1\nq 0 e high\n", 2, &["grade is \"high\"", "whole number"]),
    (Qrels, "q.txt", "q 0 d 0.5\n", 1, &["\"0.5\"", "whole number"]),
    (Qrels, "q.txt", "q 0 d 1\nq 0 e\n", 2, &["3 column", "4 (qid 0 docid rel)"]),
    (Qrels, "q.txt", "q 0 d 1\nq 0 e 1\nq 0 d 2\n", 3, &["\"q d\"", "line 1", "keep one"]),
    (Run, "r.trec", "", 1, &["empty", "qid Q0 docid rank score tag"]),
    (Run, "r.trec", "q Q0 d 1 nan t\n", 1, &["NaN", "\"d\"", "\"q\"", "repair"]),
    (Run, "r.trec", "q Q0 d 1 0,5 t\n", 1, &["score is \"0,5\"", "12.5"]),
    (Run, "r.trec", "q Q0 d 1 1 t\nq Q0 d e 1 1 t\n", 2, &["7 column", "6 (qid Q0"]),
    (Run, "r.trec", "q Q0 d 1 3 t\nq Q0 e 2 2 t\nq Q0 d 3 1 t\n", 3, &["\"q d\"", "line 1", "keep one"]),
    // examples
    (Examples, "t.jsonl", "", 1, &["empty", "examples"]),
    (
        Examples,
        "t.jsonl",
        "{\"query\":\"q\",\"pos\":\"p\"}",
        1,
        &["`pos` is a string", "list of strings; write [\"…\"]"],
    ),
    (Examples, "t.jsonl", "{\"query\":\"q\",\"pos\":[]}", 1, &["empty list", "at least one"]),
    (Examples, "t.jsonl", "{\"query\":\"q\",\"pos\":[{}]}", 1, &["something other than strings"]),
    (Examples, "t.jsonl", "{\"query\":\" \",\"pos\":[\"p\"]}", 1, &["`query` is blank", "some text"]),
    (Examples, "t.jsonl", "{\"a\":\"q\",\"b\":[\"p\"]}", 1, &["unknown format", "a, b", "DPR"]),
    (Examples, "t.jsonl", "{\"query\":\"q\",\"pos\":[\"p\"]}\n{\"query\":\"q\"}", 2, &["missing field `pos`"]),
    (
        Examples,
        "t.json",
        "[\n{\"question\":\"q\",\"positive_ctxs\":[{\"text\":\"p\"}]},\n{\"question\":\"q\",\"positive_ctxs\":[\"p\"]}]",
        3,
        &["`positive_ctxs`", "write [{\"title\""],
    ),
    (
        Examples,
        "t.json",
        "[\n{\"question\":\"q\",\"positive_ctxs\":[{\"text\":\"p\"}]}\n",
        3,
        &["cut off", "JSON array"],
    ),
    (Examples, "t.json", "{\"data\":[\n{\"paragraphs\":[{\"context\":3}]}]}", 2, &["SQuAD"]),
    (Examples, "t.jsonl", "{\"query\":\"q\",\"positive_passages\":[]}", 1, &["at least one passage"]),
    (Examples, "t.jsonl", "{\"query_text\":\"q\",\"positive_document_ids\":[\"1\"]}", 1, &["ids only", "`corpus`"]),
    (Examples, "t.tsv", "anchor\tpositive\nq\n", 2, &["1 column", "2 as in the header"]),
    (Examples, "t.tsv", "q\tp\tn\nq\tp\n", 2, &["2 column", "3 (query, positive, negative)"]),
    (Examples, "t.tsv", "7\t8\t9\n", 1, &["ids only", "`corpus`"]),
    (Clear, "t.jsonl", "{\"anchor\":\"q\"}", 1, &["missing field `positive` or `paragraphs`"]),
    (Documents, "d.jsonl", "{\"id\":\"1\",\"sentences\":\"a\"}", 1, &["`sentences` is a string", "write [\"…\"]"]),
    (Documents, "d.jsonl", "{\"id\":\"1\"}", 1, &["missing field `sentences`"]),
    // translations
    (Pairs, "p.tsv", "", 1, &["empty", "translations"]),
    (Pairs, "p.tsv", "one column\n", 1, &["unknown format", "src_lang"]),
    (Pairs, "p.tsv", "s\tt\ns\n", 2, &["1 column", "2 (src, tgt)"]),
    (Pairs, "p.tsv", "1.0\ts\tt\nx\ts\tt\n", 2, &["score is \"x\"", "1.04"]),
    (Pairs, "p.tsv", "src_lang\ttgt_lang\tsrc\ttgt\nfi\tEnglish!\ts\tt\n", 2, &["\"English!\"", "BCP-47"]),
    (Pairs, "p.jsonl", "{\"text\":{\"en\":1,\"fi\":\"a\"}}", 1, &["`text`", "write {\"en\""]),
    (Rows, "p.tsv", "s\tt\n", 1, &["rows of many languages"]),
];

#[test]
fn every_fault_is_told_in_one_line_with_place_and_cure() {
    assert!(CASES.len() >= 25);
    for (reader, name, text, line, words) in CASES {
        let message = message(*reader, text.as_bytes(), name);
        assert!(message.starts_with(&format!("{name}:{line}: ")), "{reader:?} {text:?}: {message}");
        assert!(words.iter().all(|word| message.contains(word)), "{reader:?} {text:?}: {message}");
        assert!(!message.contains('\n'), "{message:?}");
    }
}

#[test]
fn bytes_that_are_no_utf8_are_told_with_line_and_column() {
    for reader in [Docs, Queries, Run, Examples, Pairs] {
        let start: &[u8] = match reader {
            Docs | Queries => b"1\ta\n2\t",
            Run => b"q Q0 d 1 1 t\nq ",
            Examples => b"q\tp\tn\nq\t",
            _ => b"s\tt\ns\t",
        };
        let message = message(reader, &[start, b"\xff\n"].concat(), "x.tsv");
        assert!(message.starts_with("x.tsv:2: invalid UTF-8 at byte 3") && message.contains("iconv"), "{message}");
    }
}

#[test]
fn truncated_and_mislabelled_containers_are_told() {
    let mut seed = 1u64;
    let mut noise = || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        seed >> 33
    };
    let text: String = (0..40_000).map(|i| format!("{i}\t{:x}\n", noise())).collect();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    let gz = encoder.finish().unwrap();
    let zst = zstd::encode_all(text.as_bytes(), 1).unwrap();
    for (bytes, name, container) in [(&gz, "c.tsv.gz", "gzip"), (&zst, "c.tsv.zst", "zstd")] {
        let cut = message(Docs, &bytes[..bytes.len() / 2], name);
        assert!(cut.contains(&format!("the {container} stream is truncated")) && cut.contains("again"), "{cut}");
        let line: usize = cut.strip_prefix(&format!("{name}:")).unwrap().split(':').next().unwrap().parse().unwrap();
        assert!((1_000..40_000).contains(&line), "{cut}");
        let tiny = message(Docs, &bytes[..6], name);
        assert!(tiny.starts_with(&format!("{name}:1: the {container} stream is truncated")), "{tiny}");
        let plain = message(Docs, b"1\ta\n", name);
        assert!(plain.starts_with(&format!("{name}:1: not a valid {container} stream")), "{plain}");
    }
    let mut broken = gz.clone();
    broken[gz.len() / 2..].fill(0xff);
    let broken = message(Docs, &broken, "c.tsv.gz");
    assert!(broken.starts_with("c.tsv.gz:"), "{broken}");
}

#[test]
fn an_endless_line_is_refused_in_bounded_memory() {
    let endless = std::io::repeat(b'x').take(1 << 40);
    let error = Docs::read_from(endless, "x.txt", &ReadOptions::default()).err().unwrap().to_string();
    assert!(error.contains(&format!("x.txt:1: the line is longer than {MAX_LINE} bytes")), "{error}");
}

#[test]
fn missing_files_and_folders_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Run::read(folder.path().join("no.trec")).unwrap_err().to_string();
    assert!(missing.ends_with("no.trec: no such file or folder; check the path"), "{missing}");
    let is_folder = Run::read(folder.path()).unwrap_err().to_string();
    assert!(is_folder.ends_with("is a folder; name a file in it"), "{is_folder}");
    let no_part = isogloss_ir::load_examples(folder.path(), &ExampleOptions::default()).unwrap_err().to_string();
    assert!(no_part.contains("the folder has no qrels.tsv"), "{no_part}");
}
