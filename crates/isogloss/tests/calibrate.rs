//! Calibration through the program: fitted, stored, applied by language, refused where there is no fit.

mod common;

use common::{Sandbox, refused, static_run};
use isogloss_dense::VectorStore;
use isogloss_dense::calibration::Calibration;
use isogloss_model::{BiEncoder, Checkpoint, Overrides, read_calibration, write_safetensors};

const DIM: usize = 32;

/// Data, and a model in `m`; its 48 German documents and 48 English queries are texts of two languages.
fn with_model() -> Sandbox {
    let sandbox = Sandbox::with_data();
    sandbox.write("run.toml", static_run("t", 2));
    sandbox.ok("train run.toml");
    sandbox.copy(&sandbox.path("t/model"), "m");
    sandbox
}

const FIT: &str = "calibrate m --text corpus.jsonl queries.jsonl --min-texts 48";

fn rows(sandbox: &Sandbox, folder: &str) -> Vec<Vec<f64>> {
    let store = VectorStore::open(&sandbox.path(folder)).unwrap();
    (0..store.rows()).map(|row| store.row(row).into_iter().map(f64::from).collect()).collect()
}

fn calibration(sandbox: &Sandbox, model: &str) -> Calibration {
    read_calibration(&sandbox.path(model), DIM).unwrap().unwrap()
}

/// Mean and deviation of each component, as the equations say.
fn statistics(rows: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let n = rows.len() as f64;
    let mean: Vec<f64> = (0..DIM).map(|d| rows.iter().map(|x| x[d]).sum::<f64>() / n).collect();
    let deviation = |d: usize| (rows.iter().map(|x| (x[d] - mean[d]).powi(2)).sum::<f64>() / n).sqrt();
    let std = (0..DIM).map(deviation).collect();
    (mean, std)
}

fn unit(x: &[f64]) -> Vec<f64> {
    let length = x.iter().map(|x| x * x).sum::<f64>().sqrt();
    x.iter().map(|x| x / length).collect()
}

fn near(got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    let error = got.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(error < tolerance, "error {error:e}");
}

#[test]
fn every_language_is_shifted_and_scaled_by_its_own_statistics() {
    let sandbox = with_model();
    for side in ["corpus", "queries"] {
        sandbox.ok(&format!("encode m {side}.jsonl --out raw-{side}"));
    }
    for (method, fit) in [("shift", format!("{FIT} --method shift")), ("scale", FIT.to_owned())] {
        let table = sandbox.ok(&format!("{fit} --out {method}"));
        let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words[0], ["language", "texts", "|mean|", "std"]);
        assert_eq!((&words[1][..2], &words[2][..2]), (&["de", "48"][..], &["en", "48"][..]));
        for side in ["corpus", "queries"] {
            let raw = rows(&sandbox, &format!("raw-{side}"));
            let (mean, std) = statistics(&raw);
            sandbox.ok(&format!("encode {method} {side}.jsonl --out {method}-{side}"));
            for (x, got) in raw.iter().zip(rows(&sandbox, &format!("{method}-{side}"))) {
                let part = |d: usize| (x[d] - mean[d]) / if method == "scale" { std[d] } else { 1.0 };
                near(&got, &unit(&(0..DIM).map(part).collect::<Vec<_>>()), 1e-5);
            }
        }
    }
    let fitted = calibration(&sandbox, "scale");
    let (mean, std) = statistics(&rows(&sandbox, "raw-corpus"));
    let german = &fitted.langs()[&"de".parse().unwrap()];
    near(&german.mean.iter().map(|x| f64::from(*x)).collect::<Vec<_>>(), &mean, 1e-6);
    near(&german.std.as_ref().unwrap().iter().map(|x| f64::from(*x)).collect::<Vec<_>>(), &std, 1e-6);
    assert!(!sandbox.path("m/calibration.safetensors").exists(), "a copy leaves the model as it is");
    assert_eq!(sandbox.read("scale/model.safetensors"), sandbox.read("m/model.safetensors"));
}

