//! The doctor on files of every format: what they hold, their rows, and where faults are told.

use isogloss_ir::Error;
use isogloss_ir::doctor::{Check, Diagnosis, Finding, Input, Limit, Options, examine};
use std::fs;
use std::path::Path;

/// Examines files of one folder, of which those named `test…` are to be tested with.
fn examined(files: &[(&str, &[u8])], names: &[&str], options: &Options<'_>) -> Diagnosis {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let input =
        |name: &&str| Input { path: folder.path().join(name), test: name.starts_with("test"), ..Input::default() };
    let inputs: Vec<Input> = names.iter().map(input).collect();
    examine(&inputs, options, &mut |_, _| {}).unwrap()
}

fn one(name: &str, text: &str) -> Diagnosis {
    examined(&[(name, text.as_bytes())], &[name], &Options::default())
}

fn told(diagnosis: &Diagnosis) -> Vec<(Check, Vec<usize>)> {
    let lines = |finding: &Finding| finding.examples.iter().map(|example| example.line).collect();
    diagnosis.findings.iter().map(|finding| (finding.check, lines(finding))).collect()
}

#[test]
fn every_format_is_told_and_its_rows_are_counted() {
    let cases = [
        ("c.jsonl", "{\"_id\":\"1\",\"title\":\"T\",\"text\":\"x\"}\n", "corpus"),
        ("queries.jsonl", "{\"_id\":\"1\",\"text\":\"x\"}\n", "queries"),
        ("dev.jsonl", "{\"_id\":\"1\",\"text\":\"x\",\"answers\":[]}\n", "queries"),
        ("c.tsv", "1\tT\tx\n", "corpus"),
        ("topics.tsv", "1\tx y\n", "queries"),
        ("c.csv", "docid,title,text\n1,T,\"x\ny\"\n", "corpus"),
        ("a.txt", "x y\n", "texts"),
        ("a.jsonl", "{\"id\":\"1\",\"paras\":[[\"h\",\"x\"]]}\n", "documents"),
        ("a.jsonl", "{\"lang\":\"sw\",\"text\":\"x\"}\n", "documents"),
        ("a.tsv", "src_lang\ttgt_lang\tsrc\ttgt\nsw\ten\tx\ty\n", "pairs"),
        ("a.tsv", "lang\tidx\tsrc\teng\nfi\t0\tx\ty\n", "pairs"),
        ("a.tsv", "1.2\tx\ty\n", "pairs"),
        ("a.tsv", "12\tx\t13\ty\n", "pairs"),
        ("a.tsv", "lang\tidx\ttext\nfi\t0\tx\n", "parallel"),
        ("a.jsonl", "{\"id\":\"1\",\"pos\":0,\"text\":{\"en\":\"x\",\"sw\":\"y\"}}\n", "parallel"),
        ("a.jsonl", "{\"query\":\"q\",\"pos\":[\"p\"],\"neg\":[]}\n", "flag-embedding"),
        ("a.jsonl", "{\"anchor\":\"q\",\"positive\":\"p\"}\n", "sentence-transformers"),
        ("a.jsonl", "{\"anchor\":\"q\",\"positive\":\"p\",\"cross_anchor\":\"k\"}\n", "clear"),
        (
            "a.jsonl",
            "{\"query_id\":\"1\",\"query\":\"q\",\"positive_passages\":[{\"docid\":\"1\",\"text\":\"p\"}]}\n",
            "tevatron",
        ),
        ("a.json", "[{\"question\":\"q\",\"positive_ctxs\":[{\"title\":\"\",\"text\":\"p\"}]}]", "dpr"),
        ("a.json", "{\"data\":[{\"paragraphs\":[{\"context\":\"c\",\"qas\":[{\"question\":\"q\"}]}]}]}", "squad"),
        ("a.tsv", "a query\ta text\tanother\n", "ms-marco-triples"),
        ("a.tsv", "1\t2\t3\n", "ms-marco-triples"),
        ("q.txt", "1 0 d 1\n", "qrels"),
        ("q.tsv", "query-id\tcorpus-id\tscore\n1\td\t1\n", "qrels"),
        ("r.txt", "1 Q0 d 1 0.5 t\n", "run"),
    ];
    for (name, text, kind) in cases {
        let diagnosis = one(name, text);
        let file = &diagnosis.files[0];
        assert_eq!((file.kind.unwrap().to_string().as_str(), file.rows), (kind, 1), "{text}");
        assert!(diagnosis.findings.is_empty(), "{text}: {:?}", told(&diagnosis));
    }
}

