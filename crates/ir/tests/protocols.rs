//! Benchmarks in the layouts that they are published in, small: what is asked of what, and what is right.

use isogloss_ir::protocol::has_answer::{Answer, has_answer};
use isogloss_ir::protocol::{
    Documents, Retrieval, Sentences, Task, beir, belebele, lareqa, miracl, mkqa, mr_tydi, ntrex, squad, tatoeba, xquad,
};
use std::fs;
use std::path::{Path, PathBuf};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|(name, text)| folder.write(name, text.as_bytes()));
        folder
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let packed = if name.ends_with(".zst") { zstd::encode_all(bytes, 1).unwrap() } else { bytes.to_vec() };
        fs::write(path, packed).unwrap();
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// What a task searches: ids and texts.
fn docs(all: &Retrieval, task: &Task) -> Vec<(String, String)> {
    let docs = all.corpora[task.corpus].docs.read().unwrap();
    docs.map(|doc| doc.unwrap()).map(|doc| (doc.id.clone(), doc.full_text().into_owned())).collect()
}

fn tasks(all: &Retrieval) -> Vec<(&str, &str)> {
    all.tasks.iter().map(|task| (task.view, task.name.as_str())).collect()
}

fn relevant(task: &Task, query: &str) -> Vec<String> {
    task.qrels.get(query).unwrap().iter().filter(|(_, grade)| **grade > 0).map(|(doc, _)| doc.clone()).collect()
}

#[test]
fn beir_by_the_queries_languages() {
    let folder = Folder::new(&[
        ("corpus.jsonl.zst", "{\"_id\":\"d\",\"title\":\"T\",\"text\":\"x\"}\n"),
        (
            "queries.jsonl",
            "{\"_id\":\"a\",\"text\":\"?\",\"lang\":\"fi\"}\n{\"_id\":\"b\",\"text\":\"?\"}\n{\"_id\":\"c\",\"text\":\"?\"}\n",
        ),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\na\td\t1\nb\td\t1\n"),
    ]);
    let all = beir::read(folder.path(), None).unwrap();
    assert_eq!((tasks(&all), all.depth()), (vec![("all", "run")], Some(100)));
    let langs = all.langs(&all.tasks[0]).unwrap();
    assert_eq!(langs.values().map(|lang| lang.as_str()).collect::<Vec<_>>(), ["fi", "und"]);
    assert_eq!(docs(&all, &all.tasks[0]), [("d".to_owned(), "T x".to_owned())]);
    assert_eq!(all.full_id(&all.tasks[0], "a"), "a");
}

#[test]
fn mr_tydi_has_a_corpus_a_language() {
    let language = |name: &str| {
        [
            (format!("mrtydi-v1.1-{name}/collection/docs.jsonl.zst"), "{\"id\":\"1#0\",\"contents\":\"T\\n\\nx\"}\n"),
            (format!("mrtydi-v1.1-{name}/topic.test.tsv"), "0\twhy?\n1\thow?\n"),
            (format!("mrtydi-v1.1-{name}/qrels.test.txt"), "0 Q0 1#0 1\n"),
        ]
    };
    let files = [language("finnish"), language("swahili")].concat();
    let folder = Folder::new(&files.iter().map(|(name, text)| (name.as_str(), *text)).collect::<Vec<_>>());
    let all = mr_tydi::read(folder.path()).unwrap();
    assert_eq!(tasks(&all), [("X→X", "fi"), ("X→X", "sw")]);
    assert_eq!(all.scores.iter().map(ToString::to_string).collect::<Vec<_>>(), ["RR@100", "R@100"]);
    assert_eq!((all.queries[1].len(), all.full_id(&all.tasks[1], "0").as_ref()), (1, "sw/0"));
    assert_eq!(mr_tydi::read(&folder.path().join("mrtydi-v1.1-finnish")).unwrap().tasks.len(), 1);
}

#[test]
fn miracl_joins_the_files_of_a_corpus_in_their_order() {
    let doc = |id: usize| format!("{{\"docid\":\"{id}#0\",\"title\":\"T\",\"text\":\"x\"}}\n");
    let folder = Folder::new(&[
        ("miracl-v1.0-sw/topics/topics.miracl-v1.0-sw-dev.tsv", "1\tnini?\n"),
        ("miracl-v1.0-sw/qrels/qrels.miracl-v1.0-sw-dev.tsv", "1\tQ0\t2#0\t1\n1\tQ0\t10#0\t0\n"),
    ]);
    for i in [0, 10, 2] {
        folder.write(&format!("miracl-corpus-v1.0-sw/docs-{i}.jsonl.zst"), doc(i).as_bytes());
    }
    let all = miracl::read(folder.path()).unwrap();
    let ids: Vec<String> = docs(&all, &all.tasks[0]).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["0#0", "2#0", "10#0"]);
    assert_eq!(relevant(&all.tasks[0], "1"), ["2#0"]);
}

