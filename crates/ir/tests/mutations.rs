//! Damaged files of every format: an error or a result, never a panic.

#[path = "../../../tests/mutate.rs"]
mod mutate;

use isogloss_ir::format::clear::read_clear;
use isogloss_ir::format::documents::read_documents;
use isogloss_ir::format::parallel::{Pairing, read_pairs, read_parallel};
use isogloss_ir::fusion::Weights;
use isogloss_ir::protocol::{belebele, lareqa, mkqa, nltk, ntrex, squad, tatoeba, xor_retrieve};
use isogloss_ir::{
    Docs, ExampleOptions, Format, Lang, Measure, PairOptions, PerQuery, Qrels, Queries, ReadOptions, Run, doctor,
    read_examples,
};
use mutate::{Random, replace, times};
use std::io::Write;
use std::path::Path;

const SAMPLES: &[&str] = &[
    "{\"_id\":\"d1\",\"title\":\"東大寺\",\"text\":\"本項では\",\"lang\":\"ja\"}\n{\"_id\":\"d2\",\"title\":\"\",\"text\":\"a\\\"b\",\"lang\":\"zh-Hant\"}\n",
    "{\"id\":\"X#1\",\"contents\":\"Otsikko\\n\\nTeksti on tässä.\"}\n{\"id\":7,\"contents\":\"x\"}\n",
    "docid,title,text\r\n1,\"a \"\"b\"\"\",\"c\nd\"\r\n2,,e\r\n",
    "1000\tswali ni nini?\n1001\tкто это?\n",
    "\u{feff}query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t-2\n",
    "q1 0 d1 1\nq1 0 d2 0\nq2 0 d1 3\n",
    "q1 Q0 d1 1 12.5 tag\nq1 Q0 d2 2 -1e-7 tag\nq2 Q0 d1 1 inf tag\n",
    "[{\"question\":\"q\",\"answers\":[\"a\"],\"positive_ctxs\":[{\"title\":\"T\",\"text\":\"p\",\"passage_id\":\"1\"}],\"negative_ctxs\":[],\"hard_negative_ctxs\":[{\"title\":\"\",\"text\":\"n\"}]},\n{\"question\":\"r\",\"positive_ctxs\":[]}]",
    "{\"query_id\":\"1\",\"query\":\"q\",\"positive_passages\":[{\"docid\":\"1#2\",\"title\":\"T\",\"text\":\"p\"}],\"negative_passages\":[]}\n",
    "{\"query_id\":\"1\",\"query_text\":\"q\",\"positive_document_ids\":[\"d1\"],\"negative_document_ids\":[]}\n",
    "{\"query\":\"q\",\"pos\":[\"p\",\"p2\"],\"neg\":[\"n\"],\"pos_scores\":[0.5,1]}\n",
    "anchor\tpositive\tnegative_1\tnegative_2\nq\tp\tn\tm\n",
    "{\"anchor\":\"q\",\"positive\":\"p\",\"negative_1\":\"n\",\"cross_anchor\":\"k\",\"neg_query_1\":\"x\",\"cross_lang\":\"sw\"}\n",
    "{\"version\":\"1.1\",\"data\":[{\"title\":\"T\",\"paragraphs\":[{\"context\":\"c\",\"qas\":[{\"id\":\"1\",\"question\":\"q\",\"answers\":[{\"text\":\"c\",\"answer_start\":0}]}]}]}]}",
    "query one\tpositive text\tnegative text\n",
    "src_lang\ttgt_lang\tsrc\ttgt\nacm\ten\tواحد\tone\nfi\ten\tyksi\tone\n",
    "{\"id\":\"tico:0\",\"doc\":\"tico\",\"pos\":0,\"text\":{\"en\":\"about\",\"ar\":\"منذ\",\"ckb\":\"\"}}\n",
    "lang\tidx\ttext\nafr\t0\tLede\neng-US\t0\tMembers\nen\t1\tx\n",
    "1.21\ts one\tt one\n1.04\ts two\tt two\n",
    "eng\tdeu\thello\thallo\n",
    "{\"doc_id\":\"a\",\"lang\":\"sw\",\"title\":\"T\",\"paras\":[[\"h\",\"x\"],[null,\"y\"]],\"source\":\"s\"}\n{\"id\":\"b\",\"sentences\":[\"x\",\"y\"]}\n",
];

const BENCHMARKS: &[&str] = &[
    "{\"data\":[{\"paragraphs\":[{\"context\":\"Ä b. C d.\",\"sentences\":[\"Ä b.\",\"C d.\"],\"sentence_breaks\":[[0,4],[5,9]],\"qas\":[{\"id\":\"1\",\"question\":\"q\",\"answers\":[{\"text\":\"C\",\"answer_start\":5}]}]}]}]}",
    "{\"link\":\"http://a\",\"question_number\":1,\"flores_passage\":\"p\",\"question\":\"q\"}\n",
    "{\"example_id\":1,\"queries\":{\"en\":\"q\",\"zh_cn\":\"w\"},\"answers\":{\"en\":[{\"type\":\"entity\",\"text\":\"a\",\"aliases\":[\"b\"]}]}}\n",
    "{\"id\":\"7\",\"question\":\"q\",\"answers\":[\"yes\",\"a\"],\"lang\":\"fi\"}\n",
    "[{\"id\":\"7\",\"lang\":\"fi\",\"ctxs\":[\"It's 5 p.m. (or so).\"]}]",
    "{\"method\":\"minmax\",\"floor\":[\"zero\"],\"all\":0.5,\"langs\":{\"sw\":0.7}}",
    "lang\tidx\tsrc\teng\nfin\t0\tyksi\tone\n",
    "lang\tidx\ttext\neng\t0\tone\nfin\t0\tyksi\n",
];