#[test]
fn reading_goes_on_after_a_row_that_cannot_be_read() {
    let text = b"{\"_id\":\"1\",\"text\":\"x\"}\n{\"_id\":\n\xff\n\n{\"_id\":\"1\",\"text\":7}\n{\"_id\":\"1\",\"text\":\"z\"}\n";
    let diagnosis = examined(&[("c.jsonl", text)], &["c.jsonl"], &Options::default());
    let want = [
        (Check::NotUtf8, vec![3]),
        (Check::Malformed, vec![2]),
        (Check::Shape, vec![5]),
        (Check::DuplicateId, vec![5, 6]),
    ];
    assert_eq!(told(&diagnosis), want);
    assert_eq!((diagnosis.files[0].rows, diagnosis.stops()), (5, true));
    let diagnosis = one("p.tsv", "src\ttgt\na\tb\na\nc\td\ne\t \n");
    assert_eq!(told(&diagnosis), [(Check::Shape, vec![3]), (Check::EmptyPair, vec![5])]);
}

#[test]
fn ids_are_looked_up_in_the_files_they_belong_to() {
    let files: [(&str, &[u8]); 7] = [
        ("a/corpus.tsv", b"d1\tx\n"),
        ("a/queries.tsv", b"q1\tx\nq2\ty\n"),
        ("a/qrels/test.tsv", b"query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t1\n"),
        ("b/corpus.tsv", b"d2\ty\n"),
        ("run.txt", b"q1 Q0 d2 1 1 t\nq1 Q0 d3 1 1 t\nq9 Q0 d1 1 1 t\n"),
        ("ids.tsv", b"1\t2\t3\n"),
        ("c.tsv", b"2\tx\n"),
    ];
    let diagnosis = examined(&files, &["run.txt", "a", "b"], &Options::default());
    // d2 is of another set for a's judgements, but a run may be of either.
    let want = [
        (Check::RunDocUnknown, vec![2]),
        (Check::RunQueryUnknown, vec![3]),
        (Check::UnknownDoc, vec![3]),
        (Check::Unjudged, vec![2]),
    ];
    assert_eq!(told(&diagnosis), want);
    let diagnosis = examined(&files, &["ids.tsv", "c.tsv"], &Options::default());
    assert_eq!(told(&diagnosis), [(Check::UnknownDoc, vec![1])]);
}

#[test]
fn moses_files_are_read_side_by_side() {
    let files: [(&str, &[u8]); 2] = [("news.en", b"one\n\nthree\n"), ("news.sw", b"moja\nmbili\ntatu\n")];
    let diagnosis = examined(&files, &["news"], &Options::default());
    assert_eq!(told(&diagnosis), [(Check::EmptyPair, vec![2])]);
    assert_eq!(diagnosis.files[0].texts, [("en".to_owned(), 2), ("sw".to_owned(), 3)].into());
    let files: [(&str, &[u8]); 2] = [("news.en", b"one\n"), ("news.sw", b"moja\nmbili\n")];
    assert_eq!(told(&examined(&files, &["news"], &Options::default())), [(Check::Unreadable, vec![1])]);
}

#[test]
fn test_texts_are_found_in_training_texts_exactly_or_nearly() {
    let question = "Which river flows through the old capital of the northern kingdom?";
    let train = format!("{question}\tx\n{}\ty\nWhich river is the longest?\tz\n", question.replace('?', " today?"));
    let files = [("train.tsv", train.as_bytes()), ("test.txt", question.as_bytes())];
    let diagnosis = examined(&files, &["train.tsv", "test.txt"], &Options::default());
    assert_eq!(told(&diagnosis), [(Check::TestInTraining, vec![1]), (Check::TestNearTraining, vec![2])]);
    assert!(diagnosis.files[0].test, "test data are read first");
}

#[test]
fn long_texts_are_counted_by_language() {
    let words = |text: &str| text.split(' ').count();
    let options = Options { limit: Some(Limit { tokens: 3, count: &words }), ..Options::default() };
    let text = "src_lang\ttgt_lang\tsrc\ttgt\nen\tsw\ta b c d\tx y\nen\tsw\ta b\tx y z\n";
    let diagnosis = examined(&[("a.tsv", text.as_bytes())], &["a.tsv"], &options);
    let cut: Vec<_> = diagnosis.findings.iter().map(|f| (f.check, f.detail.as_str(), f.found, f.of)).collect();
    assert_eq!(cut, [(Check::Truncated, "in en", 1, 2)]);
}

#[test]
fn a_language_named_without_any_text_is_empty() {
    let diagnosis = one("a.jsonl", "{\"text\":{\"en\":\"x\",\"sw\":\"\"}}\n{\"text\":{\"en\":\"y\",\"sw\":null}}\n");
    let empty = &diagnosis.findings[0];
    assert_eq!((empty.check, empty.detail.as_str(), empty.found), (Check::EmptyLanguage, "sw", 2));
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let inputs = [Input { path: Path::new("none.jsonl").into(), ..Input::default() }];
    let error = examine(&inputs, &Options::default(), &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}
