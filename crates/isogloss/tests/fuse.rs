//! `isogloss fuse` from the outside.

mod common;

use common::{Sandbox, refused};

fn with_runs() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.trec", "q Q0 x 1 2 t\nq Q0 y 2 1 t\n");
    sandbox.write("b.trec", "q Q0 y 1 9 t\nq Q0 z 2 8 t\np Q0 z 1 8 t\n");
    sandbox
}

#[test]
fn methods_weigh_as_they_say() {
    let sandbox = with_runs();
    let docs = |line: &str| -> Vec<(String, f64)> {
        let run = sandbox.ok(line);
        let rows = run.lines().filter(|row| row.starts_with("q "));
        let fields = |row: &str| row.split(' ').map(str::to_owned).collect::<Vec<_>>();
        rows.map(fields).map(|row| (row[2].clone(), row[4].parse().unwrap())).collect()
    };
    let near = |got: &(String, f64), doc: &str, score: f64| got.0 == doc && (got.1 - score).abs() < 1e-6;
    let rrf = docs("fuse a.trec b.trec");
    assert!(near(&rrf[0], "y", 1.0 / 61.0 + 1.0 / 62.0), "{rrf:?}");
    let convex = docs("fuse a.trec b.trec --method minmax --alpha 0.25");
    assert!(near(&convex[0], "x", 0.75) && near(&convex[1], "y", 0.25) && near(&convex[2], "z", 0.0), "{convex:?}");
    let hybrid = docs("fuse a.trec b.trec --method mrtydi --alpha 2 --k 1");
    assert!(hybrid.len() == 1 && near(&hybrid[0], "y", 0.5), "{hybrid:?}");
    let three = docs("fuse a.trec b.trec a.trec --method minmax --weights 1,0,1");
    assert!(near(&three[0], "x", 2.0), "{three:?}");
}

#[test]
fn faults_are_named_and_nothing_is_written() {
    let sandbox = with_runs();
    refused(&sandbox, "fuse a.trec b.trec --method sum --out f.trec", &["\"sum\"", "rrf"]);
    refused(&sandbox, "fuse a.trec b.trec --method zscore --weights 1 --out f.trec", &["1 weight"]);
    refused(&sandbox, "fuse a.trec b.trec --alpha 0.5 --out f.trec", &["--method", "rrf"]);
    refused(&sandbox, "fuse a.trec b.trec a.trec --method zscore", &["--alpha", "--weights"]);
    refused(&sandbox, "fuse a.trec none.trec --out f.trec", &["none.trec"]);
}
