//! Bad input of every kind: exit code 2, one line that names the file and the cure, nothing half-written.

mod common;

use common::{Sandbox, refused, static_run, transformer_run};
use isogloss_model::{Checkpoint, write_safetensors};

/// A tensor's numbers and shape.
type Values = (Vec<f32>, Vec<usize>);

/// Data, and a trained model in `m` (a transformer) and `s` (a table).
fn with_models() -> Sandbox {
    let sandbox = Sandbox::with_data();
    for (name, run) in [("t", transformer_run("t", 1)), ("s", static_run("s", 1))] {
        sandbox.write(&format!("{name}.toml"), run);
        sandbox.ok(&format!("train {name}.toml"));
    }
    sandbox.copy(&sandbox.path("t/model"), "m");
    sandbox
}

#[test]
fn corpora() {
    let sandbox = with_models();
    let good = "{\"_id\":\"a\",\"text\":\"x\"}\n";
    let cases: [(&str, Vec<u8>, &[&str]); 16] = [
        ("c.jsonl", [good, "{\"_id\":\"b\",\"te"].concat().into(), &["c.jsonl:2", "malformed JSON"]),
        ("c.jsonl", [good, "{\"_id\":\"b\",\"text\":7}"].concat().into(), &["c.jsonl:2", "`text`"]),
        ("c.jsonl", [good, "{\"_id\":[1],\"text\":\"x\"}"].concat().into(), &["c.jsonl:2", "`_id`"]),
        ("c.jsonl", [good, "{\"text\":\"x\"}"].concat().into(), &["c.jsonl:2", "missing field"]),
        ("c.jsonl", [good, "{\"_id\":\"b\"}"].concat().into(), &["c.jsonl:2", "missing field"]),
        ("c.jsonl", [good, good].concat().into(), &["c.jsonl:2", "already stands in line 1"]),
        (
            "c.jsonl",
            [good, "{\"_id\":\"b\",\"text\":\"y\",\"lang\":\"?\"}"].concat().into(),
            &["c.jsonl:2", "language"],
        ),
        ("c.jsonl", [good.as_bytes(), b"{\"_id\":\"b\",\"text\":\"\xff\"}"].concat(), &["c.jsonl:2", "UTF-8"]),
        ("c.jsonl", "[1, 2]".into(), &["c.jsonl:1"]),
        ("c.jsonl", "hello".into(), &["c.jsonl:1", "unknown format"]),
        ("c.jsonl", "".into(), &["c.jsonl:1", "empty"]),
        ("c.txt", " \n\n".into(), &["c.txt:1", "empty"]),
        ("c.tsv", "a\tx\nb\tT\tx\ty\n".into(), &["c.tsv:2", "got 4 column"]),
        ("c.csv", "id,text\n1,\"x\n".into(), &["c.csv:2", "never closed"]),
        ("c.jsonl.zst", good.into(), &["c.jsonl.zst:1", "not a valid zstd"]),
        ("c.jsonl.gz", b"\x1f\x8b\x08\0\0\0".to_vec(), &["c.jsonl.gz", "truncated"]),
    ];
    for (name, bytes, told) in cases {
        sandbox.write(name, bytes);
        refused(&sandbox, &format!("encode s/model {name} --out v/shards"), told);
        refused(&sandbox, &format!("encode s/model {name} --out v/npy --format npy"), told);
        std::fs::remove_dir_all(sandbox.path("v")).unwrap();
    }
}

#[test]
fn runs_and_judgements() {
    let sandbox = Sandbox::new();
    let (qrels, run) = ("a 0 d 1\n", "a Q0 d 1 2.5 t\n");
    let cases: [(&str, &str, &str, &[&str]); 12] = [
        ("z 0 d 1\n", run, "", &["share no query", "\"a\"", "\"z\""]),
        ("", run, "", &["qrels:1", "empty"]),
        (qrels, "", "", &["run:1", "empty"]),
        ("a 0 d 1\na 0 e x\n", run, "", &["qrels:2", "the grade"]),
        ("a 0 d 1\na 0 d 0\n", run, "", &["qrels:2", "line 1"]),
        ("a d 1\n", run, "", &["qrels:1", "header"]),
        (qrels, "a Q0 d 1 2.5 t\na Q0 e\n", "", &["run:2", "got 3 column"]),
        (qrels, "a Q0 d 1 NaN t\n", "", &["run:1", "NaN"]),
        (qrels, "a Q0 d 1 2.5 t\na Q0 d 2 1.5 t\n", "", &["run:2", "line 1"]),
        (qrels, "a Q0 d 1 high t\n", "", &["run:1", "the score"]),
        (qrels, run, "ndgc@10", &["unknown measure"]),
        (qrels, run, "nDCG@0", &["nDCG@0"]),
    ];
    for (qrels, run, measure, told) in cases {
        sandbox.write("qrels", qrels);
        sandbox.write("run", run);
        refused(&sandbox, &format!("evaluate qrels run {measure}"), told);
    }
    refused(&sandbox, "evaluate qrels none.trec", &["none.trec", "check the path"]);
}

