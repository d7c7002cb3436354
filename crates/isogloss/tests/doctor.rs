//! `isogloss doctor` from the outside: faults planted one by one in real data, and none in the data as they are.

mod common;

use common::{Sandbox, refused};
use isogloss_ir::doctor::Check;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// A file of the bundled data as text.
fn bundled(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data").join(name);
    String::from_utf8(zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap()).unwrap()
}

fn records(text: &str) -> impl Iterator<Item = Value> + '_ {
    text.lines().map(|line| serde_json::from_str(line).unwrap())
}

/// A small part of the bundled data: `set` (XQuAD-R in five languages, with a run), `train.jsonl` (English examples) and
/// `pairs.tsv` (translations).
fn sample() -> Sandbox {
    let sandbox = Sandbox::new();
    let of_first = |id: &str| ["a0", "a3", "a6"].iter().any(|article| id[3..].split('p').next() == Some(article));
    let corpus = bundled("eval/xquad_r/corpus.jsonl.zst");
    let kept: Vec<&str> = corpus
        .lines()
        .filter(|line| of_first(serde_json::from_str::<Value>(line).unwrap()["_id"].as_str().unwrap()))
        .collect();
    sandbox.write("set/corpus.jsonl", kept.join("\n") + "\n");
    let (mut qrels, mut run, mut judged) = (String::new(), String::new(), BTreeSet::new());
    for row in bundled("eval/xquad_r/qrels.tsv.zst").lines() {
        let [query, doc, _] = row.split('\t').collect::<Vec<_>>()[..].try_into().unwrap();
        if query == "query-id" || of_first(doc) {
            qrels += &format!("{row}\n");
        }
        if query != "query-id" && of_first(doc) {
            judged.insert(query.to_owned());
            run += &format!("{query} Q0 {doc} 1 1.0 t\n");
        }
    }
    let queries = bundled("eval/xquad_r/queries.jsonl.zst");
    let asked = queries
        .lines()
        .filter(|line| judged.contains(serde_json::from_str::<Value>(line).unwrap()["_id"].as_str().unwrap()));
    sandbox.write("set/queries.jsonl", asked.map(|line| format!("{line}\n")).collect::<String>());
    sandbox.write("set/qrels.tsv", qrels);
    sandbox.write("run.trec", run);
    let (queries, corpus) = (bundled("train/english/queries.jsonl.zst"), bundled("train/english/corpus.jsonl.zst"));
    let passages: Vec<Value> = records(&corpus).take(60).collect();
    let examples = records(&queries).take(50).enumerate().map(|(at, query)| {
        let [pos, neg] = [&passages[at], &passages[at + 9]];
        let row = json!({"query": query["text"], "pos": [pos["text"]], "neg": [neg["text"]], "pos_id": [pos["_id"]],
            "neg_id": [neg["_id"]], "lang": "en", "doc_lang": "en"});
        format!("{row}\n")
    });
    sandbox.write("train.jsonl", examples.collect::<String>());
    sandbox.write("pairs.tsv", bundled("train/parallel.tsv.zst").split_inclusive('\n').take(600).collect::<String>());
    sandbox
}

const ALL: &str = "train.jsonl pairs.tsv run.trec --test set";

/// The findings of a call.
fn findings(sandbox: &Sandbox, line: &str) -> (Option<i32>, Vec<Value>) {
    let output = sandbox.run(&format!("doctor {line} --json"));
    let verdict: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{line}: {output:?}"));
    let code = output.status.code();
    assert_eq!(verdict["stops"], Value::Bool(code == Some(1)), "{line}: {code:?}");
    (code, verdict["findings"].as_array().unwrap().clone())
}

/// What a finding is and where.
fn name(finding: &Value) -> (String, String) {
    (finding["check"].as_str().unwrap().to_owned(), finding["path"].as_str().unwrap().to_owned())
}

/// The record in line `number`, counted from 1, changed.
fn record(text: &str, number: usize, change: impl Fn(&mut Value)) -> String {
    line(text, number, |old| {
        let mut record = serde_json::from_str(old).unwrap();
        change(&mut record);
        record.to_string()
    })
}

/// The text with line `number` changed.
fn line(text: &str, number: usize, change: impl Fn(&str) -> String) -> String {
    let changed = |(at, line): (usize, &str)| if at + 1 == number { change(line) } else { line.to_owned() } + "\n";
    text.lines().enumerate().map(changed).collect()
}

/// Every record changed.
fn every(text: &str, change: impl Fn(usize, &mut Value)) -> String {
    let changed = |(at, mut record): (usize, Value)| {
        change(at, &mut record);
        format!("{record}\n")
    };
    records(text).enumerate().map(changed).collect()
}

