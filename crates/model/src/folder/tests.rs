//! Both dialects, bare folders, refusals, and what is written.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::error::Error;

const LEGACY: &str = "sentence_transformers.models";

fn bert() -> Value {
    json!({"model_type": "bert", "vocab_size": 830, "hidden_size": 48, "num_hidden_layers": 3,
           "num_attention_heads": 4, "intermediate_size": 96, "max_position_embeddings": 64})
}

fn put(folder: &Path, name: &str, value: &Value) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, value.to_string()).unwrap();
}

fn module(class: &str, path: &str) -> Value {
    json!({"idx": 0, "name": "0", "path": path, "type": class})
}

/// A safetensors file with one tensor.
fn put_tensor(folder: &Path, name: &str, tensor: &str, shape: &[usize]) {
    let bytes = vec![0u8; 4 * shape.iter().product::<usize>()];
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), &bytes).unwrap();
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, safetensors::serialize([(tensor, view)], None).unwrap()).unwrap();
}

/// A folder with a transformer, mean pooling, a dense layer and normalisation, in the dialect of old.
fn legacy(folder: &Path) {
    put(folder, "config.json", &bert());
    put(folder, "tokenizer.json", &json!({"version": "1.0"}));
    put(folder, "tokenizer_config.json", &json!({"model_max_length": 60, "pad_token": "[PAD]"}));
    put(folder, "sentence_bert_config.json", &json!({"max_seq_length": 40, "do_lower_case": false}));
    let modules = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Dense", "2_Dense"), ("Normalize", "3_Normalize")];
    put(folder, "modules.json", &modules.map(|(class, path)| module(&format!("{LEGACY}.{class}"), path)).into());
    put(
        folder,
        "1_Pooling/config.json",
        &json!({"word_embedding_dimension": 48, "pooling_mode_cls_token": true,
        "pooling_mode_mean_tokens": false, "include_prompt": false}),
    );
    put(
        folder,
        "2_Dense/config.json",
        &json!({"in_features": 48, "out_features": 40, "bias": true,
        "activation_function": "torch.nn.modules.activation.Tanh"}),
    );
    put(
        folder,
        "config_sentence_transformers.json",
        &json!({"prompts": {"query": "query: ", "passage": "passage: "},
        "default_prompt_name": null, "similarity_fn_name": "cosine"}),
    );
    put_tensor(folder, "model.safetensors", "embeddings.word_embeddings.weight", &[830, 48]);
    put_tensor(folder, "2_Dense/model.safetensors", "linear.weight", &[40, 48]);
}

/// The same, as sentence-transformers 6 writes it.
fn newer(folder: &Path) {
    legacy(folder);
    let modules = [
        ("sentence_transformers.base.modules.transformer.Transformer", ""),
        ("sentence_transformers.sentence_transformer.modules.pooling.Pooling", "1_Pooling"),
        ("sentence_transformers.base.modules.dense.Dense", "2_Dense"),
        ("sentence_transformers.base.modules.normalize.Normalize", "3_Normalize"),
    ];
    put(folder, "modules.json", &modules.map(|(class, path)| module(class, path)).into());
    put(
        folder,
        "1_Pooling/config.json",
        &json!({"embedding_dimension": 48, "pooling_mode": "cls", "include_prompt": false}),
    );
    put(
        folder,
        "2_Dense/config.json",
        &json!({"in_features": 48, "out_features": 40, "bias": true,
        "activation_function": "torch.nn.modules.activation.Tanh", "module_input_name": "sentence_embedding",
        "module_output_name": "sentence_embedding"}),
    );
    put(folder, "sentence_bert_config.json", &json!({"transformer_task": "feature-extraction"}));
    put(folder, "tokenizer_config.json", &json!({"model_max_length": 40, "pad_token": "[PAD]"}));
}

fn refused(change: impl FnOnce(&Path)) -> String {
    let dir = tempfile::tempdir().unwrap();
    legacy(dir.path());
    change(dir.path());
    FolderLayout::read(dir.path(), None).unwrap_err().to_string()
}

#[test]
fn both_dialects_say_the_same() {
    let dir = tempfile::tempdir().unwrap();
    legacy(dir.path());
    let layout = FolderLayout::read(dir.path(), None).unwrap();
    assert_eq!((layout.max_tokens, layout.pooling, layout.include_prompt), (Some(40), Pooling::Cls, false));
    assert_eq!((layout.dim(), layout.normalize, layout.dense[0].activation), (40, true, DenseActivation::Tanh));
    newer(dir.path());
    assert_eq!(FolderLayout::read(dir.path(), None).unwrap(), layout);
}

#[test]
fn each_side_has_its_prompt() {
    let dir = tempfile::tempdir().unwrap();
    legacy(dir.path());
    let mut layout = FolderLayout::read(dir.path(), None).unwrap();
    assert_eq!((layout.prompt(Side::Query), layout.prompt(Side::Doc)), ("query: ", "passage: "));
    layout.prompts.insert("document".into(), String::new());
    assert_eq!(layout.prompt(Side::Doc), "passage: ");
    layout.default_prompt_name = Some("query".into());
    layout.prompts.remove("passage");
    assert_eq!(layout.prompt(Side::Doc), "");
    layout.prompts.remove("document");
    assert_eq!(layout.prompt(Side::Doc), "query: ");
    layout.prompts.clear();
    assert_eq!((layout.prompt(Side::Query), layout.prompt(Side::Doc)), ("", ""));
}

