//! Language bias of a merged pool against figures computed by numpy.

use isogloss_ir::protocol::Score;
use isogloss_ir::{DocId, Lang, Pool, Qrels, QueryId, Run, language_bias};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

const TOLERANCE: f64 = 1e-12;

fn golden() -> (Value, Value) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/protocols");
    let json = |name: &str| serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap();
    (json("pool.json"), json("pool_vectors.json"))
}

fn vectors(list: &Value) -> Vec<Vec<f64>> {
    let row = |row: &Value| row.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    list.as_array().unwrap().iter().map(row).collect()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// All documents by cosine, ties to the smaller id; scores are minus ranks, which a run keeps in order.
fn ranking(query: &[f64], docs: &[(DocId, Vec<f64>)]) -> Vec<(DocId, f32)> {
    let mut all: Vec<(f64, &DocId)> = docs.iter().map(|(id, doc)| (cosine(query, doc), id)).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    all.into_iter().zip(1i16..).map(|((_, id), rank)| (id.clone(), -f32::from(rank))).collect()
}

struct Set {
    run: Run,
    qrels: Qrels,
    langs: BTreeMap<QueryId, Lang>,
    pool: Pool,
    expected: Value,
}

fn set() -> Set {
    let (json, stored) = golden();
    let text = |value: &Value, key: &str| value[key].as_str().unwrap().to_owned();
    let lang = |value: &Value| text(value, "lang").parse::<Lang>().unwrap();
    let entries = |key: &str| json[key].as_array().unwrap().clone();
    let docs: Vec<(DocId, Vec<f64>)> =
        entries("documents").iter().map(|doc| text(doc, "id")).zip(vectors(&stored["documents"])).collect();
    let (mut run, mut qrels, mut pool) = (Run::new(), Qrels::default(), Pool::default());
    for doc in entries("documents") {
        pool.insert(text(&doc, "id"), lang(&doc));
    }
    for (query, vector) in entries("queries").iter().zip(vectors(&stored["queries"])) {
        run.insert(text(query, "id"), ranking(&vector, &docs)).unwrap();
        for doc in entries("documents").iter().filter(|doc| doc["answers_question"] == query["question"]) {
            qrels.insert(text(query, "id"), text(doc, "id"), 1);
        }
    }
    let langs = entries("queries").iter().map(|query| (text(query, "id"), lang(query))).collect();
    Set { run, qrels, langs, pool, expected: json["language_bias"].clone() }
}

fn assert_near(got: f64, want: &Value, what: &str) {
    assert!((got - want.as_f64().unwrap()).abs() < TOLERANCE, "{what}: got {got}, want {want}");
}

#[test]
fn every_figure_is_numpys() {
    let Set { run, qrels, langs, pool, expected } = set();
    let bias = language_bias(&run, &qrels, &langs, &pool, expected["k"].as_u64().unwrap() as usize).unwrap();
    for (lang, share) in expected["pool_share"].as_object().unwrap() {
        let (lang, code): (Lang, _) = (lang.parse().unwrap(), lang);
        let of_lang = &bias.by_query_lang[&lang];
        let same = &expected["same_language_share_by_query_language"][code];
        assert_near(bias.pool_share[&lang], share, "pool share");
        assert_near(of_lang.same_language_share, same, "same");
        assert_near(bias.matrix[&lang][&lang].share, same, "matrix");
        assert_near(of_lang.bias_ratio.unwrap(), &expected["bias_ratio_by_query_language"][code], "ratio");
        assert_near(bias.share_in_top_k[&lang], &expected["share_of_each_language_in_top_k"][code], "top k");
    }
    let translations = bias.translations.unwrap();
    for (got, name) in [
        (bias.bias_ratio, "bias_ratio_macro"),
        (bias.rank_gap_same_vs_other, "rank_gap_same_vs_other"),
        (translations.rank_gap_mean_abs, "rank_gap_between_translations_mean_abs"),
        (translations.first_gold_rank_gap, "first_gold_rank_gap_max_minus_min_mean"),
        (Some(translations.overlap_at_k), "overlap_at_k_between_translations"),
    ] {
        assert_near(got.unwrap(), &expected[name], name);
    }
}

#[test]
fn average_precision_over_merged_and_own_pools() {
    let Set { run, qrels, langs, pool, .. } = set();
    let expected = golden().0["merged_pool"].clone();
    let whole = Score::Measure("AP".parse().unwrap());
    let mean = |score: Score, counts: &dyn Fn(&str, &str) -> bool, of: Option<Lang>| {
        let mut values = Vec::new();
        for (query, judged) in qrels.iter().filter(|(query, _)| of.is_none_or(|lang| langs[*query] == lang)) {
            let hits: Vec<_> = run.get(query).unwrap().iter().filter(|(doc, _)| counts(query, doc)).cloned().collect();
            let judged: BTreeMap<DocId, i32> =
                judged.iter().filter(|(doc, _)| counts(query, doc)).map(|(doc, grade)| (doc.clone(), *grade)).collect();
            values.extend((!judged.is_empty()).then(|| score.of(&hits, &judged)));
        }
        values.iter().sum::<f64>() / values.len() as f64
    };
    let at_20 = Score::TruncatedAp { k: 20 };
    assert_near(mean(whole, &|_, _| true, None), &expected["mAP_all"], "mAP");
    assert_near(mean(at_20, &|_, _| true, None), &expected["mAP@20"], "mAP@20");
    let own = |query: &str, doc: &str| pool.lang(doc).unwrap() == langs[query];
    for (code, want) in expected["mAP@20_by_query_language"].as_object().unwrap() {
        let lang = Some(code.parse().unwrap());
        assert_near(mean(at_20, &|_, _| true, lang), want, code);
        assert_near(mean(whole, &own, lang), &expected["mAP_monolingual_pool"][code], code);
    }
    for (query, want) in expected["AP@20_per_query"].as_object().unwrap() {
        assert_near(at_20.of(run.get(query).unwrap(), qrels.get(query).unwrap()), want, query);
    }
}