#[test]
fn training_data() {
    let sandbox = Sandbox::with_data();
    let run = static_run("out", 2);
    let cases: [(&str, &str, &[&str]); 7] = [
        ("flag-embedding", "{\"query\":\"q\",\"pos\":\"p\"}\n", &["data:1", "`pos`"]),
        ("flag-embedding", "{\"query\":\"q\",\"pos\":[\"p\"]}\n{\"query\":\"q\"}\n", &["data:2", "pos"]),
        ("sentence-transformers", "{\"anchor\":\"q\"}\n", &["data:1", "positive"]),
        ("parallel", "a\tb\nc\td\te\n", &["data:2", "got 3 column"]),
        ("parallel", "src_lang\ttgt_lang\tsrc\ttgt\n1\ten\tx\ty\n", &["data:2", "language code"]),
        ("parallel", "", &["data:1", "empty"]),
        ("beer", "{}", &["run.toml", "\"beer\"", "known are"]),
    ];
    for (format, text, told) in cases {
        sandbox.write("data", text);
        let run = run.replace("pairs.tsv", "data").replace("\"parallel\"", &format!("\"{format}\""));
        sandbox.write("run.toml", run);
        refused(&sandbox, "train run.toml", told);
    }
}

#[test]
fn run_files() {
    let sandbox = with_models();
    let good = transformer_run("out", 2);
    let cases: [(&str, &str, &[&str]); 23] = [
        ("seed = 3", "sead = 3", &["run.toml:2", "sead"]),
        ("seed = 3", "seed = \"three\"", &["run.toml:2", "invalid type"]),
        ("seed = 3", "seed = ", &["run.toml:2"]),
        ("[recipe]", "[recipe", &["run.toml"]),
        ("steps = 2", "steps = 0", &["run.toml", "schedule.steps"]),
        ("steps = 2", "steps = -2", &["run.toml:", "invalid value"]),
        ("steps = 2", "", &["run.toml:", "steps"]),
        ("steps = 2", "steps = 2\ndecay = \"slow\"", &["run.toml", "\"slow\"", "cosine"]),
        ("rows = 16", "rows = 0", &["run.toml", "batch.rows"]),
        ("rows = 16", "language_temperature = 0.0", &["run.toml", "batch.language_temperature"]),
        ("symmetric = true", "temperature = 0.0", &["run.toml", "recipe.temperature"]),
        ("symmetric = true", "symetric = true", &["run.toml", "symetric"]),
        ("\"contrastive\"", "\"contrasting\"", &["run.toml:", "contrasting"]),
        ("\"xlm_roberta\"", "\"gpt\"", &["run.toml:", "gpt"]),
        ("heads = 2", "heads = 3", &["run.toml", "heads"]),
        ("hidden_size = 32", "hidden_size = 0", &["run.toml", "hidden_size"]),
        ("\"tokenizer\"", "\"none\"", &["none/tokenizer.json"]),
        ("[model.new]", "[model]\npath = \"m\"\n[model.new]", &["run.toml", "both path and new"]),
        ("[model.new]", "[model]\npooling = \"max\"\n[model.new]", &["run.toml", "\"max\""]),
        ("path = \"pairs.tsv\"", "path = \"none.tsv\"", &["none.tsv"]),
        ("path = \"pairs.tsv\"", "path = \"pairs.tsv\"\nlanguages = [\"ko\"]", &["run.toml", "pairs.tsv", "languages"]),
        ("path = \"pairs.tsv\"", "path = \"pairs.tsv\"\nweight = -1.0", &["run.toml", "data.weight"]),
        ("out = \"out\"", "out = \"pairs.tsv\"", &["pairs.tsv"]),
    ];
    for (from, to, told) in cases {
        assert!(good.contains(from), "{from}");
        sandbox.write("run.toml", good.replace(from, to));
        refused(&sandbox, "train run.toml", told);
    }
    refused(&sandbox, "train none.toml", &["none.toml"]);
    refused(&sandbox, "train t.toml", &["t: holds a finished run", "delete"]);
    sandbox.write("t.toml", transformer_run("t", 2));
    refused(&sandbox, "train t.toml --resume", &["t: holds a finished run"]);
}

