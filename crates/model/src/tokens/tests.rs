//! Exact equality with the goldens of the Hugging Face tokenizers, and what they do not cover.

use std::fs;

use serde_json::{Value, json};

use super::*;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/encoder").join(name)
}

fn json_file(name: &str) -> Value {
    serde_json::from_slice(&fs::read(golden(name)).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn plain(ids: Vec<u32>) -> TokenIds {
    TokenIds { ids, type_ids: None, prompt_tokens: 0 }
}

fn check(model: &str, file: &str) {
    let tokenizer = Tokenizer::load(&golden(model)).unwrap();
    let golden = json_file(file);
    let max_length = golden["max_length"].as_u64().unwrap() as usize;
    assert_eq!(tokenizer.vocab_size() as u64, golden["vocab_size"].as_u64().unwrap());
    assert_eq!(u64::from(tokenizer.pad_id().unwrap()), golden["pad_id"].as_u64().unwrap());
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() >= 36);
    let texts: Vec<&str> = cases.iter().map(|c| c["text"].as_str().unwrap()).collect();
    let whole = tokenizer.encode_batch(&texts, "", usize::MAX).unwrap();
    let cut = tokenizer.encode_batch(&texts, "", max_length).unwrap();
    for (i, case) in cases.iter().enumerate() {
        assert_eq!(whole[i], plain(ids(&case["ids"])), "{file}: {:?}", texts[i]);
        assert_eq!(cut[i], plain(ids(&case["ids_truncated"])), "{file}: {:?}", texts[i]);
        assert_eq!(tokenizer.encode_plain(texts[i]).unwrap(), ids(&case["ids_no_special"]));
        assert_eq!(tokenizer.decode(&whole[i].ids, true).unwrap(), case["decoded_skip_special"].as_str().unwrap());
        let tokens: Vec<_> = whole[i].ids.iter().map(|&id| tokenizer.token(id).unwrap()).collect();
        assert_eq!(json!(tokens), case["tokens"]);
    }
}

fn check_pairs(model: &str, file: &str) {
    let tokenizer = Tokenizer::load(&golden(model)).unwrap();
    let golden = json_file(file);
    let pairs = golden["pairs_longest_first"].as_array().unwrap();
    let texts: Vec<_> = pairs.iter().map(|p| (p["a"].as_str().unwrap(), p["b"].as_str().unwrap())).collect();
    let encoded = tokenizer.encode_pairs(&texts, golden["max_length"].as_u64().unwrap() as usize).unwrap();
    for (got, want) in encoded.iter().zip(pairs) {
        assert_eq!(got.ids, ids(&want["ids"]), "{file}");
        let types = want["token_type_ids"].as_array().map(|_| ids(&want["token_type_ids"]));
        assert_eq!(got.type_ids, types, "{file}");
    }
}

#[test]
fn unigram_equals_the_golden() {
    check("xlmr", "tokenizer_unigram.json");
    check_pairs("xlmr", "tokenizer_unigram.json");
}

#[test]
fn wordpiece_equals_the_golden() {
    check("bert", "tokenizer_wordpiece.json");
    check_pairs("bert", "tokenizer_wordpiece.json");
}

#[test]
fn bpe_equals_the_golden() {
    check("modernbert", "tokenizer_gemma_bpe.json");
    check_pairs("modernbert", "tokenizer_gemma_bpe.json");
}

#[test]
fn a_prompt_is_counted_without_the_closing_token() {
    let tokenizer = Tokenizer::load(&golden("xlmr")).unwrap();
    let alone = tokenizer.encode_batch(&["query: "], "", 64).unwrap();
    let prompted = tokenizer.encode_batch(&["river", ""], "query: ", 64).unwrap();
    assert_eq!(prompted[0].prompt_tokens, alone[0].ids.len() - 1);
    assert_eq!(prompted[0].ids, tokenizer.encode_batch(&["query: river"], "", 64).unwrap()[0].ids);
    assert_eq!(tokenizer.encode_batch(&["river"], &"long prompt ".repeat(40), 16).unwrap()[0].prompt_tokens, 15);
}

#[test]
fn what_is_baked_into_the_file_is_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let mut value = json_file("bert/tokenizer.json");
    value["truncation"] = json!({"direction": "Left", "max_length": 5, "strategy": "LongestFirst", "stride": 0});
    value["padding"] = json!({"strategy": {"Fixed": 32}, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"});
    fs::write(dir.path().join("tokenizer.json"), value.to_string()).unwrap();
    let (baked, bare) = (Tokenizer::load(dir.path()).unwrap(), Tokenizer::load(&golden("bert")).unwrap());
    let texts = ["The river is wide and the water is cold in winter.", "a"];
    let encode = |t: &Tokenizer| t.encode_batch(&texts, "", 12).unwrap();
    assert_eq!(encode(&baked), encode(&bare));
    assert_eq!(baked.special(), bare.special());
}

#[test]
fn lowercasing_comes_first() {
    let tokenizer = Tokenizer::load(&golden("bert")).unwrap();
    let lower = tokenizer.clone().lowercased().unwrap();
    let upper = "THE RIVER IS WIDE";
    assert_eq!(lower.encode_plain(upper).unwrap(), tokenizer.encode_plain(&upper.to_lowercase()).unwrap());
    assert_ne!(lower.encode_plain(upper).unwrap(), tokenizer.encode_plain(upper).unwrap());
}

#[test]
fn roles_are_read_and_wrong_ones_named() {
    let special = *Tokenizer::load(&golden("xlmr")).unwrap().special();
    let want = SpecialTokens { pad: Some(1), cls: Some(0), sep: Some(2), mask: Some(701), unk: Some(3) };
    assert_eq!(special, want);
    let dir = tempfile::tempdir().unwrap();
    fs::copy(golden("xlmr/tokenizer.json"), dir.path().join("tokenizer.json")).unwrap();
    let config = json!({"pad_token": {"content": "<nothing>"}}).to_string();
    fs::write(dir.path().join("tokenizer_config.json"), config).unwrap();
    let error = Tokenizer::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("pad_token is \"<nothing>\", must be a token of tokenizer.json"), "{error}");
}

#[test]
fn a_length_without_room_is_refused() {
    let tokenizer = Tokenizer::load(&golden("xlmr")).unwrap();
    let error = tokenizer.encode_batch(&["a"], "", 2).unwrap_err().to_string();
    assert!(error.contains("at most 2 tokens") && error.contains("adds 2"), "{error}");
    assert!(tokenizer.encode_pairs(&[("a", "b")], 4).is_err());
}