const NAMES: &[&str] = &["x", "x.txt", "x.csv", "x.jsonl.gz", "x.tsv.zst", ""];

/// Every parser on the same bytes; what they say does not matter, that they return does.
fn read_all(bytes: &[u8], name: &str) {
    let options = ReadOptions { lang: "en".parse().ok() };
    let _ = Docs::read_from(bytes, name, &options).map(|docs| docs.filter(|doc| doc.is_ok()).count());
    let _ = Queries::read_from(bytes, name, &options).map(|queries| queries.filter(|query| query.is_ok()).count());
    let _ = Qrels::read_from(bytes, name);
    if let Ok(run) = Run::read_from(bytes, name) {
        let mut again = Vec::new();
        run.write_to(&mut again, "t", "x").unwrap();
        assert_eq!(Run::read_from(&again[..], "x").unwrap(), run);
    }
    let formats = [None, Some(Format::Beir), Some(Format::Dpr), Some(Format::Tevatron), Some(Format::FlagEmbedding)];
    let others = [Format::SentenceTransformers, Format::Clear, Format::Squad, Format::MsMarcoTriples].map(Some);
    for format in formats.into_iter().chain(others) {
        if let Ok(examples) = read_examples(bytes, name, &ExampleOptions { format, ..Default::default() }) {
            assert!(!examples.is_empty() && examples.iter().all(|example| !example.positives.is_empty()));
        }
    }
    let _ = read_clear(bytes, name);
    let _ = read_pairs(bytes, name, &PairOptions { pairing: Pairing::Every, ..Default::default() });
    let _ = read_parallel(bytes, name);
    let _ = read_documents(bytes, name, None);
    let _ = PerQuery::read_from(bytes, name).map(|all| all.measures().iter().for_each(|m| drop(all.scores(m))));
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ =
            text.parse::<Measure>().map(|measure| assert_eq!(measure.to_string().parse::<Measure>().unwrap(), measure));
        let _ = text.parse::<Lang>().map(|lang| assert_eq!(lang.to_string().parse::<Lang>().unwrap(), lang));
    }
}

/// Readers of benchmarks and the doctor, which take files.
fn read_benchmarks(path: &Path) {
    let _ = squad::read(path, None);
    let _ = mkqa::read(path, &[]);
    let _ = tatoeba::read(path);
    let _ = ntrex::read(path);
    let _ = xor_retrieve::read_predictions(path);
    let _ = xor_retrieve::read_questions(path).map(|questions| xor_retrieve::score(&questions, &[]));
    let input = doctor::Input { path: path.into(), ..Default::default() };
    let _ = doctor::examine(&[input], &doctor::Options::default(), &mut |_, _| {});
    let folder = path.parent().unwrap();
    let _ = Weights::read(path);
    let _ = lareqa::read(folder);
    let _ = belebele::read(folder);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn damaged_files_never_panic() {
    let mut random = Random(7);
    for round in 0..1500 * times() {
        for sample in SAMPLES {
            let mut bytes = sample.as_bytes().to_vec();
            for _ in 0..=random.below(4) {
                random.mutate(&mut bytes, SAMPLES);
            }
            read_all(&bytes, NAMES[round % NAMES.len()]);
        }
    }
}

#[test]
fn damaged_containers_never_panic() {
    let mut random = Random(8);
    for _ in 0..60 * times() {
        for sample in SAMPLES {
            for whole in [gzip(sample.as_bytes()), zstd::encode_all(sample.as_bytes(), 1).unwrap()] {
                let mut bytes = whole;
                random.mutate(&mut bytes, SAMPLES);
                read_all(&bytes, "x");
            }
        }
    }
}

#[test]
fn damaged_names_never_panic() {
    let mut random = Random(9);
    for name in ["nDCG@10", "P(rel=2)@5", "Judged@10", "zh-Hant-TW", "rm-sursilv", "en_US"] {
        for _ in 0..2000 * times() {
            let mut bytes = name.as_bytes().to_vec();
            random.mutate(&mut bytes, SAMPLES);
            let Ok(text) = std::str::from_utf8(&bytes) else { continue };
            if let Ok(measure) = text.parse::<Measure>() {
                assert_eq!(measure.to_string().parse::<Measure>().unwrap(), measure);
            }
            if let Ok(lang) = text.parse::<Lang>() {
                assert_eq!(lang.to_string().parse::<Lang>().unwrap(), lang);
            }
        }
    }
}

#[test]
fn damaged_benchmarks_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random(10);
    for round in 0..200 * times() {
        for sample in BENCHMARKS.iter().chain(SAMPLES) {
            let mut bytes = sample.as_bytes().to_vec();
            for _ in 0..=random.below(3) {
                random.mutate(&mut bytes, SAMPLES);
            }
            let path = folder.path().join(["en.json", "fi.jsonl"][round % 2]);
            replace(&path, &bytes);
            read_benchmarks(&path);
        }
    }
}

#[test]
fn any_text_has_tokens() {
    let mut random = Random(11);
    let text =
        "Mr. Ō'Neill didn't: \"go--\" (cannot) 'tis 1,204.5... e.g. 東京。 U.S. Army? No! ``x''\n\n. . . »Ende« ";
    for _ in 0..3000 * times() {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=random.below(6) {
            random.mutate(&mut bytes, SAMPLES);
        }
        let text = String::from_utf8_lossy(&bytes);
        let mut from = 0;
        for sentence in nltk::sentences(&text) {
            from += text[from..].find(sentence).expect("sentences are parts of the text, in its order");
        }
        assert!(nltk::word_tokenize(&text).iter().all(|token| !token.is_empty()));
    }
}