#[test]
fn a_mixed_file_and_a_declared_language_give_the_same_vectors() {
    let sandbox = with_model();
    sandbox.ok(FIT);
    let text = |name: &str| String::from_utf8(sandbox.read(name)).unwrap();
    sandbox.write("mixed.jsonl", text("corpus.jsonl") + &text("queries.jsonl"));
    let bare = text("corpus.jsonl").replace(",\"lang\":\"de\"", "");
    sandbox.write("bare.jsonl", &bare);
    let lines: Vec<&str> = bare.lines().map(|line| line.split('"').nth(11).unwrap()).collect();
    sandbox.write("bare.txt", lines.join("\n"));
    sandbox.ok("encode m mixed.jsonl --out mixed");
    sandbox.ok("encode m DE=bare.jsonl --out declared");
    sandbox.ok("encode m de=bare.txt --out lines");
    let mixed = rows(&sandbox, "mixed");
    assert_eq!(mixed.len(), 96);
    assert!(mixed[..48] == rows(&sandbox, "declared") && mixed[..48] == rows(&sandbox, "lines"));
    sandbox.ok("encode m de=bare.jsonl en=queries.jsonl --out chosen --lang en");
    assert!(mixed[48..] == rows(&sandbox, "chosen"));
    sandbox.ok("encode m corpus.jsonl --out npy --format npy");
    let npy: Vec<f64> = sandbox.read("npy/vectors.npy")[128..]
        .chunks_exact(4)
        .map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap())))
        .collect();
    assert!(npy == mixed[..48].concat());
}

