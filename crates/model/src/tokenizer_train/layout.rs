//! The files of a tokenizer of XLM-R's form.

use serde_json::{Value, json};

/// The tokens of ids 0 to 3.
pub(super) const SPECIALS: [&str; 4] = ["<s>", "<pad>", "</s>", "<unk>"];

/// The token of the last id.
pub(super) const MASK: &str = "<mask>";

/// `tokenizer.json` with `pieces` between the special tokens.
pub(super) fn tokenizer_json(pieces: &[(String, f64)]) -> Value {
    let special = |token: &str| json!([token, 0.0]);
    let mut vocab: Vec<Value> = SPECIALS.map(special).to_vec();
    vocab.extend(pieces.iter().map(|(token, score)| json!([token, score])));
    vocab.push(special(MASK));
    let mut added: Vec<Value> = SPECIALS.iter().enumerate().map(|(id, token)| added_token(id, token)).collect();
    added.push(added_token(vocab.len() - 1, MASK));
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFKC"},
            {"type": "Replace", "pattern": {"Regex": "[\\s\\p{Cc}]+"}, "content": " "},
            {"type": "Strip", "strip_left": true, "strip_right": true},
        ]},
        "pre_tokenizer": metaspace(),
        "post_processor": template(),
        "decoder": metaspace(),
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocab, "byte_fallback": false},
    })
}

/// A mask takes the space before it along, as in XLM-R.
fn added_token(id: usize, token: &str) -> Value {
    json!({"id": id, "content": token, "single_word": false, "lstrip": token == MASK, "rstrip": false,
           "normalized": false, "special": true})
}

fn metaspace() -> Value {
    json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true})
}

/// `<s> A </s>`, and `<s> A </s></s> B </s>`.
fn template() -> Value {
    let special = |token: &str| json!({"SpecialToken": {"id": token, "type_id": 0}});
    let sequence = |name: &str| json!({"Sequence": {"id": name, "type_id": 0}});
    let entry = |token: &str, id: u32| json!({"id": token, "ids": [id], "tokens": [token]});
    let (first, last) = (special("<s>"), special("</s>"));
    json!({
        "type": "TemplateProcessing",
        "single": [first, sequence("A"), last],
        "pair": [first, sequence("A"), last, last, sequence("B"), last],
        "special_tokens": {"<s>": entry("<s>", 0), "</s>": entry("</s>", 2)},
    })
}

/// `special_tokens_map.json`.
pub(super) fn special_tokens_map() -> Value {
    json!({
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "cls_token": "<s>",
        "mask_token": MASK,
    })
}

/// `tokenizer_config.json`; the class is the one that takes `tokenizer.json` as it is.
pub(super) fn tokenizer_config(model_max_length: usize) -> Value {
    let mut config = special_tokens_map();
    config["model_input_names"] = json!(["input_ids", "attention_mask"]);
    config["model_max_length"] = json!(model_max_length);
    config["padding_side"] = json!("right");
    config["truncation_side"] = json!("right");
    config["tokenizer_class"] = json!("PreTrainedTokenizerFast");
    config
}
