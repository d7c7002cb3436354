//! `isogloss index --hnsw` and `search --hnsw`: approximate search, end to end.

mod common;

use std::collections::BTreeMap;

use common::{Sandbox, refused, static_run};

/// Data, a model and its vectors of the corpus.
fn with_vectors() -> Sandbox {
    let sandbox = Sandbox::with_data();
    sandbox.write("run.toml", static_run("t", 20));
    sandbox.ok("train run.toml");
    sandbox.ok("encode t/model corpus.jsonl --out vectors");
    sandbox
}

const SEARCH: &str = "search --model t/model --corpus vectors --queries queries.jsonl";

/// The scores of a run's documents.
fn scores(run: &str) -> BTreeMap<(String, String), f32> {
    let columns = run.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    columns.map(|of| ((of[0].to_owned(), of[2].to_owned()), of[4].parse().unwrap())).collect()
}

/// Checks that two searches found the same documents, with scores that 16 bits can tell apart no further.
fn assert_alike(exact: &str, graph: &str, what: &str) {
    let (exact, graph) = (scores(exact), scores(graph));
    assert!(exact.keys().eq(graph.keys()), "{what}: other documents");
    for ((pair, exact), graph) in exact.iter().zip(graph.values()) {
        assert!((exact - graph).abs() < 2e-3, "{what}: {pair:?} {exact} {graph}");
    }
}

/// `rows` vectors of 12 numbers as NumPy writes them, their first number telling them apart most.
fn npy(rows: usize) -> Vec<u8> {
    let mut dictionary = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, 12), }}");
    dictionary += &" ".repeat(117 - dictionary.len());
    dictionary.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(dictionary.as_bytes());
    let number = |i: usize| ((i * 7919 + i / 12 * 104_729) % 1009) as f32 / 1009.0 - 0.5;
    bytes.extend((0..rows * 12).flat_map(|i| number(i).to_le_bytes()));
    bytes
}

#[test]
fn few_documents_are_found_as_by_exact_search() {
    let sandbox = with_vectors();
    let exact = sandbox.ok(SEARCH);
    for scalar in ["int8", "f16", "binary"] {
        assert_eq!(sandbox.ok(&format!("index vectors --hnsw --scalar {scalar} --rebuild")), "vectors\n");
        assert_alike(&exact, &sandbox.ok(&format!("{SEARCH} --hnsw")), scalar);
    }
    let cut = sandbox.run("index vectors --hnsw --dim 8 --rebuild");
    let told = String::from_utf8(cut.stderr).unwrap();
    assert!(told.contains("48 vectors indexed") && told.contains("recall@10") && told.contains("--ef 64"), "{told}");
    assert_eq!(scores(&sandbox.ok(&format!("{SEARCH} --hnsw --k 5"))).len(), 48 * 5);
}

#[test]
fn filters_deletions_and_additions_hold_for_both_searches() {
    let sandbox = with_vectors();
    let corpus = String::from_utf8(sandbox.read("corpus.jsonl")).unwrap();
    let known: String = corpus
        .lines()
        .enumerate()
        .map(|(i, line)| {
            line.replace('}', &format!(",\"metadata\":{{\"part\":{},\"odd\":{}}}}}\n", i / 24, i % 2 == 1))
        })
        .collect();
    sandbox.write("known.jsonl", known.replacen("\"lang\":\"de\"", "\"lang\":\"fi\"", 1));
    sandbox.ok("index vectors --hnsw --attributes known.jsonl");
    let docs = |line: &str| {
        let [exact, graph] = ["", " --hnsw"].map(|how| sandbox.ok(&format!("{line}{how}")));
        assert_alike(&exact, &graph, line);
        let mut docs: Vec<usize> = scores(&exact).keys().map(|(_, doc)| doc[1..].parse().unwrap()).collect();
        docs.sort_unstable();
        docs.dedup();
        docs
    };
    assert_eq!(docs(&format!("{SEARCH} --where lang=fi")), [0]);
    let odd: Vec<usize> = (24..48).filter(|doc| doc % 2 == 1).collect();
    assert_eq!(docs(&format!("{SEARCH} --where part=1 --where odd=true")), odd);
    assert_eq!(docs(&format!("{SEARCH} --where part=1 --where part=0")).len(), 48);
    sandbox.write("gone.txt", "d25\nd0\n");
    sandbox.ok("index vectors --hnsw --delete gone.txt");
    assert_eq!(docs(&format!("{SEARCH} --where part=1 --where odd=true")), odd[1..]);
    assert_eq!(docs(SEARCH).len(), 46);
    sandbox.write("more.jsonl", corpus.replace("\"_id\":\"d", "\"_id\":\"d9"));
    sandbox.ok("encode t/model more.jsonl --out more");
    sandbox.ok("index vectors --hnsw --add more");
    assert_eq!(docs(SEARCH).len(), 94);
    refused(&sandbox, &format!("{SEARCH} --where part=1"), &["attributes.iso", "--attributes"]);
}