#[test]
fn a_language_without_a_fit_is_refused_unless_told_otherwise() {
    let sandbox = with_model();
    let text = String::from_utf8(sandbox.read("corpus.jsonl")).unwrap();
    let first = text.lines().next().unwrap();
    sandbox.write("ko.jsonl", format!("{first}\n{}", first.replace("\"d0\"", "\"k\"").replace("\"de\"", "\"ko\"")));
    sandbox.write("none.jsonl", first.replace(",\"lang\":\"de\"", ""));
    sandbox.write("ko-query.jsonl", "{\"_id\":\"k\",\"text\":\"horse\",\"lang\":\"ko\"}");
    sandbox.ok("encode m ko.jsonl --out before");
    sandbox.ok(FIT);
    sandbox.ok("encode m corpus.jsonl --out v");
    let cures = ["--calibration-missing ignore", "--uncalibrated"];
    let told = |parts: &[&'static str]| [parts, &cures].concat();
    refused(&sandbox, "encode m ko.jsonl --out w", &told(&["ko.jsonl: the text \"k\" is in ko", "de, en alone"]));
    refused(&sandbox, "encode m ko.jsonl --out npy --format npy", &told(&["ko.jsonl: the text \"k\" is in ko"]));
    refused(
        &sandbox,
        "encode m none.jsonl --out w",
        &told(&["none.jsonl: the text \"d0\" names no language", "LANG="]),
    );
    refused(&sandbox, "encode m ko=none.jsonl --out w", &told(&["none.jsonl: the text \"d0\" is in ko"]));
    let search = "search --model m --corpus v --queries";
    refused(&sandbox, &format!("{search} ko-query.jsonl"), &told(&["ko-query.jsonl: the query \"k\" is in ko"]));
    sandbox.ok(&format!("{search} ko-query.jsonl --calibration-missing ignore"));
    std::fs::remove_dir_all(sandbox.path("w")).unwrap();
    sandbox.ok("encode m ko.jsonl --out w --calibration-missing ignore");
    let (before, after, fitted) = (rows(&sandbox, "before"), rows(&sandbox, "w"), rows(&sandbox, "v"));
    assert!(after[1] == before[1] && after[0] == fitted[0] && after[0] != before[0]);
}

#[test]
fn benchmarks_judge_what_the_model_gives_by_language() {
    let sandbox = with_model();
    sandbox.ok(&format!("{FIT} --out fitted"));
    for name in ["corpus.jsonl", "queries.jsonl", "qrels.tsv"] {
        sandbox.write(&format!("beir/{name}"), sandbox.read(name));
    }
    let run = |place: &str, options: &str| {
        sandbox.ok(&format!("benchmark beir --data beir --out {place} {options}"));
        sandbox.read(&format!("{place}/runs/run.trec"))
    };
    let (plain, fitted) = (run("plain", "--model m"), run("by-lang", "--model fitted"));
    sandbox.ok("encode fitted corpus.jsonl --out docs");
    let searched = sandbox.ok("search --model fitted --corpus docs --queries queries.jsonl --k 100");
    assert_eq!(String::from_utf8(fitted).unwrap(), searched);
    assert_ne!(plain, searched.into_bytes());
    assert_eq!(run("as-before", "--model fitted --uncalibrated"), plain);
    sandbox.write("tatoeba.tsv", "lang\tidx\tsrc\teng\nsw\t0\tmoja\tone\nsw\t1\tmbili\ttwo\n");
    let told = ["tatoeba.tsv", "is in sw", "--calibration-missing ignore", "--uncalibrated"];
    refused(&sandbox, "benchmark tatoeba --data tatoeba.tsv --model fitted", &told);
    sandbox.ok("benchmark tatoeba --data tatoeba.tsv --model fitted --calibration-missing ignore");
}

#[test]
fn uncalibrated_means_as_if_there_were_no_calibration() {
    let sandbox = with_model();
    sandbox.ok("encode m corpus.jsonl --out before");
    sandbox.ok(FIT);
    sandbox.ok("encode m corpus.jsonl --out after --uncalibrated");
    assert_eq!(
        sandbox.files("before").into_values().collect::<Vec<_>>(),
        sandbox.files("after").into_values().collect::<Vec<_>>()
    );
    sandbox.ok("encode m corpus.jsonl --out fitted");
    let search = |corpus: &str| format!("search --model m --corpus {corpus} --queries queries.jsonl --k 5");
    let output = sandbox.run(&search("before"));
    assert!(output.status.success() && String::from_utf8_lossy(&output.stderr).contains("note: before holds uncal"));
    let plain = sandbox.ok(&(search("corpus.jsonl") + " --uncalibrated"));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), plain);
    let fitted = sandbox.ok(&search("fitted"));
    assert_eq!(fitted, sandbox.ok(&search("corpus.jsonl")));
    assert_ne!(fitted, plain);
    refused(&sandbox, &(search("fitted") + " --uncalibrated"), &["fitted: ", "calibration scale", "encode the corpus"]);
    refused(&sandbox, "encode m corpus.jsonl --out fitted --uncalibrated", &["fitted/plan.json", "model_hash"]);
    sandbox.ok(&format!("{FIT} --method shift"));
    refused(&sandbox, &search("fitted"), &["fitted: ", "another model"]);
    refused(&sandbox, "encode m corpus.jsonl --out w --normalize false", &["m/calibration", "normalize true", "false"]);
    sandbox.ok("encode m corpus.jsonl --out w --normalize false --uncalibrated");
}