/// A field put before with `prompt`.
fn prompted(record: &mut Value, field: &str, prompt: &str) {
    record[field] = format!("{prompt}{}", record[field].as_str().unwrap()).into();
}

type Change = Box<dyn Fn(&str) -> Vec<u8>>;

/// A fault: what is to be found, in which file and line, how it is planted, and further arguments.
struct Fault {
    check: Check,
    file: &'static str,
    /// Of the first example; `None` where lines do not matter.
    line: Option<u64>,
    change: Change,
    more: &'static str,
}

fn fault(check: Check, file: &'static str, line: usize, change: impl Fn(&str) -> String + 'static) -> Fault {
    let line = (line > 0).then_some(line as u64);
    Fault { check, file, line, change: Box::new(move |text| change(text).into_bytes()), more: "" }
}

/// A fault of the text of a document.
fn damaged(check: Check, damage: &'static str) -> Fault {
    fault(check, "set/corpus.jsonl", 30, move |text| record(text, 30, |doc| prompted(doc, "text", damage)))
}

fn faults() -> Vec<Fault> {
    use Check::*;
    let (corpus, queries, train, pairs, qrels) =
        ("set/corpus.jsonl", "set/queries.jsonl", "train.jsonl", "pairs.tsv", "set/qrels.tsv");
    let raw = |text: &str, number: usize, bytes: &[u8]| {
        let mut lines: Vec<Vec<u8>> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
        lines[number - 1] = bytes.to_vec();
        lines.join(&b'\n')
    };
    let with = |more: &'static str, fault: Fault| Fault { more, ..fault };
    vec![
        fault(StringForList, train, 5, |text| record(text, 5, |row| row["pos"] = row["pos"][0].clone())),
        fault(PositiveAmongNegatives, train, 7, |text| {
            record(text, 7, |row| row["neg"] = json!([row["neg"][0], row["pos"][0]]))
        }),
        fault(PositiveAmongNegatives, train, 8, |text| record(text, 8, |row| row["neg_id"] = row["pos_id"].clone())),
        fault(EmptyText, train, 4, |text| record(text, 4, |row| row["query"] = " ".into())),
        fault(EmptyText, train, 6, |text| record(text, 6, |row| row["pos"] = json!([]))),
        fault(EmptyText, corpus, 9, |text| record(text, 9, |doc| doc["text"] = "".into())),
        fault(EmptyPair, pairs, 3, |text| line(text, 3, |_| "en\tde\tHello.\t ".into())),
        fault(EmptyId, corpus, 9, |text| record(text, 9, |doc| doc["_id"] = "".into())),
        fault(DuplicateId, corpus, 0, |text| {
            text.to_owned()
                + &record(text, 1, |doc| doc["text"] = "Etwas ganz anderes.".into())
                    .lines()
                    .next()
                    .unwrap()
                    .replace("\"ar\"", "\"de\"")
        }),
        fault(DuplicateText, corpus, 0, |text| {
            text.to_owned() + record(text, 1, |doc| doc["_id"] = "x".into()).lines().next().unwrap()
        }),
        fault(NearDuplicate, corpus, 0, |text| {
            let doc = |doc: &mut Value| {
                (doc["_id"], doc["text"]) = ("x".into(), doc["text"].as_str().unwrap().replacen(' ', " و ", 1).into())
            };
            text.to_owned() + record(text, 1, doc).lines().next().unwrap()
        }),
        with(
            "--query-prompt query:",
            fault(PromptDoubled, train, 1, |text| every(text, |_, row| prompted(row, "query", "query: "))),
        ),
        fault(PromptDoubled, train, 2, |text| record(text, 2, |row| prompted(row, "query", "query: query: "))),
        fault(PromptMixed, train, 1, |text| {
            every(text, |at, row| {
                if at < 10 {
                    prompted(row, "query", "query: ")
                }
            })
        }),
        fault(PromptMixed, train, 41, |text| {
            every(text, |at, row| {
                if at < 40 {
                    prompted(row, "query", "query: ")
                }
            })
        }),
        fault(PromptMixed, train, 1, |text| every(text, |_, row| prompted(row, "query", "query: "))),
        fault(PromptInData, queries, 1, |text| every(text, |_, row| prompted(row, "text", "query: "))),
        fault(WrongLanguage, corpus, 0, |text| text.replace("\"lang\": \"de\"", "\"lang\": \"es\"")),
        fault(WrongLanguage, pairs, 0, |text| text.replace("en\tde\t", "en\tit\t")),
        fault(WrongScript, corpus, 1, |text| record(text, 1, |doc| doc["lang"] = "ru".into())),
        fault(MissingLanguage, corpus, 2, |text| {
            every(text, |at, doc| {
                if at % 5 == 1 {
                    doc.as_object_mut().unwrap().remove("lang");
                }
            })
        }),
        fault(MissingLanguage, corpus, 1, |text| {
            every(text, |_, doc| drop(doc.as_object_mut().unwrap().remove("lang")))
        }),
        with("--langs en,sw", fault(EmptyLanguage, train, 0, str::to_owned)),
        fault(BadLanguage, corpus, 3, |text| record(text, 3, |doc| doc["lang"] = "arabic".into())),
        fault(TestInTraining, train, 51, |text| {
            text.to_owned() + &json!({"query": "How many points did the Panthers defense surrender?", "pos": ["308"], "lang": "en", "doc_lang": "en"}).to_string()
        }),
        fault(TestNearTraining, train, 51, |text| {
            text.to_owned() + &json!({"query": "Wie viele Punkte gab die Verteidigung der Panthers preis??", "pos": ["308"], "lang": "de", "doc_lang": "de"}).to_string()
        }),
        fault(TestDocInTraining, train, 51, |text| {
            let doc = records(&bundled("eval/xquad_r/corpus.jsonl.zst")).next().unwrap();
            text.to_owned()
                + &json!({"query": "منى؟", "pos": [doc["text"]], "lang": "ar", "doc_lang": "ar"}).to_string()
        }),
        with("--tokenizer tokenizer --max-tokens 40", fault(Truncated, corpus, 1, str::to_owned)),
        damaged(ReplacementCharacter, "Verl\u{fffd}sung "),
        damaged(Mojibake, "VerlÃ¶sung "),
        damaged(ControlCharacter, "Verl\u{8}sung "),
        damaged(Entity, "Haus &amp;amp; Hof "),
        damaged(EscapedText, "Verl\\u00f6sung "),
        damaged(ByteOrderMark, "\u{feff}"),
        fault(ByteOrderMark, pairs, 1, |text| format!("\u{feff}{text}")),
        fault(LoneSurrogate, train, 3, |text| {
            line(text, 3, |old| old.replacen("\"query\":\"", "\"query\":\"\\ud83d", 1))
        }),
        Fault {
            change: Box::new(move |text| raw(text, 2, b"en\tde\tHello.\tGr\xfc\xdf Gott.")),
            ..fault(NotUtf8, pairs, 2, str::to_owned)
        },
        fault(Malformed, train, 9, |text| line(text, 9, |old| old[..old.len() / 2].to_owned())),
        fault(Shape, pairs, 5, |text| line(text, 5, |_| "en\tde\tHello.".into())),
        fault(Shape, train, 5, |text| record(text, 5, |row| drop(row.as_object_mut().unwrap().remove("query")))),
        Fault {
            change: Box::new(|text| zstd::encode_all(text.as_bytes(), 1).unwrap()[..900].to_vec()),
            ..fault(Unreadable, train, 0, str::to_owned)
        },
        fault(UnknownDoc, qrels, 2, |text| line(text, 2, |old| old.replace("-a0p0", "-a0p99"))),
        fault(UnknownQuery, qrels, 0, |text| format!("{text}q99\tde-a0p0\t1\n")),
        fault(DuplicateJudgement, qrels, 0, |text| text.to_owned() + text.lines().last().unwrap()),
        fault(NothingRelevant, qrels, 0, |text| text.replace("\t1\n", "\t0\n")),
        fault(Unjudged, queries, 0, |text| {
            text.to_owned() + &json!({"_id": "q99", "text": "Wie heißt der?", "lang": "de"}).to_string()
        }),
        fault(RunDocUnknown, "run.trec", 1, |text| line(text, 1, |old| old.replace("-a0p0", "-a0p99"))),
        fault(RunQueryUnknown, "run.trec", 0, |text| format!("{text}q99 Q0 de-a0p0 1 1 t\n")),
    ]
}

