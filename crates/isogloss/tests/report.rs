//! `isogloss report` from the outside: results side by side in every form, and what it refuses.

mod common;

use common::{Sandbox, refused, static_run};
use serde_json::Value;

/// A text that would run, were it not escaped.
const PLANTED: &str = "<script>alert('x')</script> & \\\"so\\\"";

/// A pool of English and Arabic documents with questions in both, and runs of two systems judged on it: `old` finds only
/// documents of the question's language, `new` the right ones.
fn judged() -> Sandbox {
    let sandbox = Sandbox::new();
    let (mut corpus, mut queries, mut qrels) =
        (String::new(), String::new(), "query-id\tcorpus-id\tscore\n".to_owned());
    let (mut old, mut new) = (String::new(), String::new());
    for i in 0..12 {
        for (lang, text) in [("en", PLANTED), ("ar", "مرحبا بالعالم")] {
            corpus += &format!("{{\"_id\":\"{lang}-d{i}\",\"text\":\"{text} {i}\",\"lang\":\"{lang}\"}}\n");
            queries += &format!("{{\"_id\":\"{lang}-q{i}\",\"text\":\"{text} ? {i}\",\"lang\":\"{lang}\"}}\n");
            for doc in ["en", "ar"] {
                qrels += &format!("{lang}-q{i}\t{doc}-d{i}\t1\n");
            }
            old += &format!("{lang}-q{i} Q0 {lang}-d{} 1 2 t\n{lang}-q{i} Q0 {lang}-d{i} 2 1 t\n", (i + 1) % 12);
            new += &format!("{lang}-q{i} Q0 en-d{i} 1 2 t\n{lang}-q{i} Q0 ar-d{i} 2 1 t\n");
        }
    }
    for (name, text) in [("corpus.jsonl", corpus), ("queries.jsonl", queries), ("qrels.tsv", qrels)] {
        sandbox.write(&format!("beir/{name}"), text);
    }
    sandbox.write("old.trec", old);
    sandbox.write("new.trec", new);
    for name in ["old", "new"] {
        sandbox.ok(&format!("benchmark beir --data beir --run {name}.trec --out o/{name}"));
    }
    sandbox
}

/// Whether every element that opens closes in its place, as in XML.
fn is_well_formed(html: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html.strip_prefix("<!DOCTYPE html>").ok_or("no doctype")?;
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        if text.contains('>') && open.last() != Some(&"style") {
            return Err(format!("a bare > in {text:?}"));
        }
        let end = rest[start..].find('>').ok_or("a tag without end")? + start;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if tag.matches('"').count() % 2 == 1 || tag.contains('<') {
            return Err(format!("a broken tag <{tag}>"));
        }
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        match tag {
            _ if tag.ends_with('/') => {}
            _ if tag.starts_with('/') => match open.pop() {
                Some(last) if last == name => {}
                last => return Err(format!("</{name}> closes {last:?}")),
            },
            _ => open.push(name),
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("left open: {open:?}")) }
}

#[test]
fn a_page_holds_everything_and_escapes_it() {
    let sandbox = judged();
    sandbox.ok("report new=o/new --baseline <b>&old=o/old --out r.html");
    let html = String::from_utf8(sandbox.read("r.html")).unwrap();
    is_well_formed(&html).unwrap();
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;alert(&#39;x&#39;)"), "{html}");
    assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("url("), "not self-contained");
    assert!(html.contains("&lt;b&gt;&amp;old"), "a system's name is text too");
    for told in [
        "prefers-color-scheme: dark",
        "@media print",
        "<svg role=\"img\"",
        "class=\"whisker\"",
        "nDCG@10: new against",
        "<span class=\"good\">higher</span>",
        "<p class=\"query\" dir=\"auto\" lang=\"ar\">مرحبا بالعالم ? ",
        "Query languages by document languages",
        "<title>ar → en: ",
        "xxh3",
    ] {
        assert!(html.contains(told), "{told}");
    }
    sandbox.ok("report new=o/new --baseline <b>&old=o/old --out again.html");
    assert_eq!(sandbox.read("again.html"), html.as_bytes());
}

#[test]
fn one_result_is_shown_without_comparison() {
    let sandbox = judged();
    let html = sandbox.ok("report o/new");
    is_well_formed(&html).unwrap();
    assert!(!html.contains("against") && html.contains(">beir</th>"), "{html}");
}

#[test]
fn csv_and_markdown_and_mtebs_json() {
    let sandbox = judged();
    let csv = sandbox.ok("report o/old o/new --format csv");
    let row = csv.lines().find(|line| line.starts_with("beir,all,o/new,ar,12,nDCG@10,")).unwrap();
    let cells: Vec<&str> = row.split(',').collect();
    let value = |at: usize| cells[at].parse::<f64>().unwrap();
    assert_eq!((cells.len(), cells[9], value(6)), (14, "o/old", 1.0));
    // Rank 2 of two right ones: (1 / log2 3) / (1 + 1 / log2 3).
    let old = 1.0 / 3f64.log2() / (1.0 + 1.0 / 3f64.log2());
    assert!((value(10) - (1.0 - old)).abs() < 1e-12 && value(13) < 0.01, "{row}");
    let markdown = sandbox.ok("report o/old o/new --format markdown");
    assert!(markdown.contains("| ar ") && markdown.contains("## beir") && markdown.contains("higher"), "{markdown}");
    assert!(!markdown.contains("<script"), "{markdown}");
    sandbox.ok("report a=o/old b=o/new --format json --out mteb");
    let files: Vec<_> = sandbox.files("mteb").into_iter().filter(|(path, _)| path.ends_with("beir.json")).collect();
    assert_eq!(files.len(), 2);
    for (path, bytes) in files {
        let task: Value = serde_json::from_slice(&bytes).unwrap();
        let scores = &task["scores"]["test"];
        assert_eq!((&task["task_name"], scores.as_array().unwrap().len()), (&"beir".into(), 2));
        assert_eq!(
            (&scores[0]["hf_subset"], &scores[0]["languages"]),
            (&"ar".into(), &serde_json::json!(["ara-Arab"]))
        );
        assert_eq!(scores[0]["main_score"], scores[0]["ndcg_at_10"]);
        assert!(path.with_file_name("model_meta.json").exists());
    }
    sandbox.ok("report o/old --out r.json");
    let list: Value = serde_json::from_slice(&sandbox.read("r.json")).unwrap();
    assert_eq!(list[0]["task_name"], "beir");
}