#[test]
fn a_rotation_from_pairs_turns_every_language_but_the_target() {
    let sandbox = with_model();
    let table = sandbox.ok(&format!("{FIT} --method rotate --pairs pairs.tsv --out r"));
    let german: Vec<&str> = table.lines().find(|l| l.trim().starts_with("de")).unwrap().split_whitespace().collect();
    assert_eq!((german[1], german[4]), ("48", "48"));
    let (before, after): (f64, f64) = (german[5].parse().unwrap(), german[6].parse().unwrap());
    assert!(after > before, "{table}");
    for side in ["corpus", "queries"] {
        sandbox.ok(&format!("encode m {side}.jsonl --out raw-{side}"));
        sandbox.ok(&format!("encode r {side}.jsonl --out turned-{side}"));
    }
    let (german, english) = (rows(&sandbox, "raw-corpus"), rows(&sandbox, "raw-queries"));
    let scaled = |rows: &[Vec<f64>]| -> Vec<Vec<f64>> {
        let (mean, std) = statistics(rows);
        rows.iter().map(|x| (0..DIM).map(|d| (x[d] - mean[d]) / std[d]).collect()).collect()
    };
    let fitted = calibration(&sandbox, "r");
    let w = fitted.langs()[&"de".parse().unwrap()].rotation.clone().unwrap();
    let turn = |x: &[f64]| -> Vec<f64> {
        w.chunks_exact(DIM).map(|w| w.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum()).collect()
    };
    for (x, got) in scaled(&german).iter().zip(rows(&sandbox, "turned-corpus")) {
        near(&got, &unit(&turn(x)), 1e-5);
    }
    for (x, got) in scaled(&english).iter().zip(rows(&sandbox, "turned-queries")) {
        near(&got, &unit(x), 1e-5);
    }
    // The best orthogonal map makes W M symmetric, where M = Σ x yᵀ over the pairs (row i of both is one pair).
    let (x, y) = (scaled(&german), scaled(&english));
    let product = |i: usize, j: usize| -> f64 { (0..48).map(|p| turn(&x[p])[i] * y[p][j]).sum() };
    for (i, j) in [(0, 1), (3, 30), (17, 8)] {
        assert!((product(i, j) - product(j, i)).abs() < 1e-2 * product(i, i).abs().max(1.0));
    }
    let bare = String::from_utf8(sandbox.read("pairs.tsv")).unwrap();
    let bare: String =
        bare.lines().skip(1).map(|line| line.splitn(3, '\t').nth(2).unwrap().to_owned() + "\n").collect();
    let swapped: String = bare.lines().map(|l| l.split('\t').rev().collect::<Vec<_>>().join("\t") + "\n").collect();
    sandbox.write("bare.tsv", swapped);
    sandbox.ok(&format!("{FIT} --method rotate --pairs de=bare.tsv --out s"));
    assert_eq!(sandbox.read("s/calibration.safetensors"), sandbox.read("r/calibration.safetensors"));
}

#[test]
fn a_rotation_without_pairs_is_the_same_for_every_number_of_threads() {
    let sandbox = with_model();
    let fit = format!("{FIT} --method rotate --hidden-size 16 --epochs 2 --steps-per-epoch 20 --seed 4");
    let table = sandbox.ok(&format!("{fit} --out a --threads 1"));
    sandbox.ok(&format!("{fit} --out b --threads 3"));
    assert_eq!(sandbox.read("a/calibration.safetensors"), sandbox.read("b/calibration.safetensors"));
    let german: Vec<&str> = table.lines().find(|l| l.trim().starts_with("de")).unwrap().split_whitespace().collect();
    let (before, after): (f64, f64) = (german[5].parse().unwrap(), german[6].parse().unwrap());
    assert!(german[4] == "none" && after >= before, "{table}");
    sandbox.ok("encode a corpus.jsonl --out v");
}

#[test]
fn saving_keeps_a_calibration_and_training_drops_it() {
    let sandbox = with_model();
    sandbox.ok(FIT);
    let model = BiEncoder::load(sandbox.path("m").to_str().unwrap(), &Overrides::default()).unwrap();
    model.save(&sandbox.path("saved")).unwrap();
    assert_eq!(sandbox.read("saved/calibration.safetensors"), sandbox.read("m/calibration.safetensors"));
    assert_eq!(model.reload(&sandbox.path("saved")).unwrap().calibration(), model.calibration());
    let run = static_run("more", 2).replace("[model.new]", "[model]\npath = \"m\"");
    let new = ["tokenizer = \"tokenizer\"\n", "architecture = \"static\"\n", "hidden_size = 32\n"];
    sandbox.write("more.toml", new.iter().fold(run, |run, line| run.replace(line, "")));
    sandbox.ok("train more.toml");
    assert!(!sandbox.path("more/model/calibration.safetensors").exists());
}

