//! `isogloss index --vectors` and `search --query-vectors` on files of other tools: the same index from each, and what is refused.

mod common;

use std::path::Path;

use common::{Sandbox, refused};

/// A folder with the golden files in `files`.
fn with_files() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/vector_files"), "files");
    sandbox
}

/// What a search reads of a directory of vectors: all but what names the file that they came from.
fn bytes(sandbox: &Sandbox, store: &str) -> Vec<(String, Vec<u8>)> {
    let files = sandbox.files(store).into_iter();
    let named = files.map(|(path, bytes)| (path.file_name().unwrap().to_str().unwrap().to_owned(), bytes));
    named.filter(|(name, _)| !["plan.json", "manifest.json"].contains(&name.as_str())).collect()
}

#[test]
fn an_index_has_the_same_bytes_whichever_file_it_came_from() {
    let sandbox = with_files();
    let told = sandbox.run("index npy --hnsw --vectors files/rows.npy --ids files/ids.txt");
    assert!(String::from_utf8(told.stderr).unwrap().contains("300 vectors of 4 numbers"));
    let npy = bytes(&sandbox, "npy");
    assert!(
        npy.iter().any(|(name, _)| name == "hnsw-00000.iso") && npy.iter().any(|(name, _)| name == "vectors-00000.iso")
    );
    for name in ["pyarrow", "pyarrow_item", "pandas", "polars", "polars_array", "datasets"] {
        sandbox.ok(&format!("index {name} --hnsw --vectors files/{name}.parquet"));
        assert!(bytes(&sandbox, name) == npy, "{name}");
    }
    sandbox.ok("index f64 --hnsw --vectors files/pyarrow_f64.parquet --ids files/ids.txt");
    assert!(bytes(&sandbox, "f64") == npy);
    sandbox.ok("index several --hnsw --vectors files/several.parquet --vector-column body --id-column key");
    assert!(bytes(&sandbox, "several") == npy);
    sandbox.ok("index npy16 --hnsw --vectors files/rows16.npy --ids files/ids.txt");
    sandbox.ok("index f16 --hnsw --vectors files/pyarrow_f16.parquet");
    assert!(bytes(&sandbox, "f16") == bytes(&sandbox, "npy16"));

    let search = "search --corpus npy --k 3 --query-vectors files";
    let expected = sandbox.ok(&format!("{search}/rows.npy --query-ids files/ids.txt"));
    assert_eq!(expected.lines().count(), 900);
    assert_eq!(sandbox.ok(&format!("{search}/polars.parquet")), expected);
    assert_eq!(
        sandbox.ok(&format!("{search}/several.parquet --vector-column body --query-ids files/ids.txt")),
        expected
    );
}

#[test]
fn what_cannot_be_indexed_is_refused_and_leaves_nothing() {
    let sandbox = with_files();
    sandbox.write("cut.parquet", &sandbox.read("files/pyarrow.parquet")[..7000]);
    let row = ["column \"vector\"", "row 2", "; "];
    let cases: [(&str, &[&str]); 12] = [
        ("files/bad_nan.parquet", &row),
        ("files/bad_null_row.parquet", &row),
        ("files/bad_ragged.parquet", &row),
        ("files/bad_id_twice.parquet", &["column \"id\"", "row 2", "row 0"]),
        ("files/bad_no_rows.parquet", &["no rows"]),
        ("files/bad_no_ids.parquet", &["--id-column", "text (string)"]),
        ("files/several.parquet", &["--vector-column", "title (lists of float32)"]),
        ("files/rows.npy", &["--ids", "rows.npy"]),
        ("files/rows.npy --vector-column x", &["no columns"]),
        ("files/pyarrow.parquet --id-column id --ids files/ids.txt", &["--id-column", "--ids"]),
        ("files", &["folder: name a file"]),
        ("cut.parquet", &["cut.parquet", "cut short or damaged"]),
    ];
    for (given, told) in cases {
        refused(&sandbox, &format!("index new --hnsw --vectors {given}"), told);
    }
    assert!(!sandbox.path("new/plan.json").exists());
    sandbox.ok("index new --hnsw --vectors files/polars.parquet");
    let search = "search --corpus new --query-vectors files/rows.npy";
    refused(&sandbox, search, &["--query-ids", "rows.npy"]);
    refused(&sandbox, "search --corpus new --queries files/ids.txt --vector-column x", &["--query-vectors"]);
}