#[test]
fn model_folders() {
    let sandbox = with_models();
    let text = |name: &str| String::from_utf8(sandbox.read(&format!("m/{name}"))).unwrap();
    let (config, tokenizer) = (text("config.json"), text("tokenizer.json"));
    let cases: [(&str, String, &[&str]); 10] = [
        ("config.json", config.replace("xlm-roberta", "gpt2"), &["config.json", "\"gpt2\"", "supported"]),
        (
            "config.json",
            config.replace("\"hidden_size\": 32", "\"hidden_size\": \"32\""),
            &["config.json", "hidden_size"],
        ),
        ("config.json", config.replace("\"hidden_size\": 32", "\"hidden_size\": 48"), &["model.safetensors", "shape"]),
        (
            "config.json",
            config.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"),
            &["layer.2", "missing"],
        ),
        (
            "config.json",
            config.replace("\"num_attention_heads\": 2", "\"num_attention_heads\": 5"),
            &["num_attention_heads"],
        ),
        (
            "config.json",
            config.replace("\"hidden_act\": \"gelu\"", "\"hidden_act\": \"swish\""),
            &["config.json", "\"swish\""],
        ),
        ("config.json", config[..40].into(), &["config.json"]),
        ("tokenizer.json", tokenizer[..100].into(), &["tokenizer.json"]),
        ("modules.json", "{}".into(), &["modules.json"]),
        ("model.safetensors", "x".repeat(100), &["model.safetensors", "not a safetensors file"]),
    ];
    for (name, text, told) in cases {
        assert!(text != config, "the case changes nothing");
        let broken = Sandbox::new();
        broken.copy(&sandbox.path("m"), "m");
        broken.write("corpus.jsonl", sandbox.read("corpus.jsonl"));
        broken.write(&format!("m/{name}"), text);
        refused(&broken, "encode m corpus.jsonl --out v", told);
    }
    for (name, told) in [
        ("tokenizer.json", "tokenizer.json"),
        ("model.safetensors", "model.safetensors"),
        ("modules.json", "--pooling"),
    ] {
        let broken = Sandbox::new();
        broken.copy(&sandbox.path("m"), "m");
        broken.write("corpus.jsonl", sandbox.read("corpus.jsonl"));
        std::fs::remove_file(broken.path(&format!("m/{name}"))).unwrap();
        refused(&broken, "encode m corpus.jsonl --out v", &["m", told]);
    }
    refused(&sandbox, "encode none corpus.jsonl --out v", &["none: not a folder"]);
}

#[test]
fn weights() {
    let sandbox = with_models();
    let path = sandbox.path("m/model.safetensors");
    let stored = Checkpoint::open(&sandbox.path("m")).unwrap();
    let names: Vec<String> = stored.names().map(str::to_owned).collect();
    let read = || names.iter().map(|name| (name.clone(), stored.read(name).unwrap())).collect::<Vec<_>>();
    let victim = names.iter().find(|name| name.contains("layer.1")).unwrap();
    let write = |tensors: &[(String, Values)]| {
        let tensors = tensors.iter().map(|(name, (values, shape))| (name.clone(), shape.clone(), &values[..]));
        write_safetensors(&path, tensors, ("format", "pt".into())).unwrap();
    };
    let mut tensors = read();
    tensors.iter_mut().find(|(name, _)| name == victim).unwrap().1.0[0] = f32::NAN;
    write(&tensors);
    refused(&sandbox, "encode m corpus.jsonl --out v", &["model.safetensors", victim, "NaN"]);
    let mut tensors = read();
    tensors.retain(|(name, _)| name != victim);
    write(&tensors);
    refused(&sandbox, "encode m corpus.jsonl --out v", &["model.safetensors", victim, "missing"]);
    let mut tensors = read();
    tensors.iter_mut().find(|(name, _)| name == victim).unwrap().1.1.push(1);
    write(&tensors);
    refused(&sandbox, "encode m corpus.jsonl --out v", &["model.safetensors", victim, "shape"]);
    write(&read());
    sandbox.ok("encode m corpus.jsonl --out v");
    let bytes = sandbox.read("m/model.safetensors");
    sandbox.write("m/model.safetensors", &bytes[..bytes.len() - 9]);
    refused(&sandbox, "encode m corpus.jsonl --out w", &["model.safetensors"]);
}