/// A file of two articles; texts carry the language.
fn squad_file(lang: &str) -> String {
    let question = |id: &str, start: usize| {
        format!(
            "{{\"id\":\"{id}\",\"question\":\"{lang} {id}?\",\"answers\":[{{\"text\":\"a\",\"answer_start\":{start}}}]}}"
        )
    };
    let paragraph = |n: usize, qas: &[String]| {
        let (first, second) = (format!("{lang} ein Satz {n}."), format!("Noch Äiner {n}."));
        let (context, middle) = (format!("{first} {second}"), first.chars().count());
        format!(
            "{{\"context\":\"{context}\",\"sentences\":[\"{first}\",\"{second}\"],\"sentence_breaks\":[[0,{middle}],[{},{}]],\"qas\":[{}]}}",
            middle + 1,
            context.chars().count(),
            qas.join(",")
        )
    };
    let (one, two) = (paragraph(0, &[question("q0", 0), question("q1", 20)]), paragraph(1, &[question("q2", 3)]));
    format!("{{\"data\":[{{\"title\":\"A\",\"paragraphs\":[{one}]}},{{\"title\":\"B\",\"paragraphs\":[{two}]}}]}}")
}

#[test]
fn xquad_searches_within_and_across_english() {
    let folder = Folder::new(&[]);
    for lang in ["de", "en"] {
        folder.write(&format!("xquad.{lang}.json"), squad_file(lang).as_bytes());
    }
    let all = xquad::read(folder.path()).unwrap();
    assert_eq!(tasks(&all), [("X→X", "de-de"), ("X→X", "en-en"), ("X→en", "en-de"), ("en→X", "de-en")]);
    let (to_english, from_english) = (&all.tasks[2], &all.tasks[3]);
    assert_eq!(relevant(to_english, "de-q2"), ["en-a1p0"]);
    assert_eq!(relevant(from_english, "en-q1"), ["de-a0p0"]);
    assert_eq!(all.langs(from_english).unwrap().into_values().next().unwrap().as_str(), "de");
    assert!(docs(&all, from_english)[0].1.starts_with("de ein Satz 0. Noch"));
}

#[test]
fn squad_takes_one_file_or_a_language_each() {
    let folder = Folder::new(&[("dev-v1.1.json", &squad_file("en"))]);
    let all = squad::read(&folder.path().join("dev-v1.1.json"), None).unwrap();
    assert_eq!((tasks(&all), all.tasks[0].lang.unwrap().as_str()), (vec![("X→X", "run")], "und"));
    folder.write("xquad.fi.json", squad_file("fi").as_bytes());
    assert_eq!(tasks(&squad::read(folder.path(), None).unwrap()), [("X→X", "0-und"), ("X→X", "1-fi")]);
}

#[test]
fn lareqa_has_a_right_sentence_in_every_language() {
    let folder = Folder::new(&[]);
    for lang in ["de", "en", "fi"] {
        folder.write(&format!("xquad-r/{lang}.json"), squad_file(lang).as_bytes());
    }
    let all = lareqa::read(folder.path()).unwrap();
    let own = "own language's pool";
    assert_eq!(tasks(&all), [("merged pool", "merged"), (own, "de"), (own, "en"), (own, "fi")]);
    assert_eq!((docs(&all, &all.tasks[0]).len(), all.depth()), (12, None));
    assert_eq!(relevant(&all.tasks[0], "de-q1"), ["de-a0p0s1", "en-a0p0s1", "fi-a0p0s1"]);
    assert_eq!(relevant(&all.tasks[2], "en-q0"), ["en-a0p0s0"]);
    assert!(all.tasks[2].qrels.get("de-q0").is_none());
    let text = &docs(&all, &all.tasks[0])[1].1;
    assert_eq!(text, "Noch Äiner 0. de ein Satz 0. Noch Äiner 0.");
}

#[test]
fn belebele_keys_passages_by_their_link() {
    let folder = Folder::new(&[]);
    for lang in ["eng_Latn", "swh_Latn"] {
        let row = |link: &str, n: usize| {
            format!(
                "{{\"link\":\"{link}\",\"question_number\":{n},\"flores_passage\":\"{lang} {link}\",\"question\":\"{lang} {n}?\"}}\n"
            )
        };
        folder.write(
            &format!("{lang}.jsonl"),
            [row("http://a", 1), row("http://a", 2), row("http://b", 1)].concat().as_bytes(),
        );
    }
    let all = belebele::read(folder.path()).unwrap();
    let names = ["eng-Latn-eng-Latn", "swh-Latn-swh-Latn", "eng-Latn-swh-Latn", "swh-Latn-eng-Latn"];
    assert_eq!(all.tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>(), names);
    assert_eq!((docs(&all, &all.tasks[2]).len(), all.queries[1].len()), (2, 3));
    assert_eq!(relevant(&all.tasks[2], "swh-Latn-http://a#2"), ["eng-Latn-http://a"]);
}

fn pair<'a>(all: &'a Sentences, lang: &str) -> (&'a [String], &'a [String]) {
    let pair = all.pairs.iter().find(|pair| pair.lang.as_str() == lang).unwrap();
    (&all.sides[pair.foreign].texts, &all.sides[pair.pivot].texts)
}

