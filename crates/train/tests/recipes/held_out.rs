//! A generator is watched by the likelihood of held-out queries, and the best one kept.

use isogloss_model::{Seq2Seq, fill_prompt};
use isogloss_train::{HeldOut, Likelihood};

use super::*;

/// Pairs in two languages that training never sees: the Swahili queries of four passages, and two English ones.
pub fn write(folder: &Folder) {
    let query = |i: usize| {
        let (text, lang) = if i < 4 { (SWAHILI[i], "sw") } else { (ENGLISH[i], "en") };
        serde_json::json!({"_id": format!("q{i}"), "text": text, "lang": lang})
    };
    folder.write("held_queries.jsonl", &jsonl((0..6).map(query)));
    let doc = |i: usize| serde_json::json!({"_id": format!("d{i}"), "title": "", "text": PASSAGES[(i + 1) % 8]});
    folder.write("held_corpus.jsonl", &jsonl((0..6).map(doc)));
    folder.write(
        "held_qrels.tsv",
        &(0..6).map(|i| format!("q{i} 0 d{i} 1\nq{i} 0 d{} 0\n", (i + 1) % 6)).collect::<String>(),
    );
}

/// The recipe with the held-out pairs and more keys of their section.
pub fn watched(keys: &str) -> String {
    let held = "corpus = \"@held_corpus.jsonl\"\nqueries = \"@held_queries.jsonl\"\nqrels = \"@held_qrels.tsv\"\n";
    recipe("query_generation") + &format!("[evaluate]\n{held}{keys}\n")
}

/// Steps, values, whether the best so far, of all evaluations.
fn evaluations(log: &[Value]) -> Vec<(u64, f64, bool)> {
    let lines = log.iter().filter(|line| line.get("measure").is_some());
    lines
        .map(|line| (line["step"].as_u64().unwrap(), line["value"].as_f64().unwrap(), line["best"].as_bool().unwrap()))
        .collect()
}

fn model(folder: &Folder, place: &str) -> Seq2Seq {
    Seq2Seq::load(folder.path(place).to_str().unwrap(), None).unwrap()
}

#[test]
fn the_value_is_the_mean_loss_of_a_token_by_language() {
    let folder = Folder::new();
    write(&folder);
    let log = folder.run("out", 2, &watched("every = 1\nmeasure = \"loss\"\nkeep_best = false"));
    let line = log.last().unwrap();
    assert_eq!((&line["measure"], line["step"].as_u64()), (&Value::from("loss"), Some(2)));
    let model = model(&folder, "out/model");
    // By hand, one pair after the other.
    let nats = |of: &[usize], lang: &str| {
        let (mut sum, mut tokens) = (0.0, 0);
        for i in of {
            let prompt = fill_prompt(model.prompt().unwrap(), lang.parse().ok()).unwrap();
            let passage = model.tokenize(&[&format!("{prompt}{}", PASSAGES[(i + 1) % 8])]).unwrap();
            let text = if lang == "sw" { SWAHILI[*i] } else { ENGLISH[*i] };
            let query = model.tokenize_targets(&[text], 32).unwrap();
            sum += f64::from(model.loss(&passage, &query, 0, 0.0, None).item()) * query[0].len() as f64;
            tokens += query[0].len();
        }
        sum / tokens as f64
    };
    let (sw, en) = (nats(&[0, 1, 2, 3], "sw"), nats(&[4, 5], "en"));
    for (got, want) in [(&line["by_lang"]["sw"], sw), (&line["by_lang"]["en"], en), (&line["value"], (sw + en) / 2.0)] {
        assert!((got.as_f64().unwrap() - want).abs() < 1e-5, "{line} {want}");
    }
    // Perplexity, the default, is its exponential.
    let config = folder.config("out", 2, &watched("every = 1")).unwrap();
    let evaluate = config.evaluate.clone().unwrap();
    assert_eq!(evaluate.measure.as_deref(), Some("perplexity"));
    let set = HeldOut::load(&evaluate, &Default::default()).unwrap();
    let score = set.score(&model).unwrap();
    assert!((score.value - ((sw + en) / 2.0).exp()).abs() < 1e-3 && score.falls, "{score:?}");
    assert_eq!(score.measure.parse::<Likelihood>().unwrap(), Likelihood::Perplexity);
}

#[test]
fn the_model_of_the_lowest_value_is_kept_and_patience_ends_the_run() {
    let folder = Folder::new();
    write(&folder);
    // Eight pairs are learnt by heart, and others become less likely again.
    let log = folder.run("out", 120, &watched("every = 5\npatience = 2\nmeasure = \"loss\""));
    let told = evaluations(&log);
    let lowest = told.iter().map(|(_, value, _)| *value).fold(f64::INFINITY, f64::min);
    let best: Vec<bool> =
        (0..told.len()).map(|at| told[..at].iter().all(|(_, before, _)| told[at].1 < *before)).collect();
    assert_eq!(best, told.iter().map(|(.., best)| *best).collect::<Vec<_>>());
    assert!(told.len() < 24 && told[told.len() - 3].1 == lowest, "{told:?}");
    let config = folder.config("out", 120, &watched("every = 5\nmeasure = \"loss\"")).unwrap();
    let set = HeldOut::load(&config.evaluate.unwrap(), &Default::default()).unwrap();
    assert_eq!(set.score(&model(&folder, "out/model")).unwrap().value, lowest);
}

#[test]
fn held_out_pairs_that_are_none_are_refused() {
    let folder = Folder::new();
    write(&folder);
    let told = |name: &str, text: &str, keys: &str| {
        write(&folder);
        folder.write(name, text);
        let config = folder.config("out", 1, &watched(keys)).unwrap();
        folder.train(config, false).unwrap_err().to_string()
    };
    let bare = "{\"_id\":\"q0\",\"text\":\"who goes there\"}\n";
    let error = told("held_queries.jsonl", bare, "every = 1");
    assert!(
        error.contains("held_queries.jsonl") && error.contains("who goes there") && error.contains("`lang`"),
        "{error}"
    );
    let error = told("held_qrels.tsv", "q0 0 d9 1\n", "every = 1");
    assert!(
        error.contains("held_qrels.tsv") && error.contains("\"d9\"") && error.contains("held_corpus.jsonl"),
        "{error}"
    );
    let error = told("held_qrels.tsv", "q0 0 d0 0\n", "every = 1");
    assert!(error.contains("no query has a relevant document"), "{error}");
    let error = told("held_corpus.jsonl", "{\"_id\"", "every = 1");
    assert!(error.contains("held_corpus.jsonl:1"), "{error}");
    assert!(!folder.path("out/model").exists());
}
