//! Every option has an effect on what is trained.

use super::*;

/// The losses of three steps.
fn losses(text: &str) -> Vec<f64> {
    Folder::new().run("out", 3, text).iter().map(|line| line["loss"].as_f64().unwrap()).collect()
}

fn each_changes(name: &str, options: &[&str]) {
    let plain = losses(&recipe(name));
    assert_eq!(plain, losses(&recipe(name)), "{name} is not the same twice");
    for option in options {
        assert_ne!(plain, losses(&with(name, option)), "{name}: {option} changes nothing");
    }
}

#[test]
fn of_la_mir() {
    each_changes(
        "la_mir",
        &[
            "semantic_weight = 0.5",
            "language_weight = 0.5",
            "semantic_temperature = 0.1",
            "language_temperature = 0.1",
            "variant = \"one_way\"",
            "variant = \"simclr\"",
            "similarity = \"dot\"",
            "reduction = \"sum\"",
        ],
    );
    let fewer = recipe("la_mir").replace("texts = 8", "texts = 2");
    let longer = recipe("la_mir").replace("unit_tokens = 20", "unit_tokens = 60");
    let plain = losses(&recipe("la_mir"));
    assert!(plain != losses(&fewer) && plain != losses(&longer));
}

#[test]
fn of_clear() {
    each_changes(
        "clear",
        &[
            "alpha = 0.1",
            "beta = 0.5",
            "kl = false",
            "direction = \"forward_to_reverse\"",
            "scale = 5.0",
            "negatives = 1",
        ],
    );
}

#[test]
fn of_ccp() {
    each_changes(
        "ccp",
        &[
            "temperature = 0.2",
            "bidirectional = false",
            "same_side = false",
            "bank_scope = \"mixed\"",
            "head_hidden = 20",
            "head_output = 20",
            "head = { relu = false }",
            "head = { asymmetry = \"after_update\" }",
            "head = { asymmetry = \"none\" }",
            "head = { momentum = 0.5 }",
            "head = { eps = 0.1 }",
        ],
    );
    let plain = losses(&recipe("ccp"));
    for (from, to) in [
        ("bank = 8", "bank = 2"),
        ("warm_up_batches = 5", "warm_up_batches = 0"),
        ("unit_tokens = 2", "unit_tokens = 60"),
    ] {
        let text = recipe("ccp").replace(from, to);
        // With longer units a document is one unit and has no context.
        match to {
            "unit_tokens = 60" => {
                let folder = Folder::new();
                let config = folder.config("out", 1, &text).unwrap();
                let error = folder.train(config, false).unwrap_err().to_string();
                assert!(error.contains("gives no example"), "{error}");
            }
            _ => assert_ne!(plain, losses(&text), "ccp: {to} changes nothing"),
        }
    }
    let documents = recipe("ccp").replace("two_units", "documents");
    let plain = losses(&documents);
    for option in ["window = 1", "mask_windows = false"] {
        let text = documents.replace("name = \"ccp\"", &format!("name = \"ccp\"\n{option}"));
        assert_ne!(plain, losses(&text), "ccp: {option} changes nothing");
    }
}

#[test]
fn of_mlm() {
    each_changes("mlm", &["masked = 0.4", "mask_token = 0.5", "random_token = 0.2", "unit_tokens = 12"]);
}

#[test]
fn of_distill() {
    let options =
        ["follow = \"cosine\"", "follow = \"margin\"", "follow = \"kl\"", "both_sides = false", "projection = true"];
    each_changes("distill", &options);
    let kl = losses(&with("distill", "follow = \"kl\""));
    assert_ne!(kl, losses(&with("distill", "follow = \"kl\"\ntemperature = 0.5")));
    let margin = losses(&with("distill", "follow = \"margin\""));
    assert_ne!(margin, losses(&with("distill", "follow = \"margin\"\nnegatives = 2")));
    assert_eq!(losses(&recipe("distill")), losses(&with("distill", "remember = false")), "remembering changes nothing");
}

#[test]
fn of_query_generation() {
    each_changes("query_generation", &["prompt = \"ask: \"", "max_query_tokens = 3", "label_smoothing = 0.2"]);
}

#[test]
fn of_chunks_which_change_nothing_but_roundings() {
    let projected = with("distill", "projection = true");
    for text in RECIPES.iter().map(|(_, text)| *text).chain([projected.as_str()]) {
        let chunked = text.replace("[batch]\n", "[batch]\nchunk_tokens = 20\n");
        assert_ne!(text, chunked);
        let (plain, chunked) = (losses(text), losses(&chunked));
        // A weight that does not learn in chunks, a recipe's own for example, shows from the second step.
        let near = plain.iter().zip(&chunked).all(|(a, b)| (a - b).abs() < 1e-4 * a.abs());
        assert!(near, "{text}\n{plain:?}\n{chunked:?}");
    }
}

#[test]
fn of_tasks() {
    let two = |first: &str, second: &str| {
        let task = |name: &str, more: &str| {
            recipe(name)
                .replace("[recipe]", &format!("[[task]]\n{more}\n[task.recipe]"))
                .replace("[[data]]", "[[task.data]]")
                .replace("[batch]", "[task.batch]")
        };
        task("contrastive", first) + &task("la_mir", second)
    };
    let plain = losses(&two("", ""));
    assert_ne!(plain, losses(&two("weight = 0.5", "")));
    assert_ne!(plain, losses(&two("share = 0.5", "share = 0.5")));
    let log = Folder::new().run("out", 1, &two("", "name = \"pairs\""));
    assert!(term(&log[0], "contrastive.info_nce") > 0.0 && term(&log[0], "pairs.semantic") > 0.0);
}

#[test]
fn of_matryoshka_dimensions() {
    for name in ["contrastive", "la_mir", "clear", "distill"] {
        let base = if name == "distill" { with(name, "follow = \"kl\"") } else { recipe(name) };
        let cut = base.clone() + "[matryoshka]\ndims = [48, 16]\n";
        let log = Folder::new().run("out", 1, &cut);
        assert!(term(&log[0], "dim48") > 0.0 && term(&log[0], "dim16") > 0.0, "{name}");
        let weighted = base + "[matryoshka]\ndims = [48, 16]\nweights = [1.0, 0.5]\n";
        assert_ne!(losses(&cut), losses(&weighted), "{name}");
    }
}