#[test]
fn tatoeba_in_both_forms() {
    let folder = Folder::new(&[
        ("v1/tatoeba.fin-eng.fin", "yksi\nkaksi\n"),
        ("v1/tatoeba.fin-eng.eng", "one\ntwo\n"),
        ("all.tsv", "lang\tidx\tsrc\teng\nfin\t0\tyksi\tone\nfin\t1\tkaksi\ttwo\nswh\t0\tmoja\tone\n"),
    ]);
    for place in ["v1", "", "all.tsv"] {
        let all = tatoeba::read(&folder.path().join(place)).unwrap();
        assert_eq!(
            pair(&all, "fin"),
            (&["yksi".to_owned(), "kaksi".into()][..], &["one".to_owned(), "two".into()][..])
        );
        assert_eq!((all.groups[0].1.len(), all.groups[1].1.len()), (36, 14));
    }
    folder.write("v1/tatoeba.fin-eng.eng", b"one\n");
    let error = tatoeba::read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("tatoeba.fin-eng.eng:1: the file ends here but"), "{error}");
}

#[test]
fn ntrex_and_flores_share_one_english() {
    let folder = Folder::new(&[
        ("NTREX-128/newstest2019-src.eng.txt", "one\ntwo\n"),
        ("NTREX-128/newstest2019-ref.fin.txt", "yksi\nkaksi\n"),
        ("NTREX-128/newstest2019-ref.srp-Cyrl.txt", "jedan\ndva\n"),
        ("flores/devtest/eng_Latn.devtest", "one\n"),
        ("flores/devtest/swh_Latn.devtest", "moja\n"),
        ("n.tsv", "lang\tidx\ttext\neng\t0\tone\neng\t1\ttwo\nfin\t0\tyksi\nfin\t1\tkaksi\nswh\t1\tmbili\n"),
    ]);
    let all = ntrex::read(folder.path()).unwrap();
    assert_eq!((all.sides.len(), all.pairs.len(), pair(&all, "srp-Cyrl").0[1].as_str()), (3, 2, "dva"));
    assert_eq!(pair(&ntrex::read(&folder.path().join("flores")).unwrap(), "swh-Latn").1, ["one"]);
    let table = ntrex::read(&folder.path().join("n.tsv")).unwrap();
    assert_eq!(pair(&table, "fin").1, ["one", "two"]);
    assert_eq!(pair(&table, "swh"), (&["mbili".to_owned()][..], &["two".to_owned()][..]));
    folder.write("NTREX-128/newstest2019-ref.fin.txt", b"yksi\n");
    assert!(ntrex::read(folder.path()).unwrap_err().to_string().contains("ref.fin.txt:1: the file ends here"));
}

#[test]
fn mkqa_leaves_out_what_no_passage_answers() {
    let row = |id: usize, kind: &str, text: &str| {
        format!(
            "{{\"example_id\":{id},\"query\":\"q\",\"queries\":{{\"en\":\"who?\",\"zh_cn\":\"谁?\"}},\"answers\":{{\"en\":[{{\"type\":\"{kind}\",\"text\":{text},\"aliases\":[\"Ada King\"]}}]}}}}\n"
        )
    };
    let rows = [
        row(1, "entity", "\"Ada Lovelace\""),
        row(2, "unanswerable", "null"),
        row(3, "binary", "\"yes\""),
        row(4, "long_answer", "null"),
    ];
    let folder = Folder::new(&[("mkqa.jsonl.zst", &rows.concat())]);
    let questions = mkqa::read(folder.path(), &[]).unwrap();
    assert_eq!((questions.len(), questions[0].queries[1].id.as_str()), (1, "zh-CN-1"));
    assert!(has_answer("It was ADA KING.", &questions[0].answers) && !has_answer("Ada", &questions[0].answers));
    assert_eq!(questions[0].answers[0], Answer::new("ada lovelace"));
    let english = mkqa::read(folder.path(), &["en".parse().unwrap()]).unwrap();
    assert_eq!(english[0].queries.len(), 1);
}

#[test]
fn what_is_not_there_is_said() {
    let folder =
        Folder::new(&[("README.md", "x"), ("odd/xquad.klingon.json", "{}"), ("empty/xquad.en.json", "{\"data\":[]}")]);
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let cases: [(isogloss_ir::Result<()>, &str); 9] = [
        (beir::read(folder.path(), None).map(drop), "qrels"),
        (mr_tydi::read(folder.path()).map(drop), "mrtydi-v1.1-arabic"),
        (miracl::read(folder.path()).map(drop), "miracl-v1.0-ar"),
        (xquad::read(folder.path()).map(drop), "xquad.en.json"),
        (xquad::read(&path("odd")).map(drop), "\"klingon\" in its name"),
        (xquad::read(&path("empty")).map(drop), "xquad.en.json:1: the file is empty"),
        (tatoeba::read(folder.path()).map(drop), "tatoeba.xxx-eng.xxx"),
        (ntrex::read(folder.path()).map(drop), "newstest2019-src.eng.txt"),
        (belebele::read(&path("none")).map(drop), "no such file or folder"),
    ];
    for (result, told) in cases {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(told), "{told}: {error}");
    }
    assert!(Documents::Loaded(Vec::new()).read().unwrap().next().is_none());
}