#[test]
fn vectors_of_another_tool_are_indexed_and_searched() {
    let sandbox = Sandbox::new();
    sandbox.write("x.npy", npy(1500));
    sandbox.write("ids.txt", (0..1500).map(|i| format!("v{i}\n")).collect::<String>());
    sandbox.ok("index store --hnsw --vectors x.npy --ids ids.txt --m 8");
    let search = "search --corpus store --query-vectors x.npy --query-ids ids.txt --k 3";
    let [exact, graph] = ["", " --hnsw --ef 40"].map(|how| scores(&sandbox.ok(&format!("{search}{how}"))));
    let same = exact.keys().filter(|pair| graph.contains_key(pair)).count();
    assert!(same * 100 >= exact.len() * 95, "{same} of {}", exact.len());
    refused(&sandbox, "index store --hnsw --vectors x.npy --ids ids.txt", &["store", "already"]);
}

#[test]
fn what_cannot_be_done_is_refused() {
    let sandbox = with_vectors();
    sandbox.write("ids.txt", "d0\nnobody\n");
    sandbox.write("x.npy", npy(3));
    sandbox.write("list.jsonl", "{\"_id\":\"d0\",\"text\":\"x\",\"metadata\":{\"a\":[1]}}\n");
    refused(&sandbox, &format!("{SEARCH} --hnsw"), &["hnsw.json", "isogloss index DIR --hnsw"]);
    refused(&sandbox, &format!("{SEARCH} --where lang=de"), &["attributes.iso", "--attributes"]);
    sandbox.ok("index vectors --hnsw --attributes corpus.jsonl");
    let cases: [(&str, &[&str]); 13] = [
        ("index", &["DIR"]),
        ("index vectors", &["--hnsw"]),
        ("index vectors --hnsw --bm25 corpus.jsonl", &["--bm25"]),
        ("index none --hnsw", &["none", "check the path"]),
        ("index vectors --hnsw --m 1 --rebuild", &["m = 1", "2 to 256"]),
        ("index vectors --hnsw --dim 99 --rebuild", &["dim = 99"]),
        ("index vectors --hnsw --m 8", &["m = 16", "now m = 8", "--rebuild"]),
        ("index vectors --hnsw --delete ids.txt", &["vectors", "\"nobody\""]),
        ("index new --hnsw --vectors x.npy --ids ids.txt", &["2 in the ids", "3 in the vectors"]),
        ("index new --hnsw --vectors ids.txt --ids ids.txt", &["ids.txt", "NumPy"]),
        ("index vectors --attributes list.jsonl", &["list.jsonl", "line 1", "metadata.a"]),
        ("index vectors --hnsw --vectors x.npy --ids ids.txt", &["vectors"]),
        (
            "search --corpus vectors --query-vectors x.npy --query-ids ids.txt",
            &["12 in the queries", "32 in the index"],
        ),
    ];
    for (line, told) in cases {
        refused(&sandbox, line, told);
    }
    refused(&sandbox, &format!("{SEARCH} --where lang=sw"), &["lang = sw", "known: de"]);
    refused(&sandbox, &format!("{SEARCH} --where sw"), &["KEY=VALUE"]);
    refused(&sandbox, &format!("{SEARCH} --ef 9"), &["--hnsw"]);
    let segment = sandbox.read("vectors/hnsw-00000.iso");
    for (bytes, told) in [(&segment[..segment.len() - 9], "bytes expected"), (&segment[..10], "bytes expected")] {
        sandbox.write("vectors/hnsw-00000.iso", bytes);
        refused(&sandbox, &format!("{SEARCH} --hnsw --out f.trec"), &["hnsw-00000.iso", told, "--rebuild"]);
    }
    let mut broken = segment.clone();
    broken[70] ^= 0x10;
    sandbox.write("vectors/hnsw-00000.iso", broken);
    refused(&sandbox, &format!("{SEARCH} --hnsw --out f.trec"), &["hnsw-00000.iso", "not as they were written"]);
    assert!(!sandbox.path("f.trec").exists());
}