#[test]
fn clean_data_are_called_clean() {
    let sandbox = sample();
    let (code, found) = findings(&sandbox, ALL);
    let names: Vec<_> = found.iter().map(name).collect();
    // The published questions have it.
    assert_eq!((code, names), (Some(0), vec![("duplicate-text".into(), "set/queries.jsonl".into())]));
    assert_eq!(found[0]["stops"], false);
    let text = sandbox.ok("doctor train.jsonl pairs.tsv");
    assert_eq!(text, "2 file(s), 649 rows: nothing wrong was found\n");
}

#[test]
fn every_planted_fault_is_named_with_its_place_and_no_other() {
    let sandbox = Sandbox::with_data();
    let clean = sample();
    for (path, bytes) in clean.files("") {
        sandbox.write(path.strip_prefix(clean.path("")).unwrap().to_str().unwrap(), bytes);
    }
    let known: BTreeSet<_> = findings(&sandbox, ALL).1.iter().map(name).collect();
    let mut missed = Vec::new();
    for Fault { check, file, line, change, more } in faults() {
        let before = String::from_utf8(sandbox.read(file)).unwrap();
        sandbox.write(file, change(&before));
        let (code, found) = findings(&sandbox, &format!("{ALL} {more}"));
        sandbox.write(file, before);
        let new: Vec<&Value> = found
            .iter()
            .filter(|finding| !known.contains(&name(finding)) || finding["check"] == check.name())
            .collect();
        let told = new.iter().find(|finding| name(finding) == (check.name().to_owned(), file.to_owned()));
        let place = told.map(|finding| &finding["examples"][0]["line"]);
        let right = told.is_some() && (line.is_none() || place == line.map(Value::from).as_ref());
        let stops = told.is_some_and(|finding| finding["stops"] == true);
        let follows = match check {
            Check::EmptyId => &["unknown-doc", "run-doc-unknown"][..],
            Check::PromptMixed | Check::PromptDoubled => &["prompt-in-data", "prompt-mixed"],
            _ => &[],
        };
        let alone = |finding: &&Value| follows.iter().chain([&check.name()]).any(|name| finding["check"] == *name);
        let alone = new.iter().all(alone);
        if !right || !alone || stops && code != Some(1) {
            missed.push(format!("{} in {file}: {code:?} {new:#?}", check.name()));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn every_check_has_its_fault_and_its_place_in_the_documentation() {
    let planted: BTreeSet<Check> = faults().iter().map(|fault| fault.check).collect();
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/doctor.md")).unwrap();
    for check in Check::ALL {
        assert!(planted.contains(check), "{}", check.name());
        assert!(page.contains(&format!("| `{}` |", check.name())), "{}", check.name());
    }
    assert!(faults().len() >= 25);
}

#[test]
fn a_run_files_data_are_examined_against_what_it_is_watched_with() {
    let sandbox = sample();
    let data = "[[data]]\npath = \"pairs.tsv\"\nformat = \"parallel\"\nlanguages = [\"de\", \"fi\"]\n";
    let model = "[model.new]\narchitecture = \"static\"\ntokenizer = \"t\"\nhidden_size = 8\n";
    let watched = "[evaluate]\nevery = 5\nparallel = \"pairs.tsv\"\n";
    sandbox.write(
        "run.toml",
        format!("out = \"o\"\n{model}[recipe]\nname = \"contrastive\"\n{data}[schedule]\nsteps = 1\n{watched}"),
    );
    let (code, found) = findings(&sandbox, "run.toml");
    let names: BTreeSet<String> = found.iter().map(|finding| name(finding).0).collect();
    assert_eq!(code, Some(1));
    assert!(["empty-language", "test-in-training"].iter().all(|check| names.contains(*check)), "{names:?}");
    let empty = found.iter().find(|finding| finding["check"] == "empty-language").unwrap();
    assert_eq!(empty["detail"], "fi, which is declared");
}

#[test]
fn tables_tell_places_and_cures() {
    let sandbox = sample();
    let train = String::from_utf8(sandbox.read("train.jsonl")).unwrap();
    sandbox.write("train.jsonl", record(&train, 5, |row| row["pos"] = "x".into()));
    let output = sandbox.run("doctor train.jsonl");
    let text = String::from_utf8(output.stdout).unwrap();
    for part in
        ["1 finding(s)", "string-for-list    stop", "  line 5: field `pos` is a string", "  cure: write [\"…\"]"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(output.status.code(), Some(1));
    let csv = String::from_utf8(sandbox.run("doctor train.jsonl --csv").stdout).unwrap();
    assert_eq!(csv, "finding,weight,found,of,about,in\nstring-for-list,stop,1,50,`pos`,train.jsonl\n");
}

#[test]
fn what_cannot_be_opened_is_refused() {
    let sandbox = sample();
    refused(&sandbox, "doctor none.jsonl", &["none.jsonl", "no such file"]);
    refused(&sandbox, "doctor train.jsonl --max-tokens 5", &["--max-tokens", "--tokenizer"]);
    refused(&sandbox, "doctor train.jsonl --format x", &["flag-embedding"]);
}