#[test]
fn a_log_becomes_curves() {
    let sandbox = judged();
    let step = |step: usize| {
        format!("{{\"step\":{step},\"loss\":{}.5,\"terms\":{{\"c.nce\":1.0}},\"epoch\":0.1}}\n", 9 - step)
    };
    sandbox.write(
        "t/log.jsonl",
        format!("{}{}{{\"step\":2,\"measure\":\"acc<1\",\"value\":0.5,\"best\":true}}\n{{\"st", step(1), step(2)),
    );
    let html = sandbox.ok("report o/new --log first=t --log t/log.jsonl");
    is_well_formed(&html).unwrap();
    assert_eq!(html.matches("<polyline").count(), 2 * 3, "loss, a term and a measure of two logs");
    assert!(html.contains("acc&lt;1") && html.contains("<li><svg") && html.contains("first</li>"), "{html}");
    sandbox.write("bad.jsonl", format!("{}{{\"loss\":1}}\n", step(1)));
    refused(&sandbox, "report o/new --log bad.jsonl", &["bad.jsonl", "line 2", "`step`"]);
    sandbox.write("empty.jsonl", "");
    refused(&sandbox, "report o/new --log empty.jsonl", &["empty.jsonl", "no step"]);
}

#[test]
fn a_calibrated_model_is_pictured_before_and_after() {
    let sandbox = Sandbox::with_data();
    sandbox.write("s.toml", static_run("s", 30));
    sandbox.ok("train s.toml");
    sandbox.copy(&sandbox.path("s/model"), "m");
    let copy = |from: &str, to: &str| sandbox.write(to, sandbox.read(from));
    ["corpus.jsonl", "queries.jsonl", "qrels.tsv"].iter().for_each(|name| copy(name, &format!("beir/{name}")));
    sandbox.ok("benchmark beir --data beir --model m --out o");
    refused(&sandbox, "report o --calibration m --text queries.jsonl corpus.jsonl", &["m", "not calibrated"]);
    sandbox.ok("calibrate m --min-texts 40 --text queries.jsonl corpus.jsonl");
    refused(&sandbox, "report o --calibration m", &["--text"]);
    sandbox.write("fi.txt", "yksi\nkaksi\nkolme\n");
    refused(&sandbox, "report o --calibration m --text fi=fi.txt", &["fi.txt", "fi"]);
    let html = sandbox.ok("report o --calibration m --text queries.jsonl corpus.jsonl --sample 20");
    is_well_formed(&html).unwrap();
    assert!(html.contains("40 sentences in 2 languages, calibration by scale"), "{html}");
    let told = html.split("Variance between the languages: ").nth(1).unwrap();
    let share = |part: &str| part.trim().split(' ').next().unwrap().parse::<f64>().unwrap();
    let (before, after) = told.split_once(", ").unwrap();
    assert!(share(before) > share(after), "{told}");
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let sandbox = judged();
    refused(&sandbox, "report nowhere", &["nowhere", "result.json"]);
    refused(&sandbox, "report o/new a=o/new b=o/old a=o/old", &["second result of beir"]);
    refused(&sandbox, "report o/new --out o", &["o", "folder"]);
    refused(&sandbox, "report o/new --format json --out new.trec", &["new.trec", "is a file"]);
    refused(&sandbox, "report o/new --format pdf", &["--format"]);
    sandbox.write("broken/result.json", "{\"benchmark\": 3}");
    refused(&sandbox, "report broken", &["result.json", "judge again"]);
    sandbox.copy(&sandbox.path("o/new"), "half");
    std::fs::remove_file(sandbox.path("half/per_query.jsonl")).unwrap();
    refused(&sandbox, "report half o/old", &["per_query.jsonl"]);
    sandbox.copy(&sandbox.path("o/new"), "odd");
    sandbox.write("odd/worst.jsonl", "{}\n");
    refused(&sandbox, "report odd", &["worst.jsonl", "line 1"]);
}

#[test]
fn other_collections_are_tasks_of_their_own() {
    let sandbox = judged();
    sandbox.copy(&sandbox.path("beir"), "xq_r");
    sandbox.ok("benchmark beir --data xq_r --run new.trec --out o/other");
    let html = sandbox.ok("report o/new o/other");
    assert!(
        html.contains("<h2>beir</h2>") && html.contains("<h2>beir xq_r</h2>") && !html.contains("against"),
        "{html}"
    );
    sandbox.write("beir/README.md", "read");
    sandbox.ok("benchmark beir --data beir --run new.trec --out o/later");
    assert!(sandbox.ok("report o/new o/later").contains("not of one revision"));
}

#[test]
fn other_questions_are_not_compared() {
    let sandbox = judged();
    sandbox.ok("benchmark beir --data beir --run old.trec --lang ar --out o/part");
    let html = sandbox.ok("report o/new o/part");
    assert!(html.contains("Not compared: ") && html.contains("not compared</td>"), "{html}");
}