#[test]
fn a_bare_transformer_needs_a_pooling() {
    let dir = tempfile::tempdir().unwrap();
    legacy(dir.path());
    fs::remove_file(dir.path().join("modules.json")).unwrap();
    let error = FolderLayout::read(dir.path(), None).unwrap_err().to_string();
    assert!(error.contains("--pooling"), "{error}");
    let layout = FolderLayout::read(dir.path(), Some(Pooling::Last)).unwrap();
    assert_eq!((layout.pooling, layout.normalize, layout.dim()), (Pooling::Last, false, 48));
}

#[test]
fn a_table_of_vectors_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let class = "sentence_transformers.sentence_transformer.modules.static_embedding.StaticEmbedding";
    put(dir.path(), "modules.json", &json!([module(class, "0_StaticEmbedding")]));
    put_tensor(dir.path(), "0_StaticEmbedding/model.safetensors", "embedding.weight", &[7, 5]);
    let layout = FolderLayout::read(dir.path(), None).unwrap();
    assert_eq!(layout.architecture, ArchitectureConfig::Static(crate::config::StaticConfig { vocab: 7, dim: 5 }));
    assert_eq!((layout.max_tokens, layout.dim()), (None, 5));
}

#[test]
fn a_sharded_model_gives_all_its_files() {
    let dir = tempfile::tempdir().unwrap();
    legacy(dir.path());
    fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    let map =
        json!({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors"}});
    put(dir.path(), "model.safetensors.index.json", &map);
    put_tensor(dir.path(), "model-1.safetensors", "a", &[1]);
    assert!(FolderLayout::read(dir.path(), None).unwrap_err().to_string().contains("model-2.safetensors: not there"));
    put_tensor(dir.path(), "model-2.safetensors", "b", &[1]);
    assert_eq!(FolderLayout::read(dir.path(), None).unwrap().weights.len(), 2);
}

#[test]
fn what_is_not_supported_is_named() {
    let pooling = |value: Value| refused(move |f| put(f, "1_Pooling/config.json", &value));
    assert!(pooling(json!({"pooling_mode_max_tokens": true})).contains("\"max\" is not supported"));
    assert!(pooling(json!({"pooling_mode": ["cls", "mean"]})).contains("cls + mean"));
    let class = json!([module("sentence_transformers.models.LSTM", "")]);
    assert!(refused(|f| put(f, "modules.json", &class)).contains("LSTM"));
    let alone = json!([module("sentence_transformers.models.Transformer", "")]);
    assert!(refused(|f| put(f, "modules.json", &alone)).contains("the order of modules is [Transformer]"));
    let dense = json!({"in_features": 47, "out_features": 40});
    assert!(refused(|f| put(f, "2_Dense/config.json", &dense)).contains("in_features is 47, but 48"));
    let dense = json!({"in_features": 48, "out_features": 40, "activation_function": "my.Act"});
    assert!(refused(|f| put(f, "2_Dense/config.json", &dense)).contains("my.Act"));
    assert!(refused(|f| fs::remove_file(f.join("model.safetensors")).unwrap()).contains("pytorch_model.bin"));
    let prompts = json!({"prompts": {}, "default_prompt_name": "query"});
    assert!(refused(|f| put(f, "config_sentence_transformers.json", &prompts)).contains("a name in prompts"));
}

fn copy_weights(from: &FolderLayout) -> impl FnOnce(&Path) -> crate::error::Result<()> + '_ {
    move |to| {
        fs::copy(&from.weights[0], to.join("model.safetensors")).unwrap();
        fs::copy(&from.dense[0].weights, to.join("2_Dense/model.safetensors")).unwrap();
        Ok(())
    }
}

#[test]
fn what_is_written_reads_back_and_replaces_a_model() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    newer(&from);
    let layout = FolderLayout::read(&from, None).unwrap();
    for _ in 0..2 {
        layout.write(&to, "seed = 1", copy_weights(&layout)).unwrap();
        let mut read = FolderLayout::read(&to, None).unwrap();
        assert!(read.weights[0].starts_with(&to) && read.tokenizer == to);
        read.weights.clone_from(&layout.weights);
        read.tokenizer.clone_from(&layout.tokenizer);
        read.dense.clone_from(&layout.dense);
        // Defaults of the configuration are spelled out when written; all else is the same.
        assert_eq!(read, layout);
    }
    assert!(fs::read_to_string(to.join("README.md")).unwrap().contains("seed = 1"));
    let map: Value = serde_json::from_slice(&fs::read(to.join("special_tokens_map.json")).unwrap()).unwrap();
    assert_eq!(map, json!({"pad_token": "[PAD]"}));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn a_failed_write_leaves_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    legacy(&from);
    let layout = FolderLayout::read(&from, None).unwrap();
    layout.write(&to, "", copy_weights(&layout)).unwrap();
    let error = layout.write(&to, "", |_| Ok(())).unwrap_err();
    assert!(matches!(error, Error::Missing { .. }));
    assert!(FolderLayout::read(&to, None).is_ok());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    let other = dir.path().join("other");
    put(&other, "thesis.json", &json!({}));
    assert!(matches!(layout.write(&other, "", |_| Ok(())).unwrap_err(), Error::NotAModel { .. }));
}
