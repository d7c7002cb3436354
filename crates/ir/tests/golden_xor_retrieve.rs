//! XOR-Retrieve and NLTK's tokenizer, against NLTK and the official script's figures.

use isogloss_ir::protocol::nltk::{sentences, word_tokenize, words};
use isogloss_ir::protocol::xor_retrieve::{MEASURES, read_predictions, read_questions, score};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name)
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(golden(name)).unwrap()).unwrap()
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn check(case: &Value) {
    let text = case["text"].as_str().unwrap();
    assert_eq!(sentences(text), strings(&case["sentences"]), "sentences of {text:?}");
    assert_eq!(words(text), strings(&case["tokens_without_sentence_split"]), "words of {text:?}");
    assert_eq!(word_tokenize(text), strings(&case["tokens"]), "tokens of {text:?}");
}

#[test]
fn tokens_are_nltks() {
    json("protocols/word_tokenize.json").as_array().unwrap().iter().for_each(check);
    let bytes = std::fs::read(golden("word_tokenize/cases.json.zst")).unwrap();
    let hard: Value = serde_json::from_slice(&zstd::decode_all(&bytes[..]).unwrap()).unwrap();
    assert!(hard["cases"].as_array().unwrap().len() > 1000);
    hard["cases"].as_array().unwrap().iter().for_each(check);
}

#[test]
fn hits_are_those_of_the_official_script() {
    for (folder, predictions) in
        [("protocols", "xor_predictions.json.zst"), ("word_tokenize", "xor_predictions.json.zst")]
    {
        let questions = read_questions(golden(folder).join("xor_gold.jsonl")).unwrap();
        let scores = score(&questions, &read_predictions(golden(folder).join(predictions)).unwrap());
        let expected = json(&format!("{folder}/xor_expected.json"));
        let langs = scores.per_query.langs().unwrap();
        for (measure, _) in MEASURES {
            let (expected, found) = (&expected[measure], scores.per_query.scores(measure).unwrap());
            let hits = expected["hits"].as_object().unwrap();
            assert_eq!(found.len(), hits.len());
            assert!(hits.iter().all(|(id, hit)| found[id] == f64::from(hit.as_bool().unwrap())), "{folder} {measure}");
            let mut by_lang: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
            found.iter().for_each(|(id, hit)| by_lang.entry(langs[id].as_str()).or_default().push(*hit));
            let percents = by_lang.iter().map(|(lang, hits)| {
                let percent = 100.0 * hits.iter().sum::<f64>() / hits.len() as f64;
                assert!((percent - expected["per_language"][lang]["percent"].as_f64().unwrap()).abs() < 1e-9);
                percent
            });
            let mean = percents.sum::<f64>() / by_lang.len() as f64;
            assert!((mean - expected["macro_percent"].as_f64().unwrap()).abs() < 1e-9);
        }
    }
}