#[test]
fn fits_that_cannot_be() {
    let sandbox = with_model();
    sandbox.write("here/x", "");
    sandbox.write("none.txt", "ein Pferd\n");
    sandbox.write("ko.tsv", "src_lang\ttgt_lang\tsrc\ttgt\nko\ten\tx\ty\n");
    sandbox.write("bare.tsv", "src\ttgt\nx\ty\n");
    let rotate = format!("{FIT} --method rotate");
    let cases: [(String, &[&str]); 16] = [
        ("calibrate m".into(), &["--text"]),
        ("calibrate m --text corpus.jsonl --method turn".into(), &["turn", "shift, scale, rotate"]),
        ("calibrate m --text corpus.jsonl".into(), &["--text: 48 text(s) in de", "at least 100", "--min-texts"]),
        ("calibrate m --text corpus.jsonl --min-texts 49".into(), &["at least 49"]),
        ("calibrate m --text none.jsonl".into(), &["none.jsonl", "check the path"]),
        (
            "calibrate m --text none.txt".into(),
            &["none.txt: text 1 (\"ein Pferd\") names no language", "LANG=none.txt"],
        ),
        ("calibrate m --text qrels.tsv".into(), &["qrels.tsv"]),
        (format!("{FIT} --pairs pairs.tsv"), &["--pairs", "rotate", "scale"]),
        (format!("{FIT} --out here"), &["here", "already there"]),
        ("calibrate none --text corpus.jsonl".into(), &["none", "not a folder"]),
        (format!("{rotate} --target fi --pairs pairs.tsv"), &["--text: no text is in the target fi", "--target"]),
        (format!("{rotate} --pairs ko.tsv"), &["ko.tsv: has pairs in ko", "give texts in ko"]),
        (format!("{rotate} --pairs bare.tsv"), &["bare.tsv: pair 1 names no language", "LANG=bare.tsv"]),
        (format!("{rotate} --pairs de=bare.tsv"), &["--pairs: 1 pair(s) of de and en, at least 48", "--min-texts"]),
        (format!("{rotate} --batch 0"), &["--batch", "at least 1"]),
        (format!("{rotate} --hidden-size 8 --smoothing 0.6"), &["adversarial.smoothing", "must be"]),
    ];
    for (line, told) in &cases {
        refused(&sandbox, line, told);
    }
    refused(&sandbox, "calibrate m --text corpus.jsonl queries.jsonl --method rotate", &["at least 100"]);
}

#[test]
fn damaged_calibrations() {
    let sandbox = with_model();
    sandbox.ok(FIT);
    let good = sandbox.read("m/calibration.safetensors");
    let path = sandbox.path("m/calibration.safetensors");
    let checkpoint = Checkpoint::from_files(std::slice::from_ref(&path)).unwrap();
    let header = isogloss_model::read_metadata(&path, "isogloss.calibration").unwrap();
    let parts = ["de.mean", "de.std", "en.mean", "en.std"].map(|name| (name, checkpoint.read(name).unwrap()));
    drop(checkpoint);
    let write = |left_out: &str, header: &str| {
        let kept = parts.iter().filter(|(name, _)| *name != left_out);
        let tensors = kept.map(|(name, (values, shape))| (name.to_string(), shape.clone(), &values[..]));
        write_safetensors(&path, tensors, ("isogloss.calibration", header.to_owned())).unwrap();
    };
    let encode = "encode m corpus.jsonl --out w";
    write("en.std", &header);
    refused(&sandbox, encode, &["m/calibration.safetensors: en.std is missing, but the method is scale"]);
    write("", &header.replace("\"scale\"", "\"shift\""));
    refused(&sandbox, encode, &["m/calibration.safetensors: de.std is there, but the method is shift"]);
    write("", &header.replace("\"scale\"", "\"rotate\""));
    refused(&sandbox, encode, &["m/calibration.safetensors", "rotate"]);
    write("", &header.replace("\"version\":1", "\"version\":2"));
    refused(&sandbox, encode, &["m/calibration.safetensors: calibration version is 2"]);
    sandbox.write("m/calibration.safetensors", &good[..100]);
    refused(&sandbox, encode, &["m/calibration.safetensors", "not a safetensors file"]);
    sandbox.write("m/calibration.safetensors", &good);
    sandbox.ok(encode);
}
