//! The same rows in files of every tool, and files that must be refused (`tests/golden/vector_files`); damage of any kind.

#[path = "../../../tests/mutate.rs"]
mod mutate;

use std::fs;
use std::path::{Path, PathBuf};

use isogloss_dense::{Dtype, Result, VectorFile, Vectors};
use mutate::{Random, replace, times};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/vector_files").join(name)
}

fn lines(name: &str) -> Vec<String> {
    fs::read_to_string(golden(name)).unwrap().lines().map(str::to_owned).collect()
}

/// Rows and ids of a file, its columns being named or not.
fn read(path: &Path, vectors: Option<&str>, ids: Option<&str>) -> Result<(Vectors, Vec<String>)> {
    let file = VectorFile::open(path, vectors)?;
    Ok((file.read()?, file.ids(ids)?.unwrap_or_default()))
}

#[test]
fn every_tool_writes_the_same_rows() {
    let npy = VectorFile::open(&golden("rows.npy"), None).unwrap();
    assert_eq!((npy.len(), npy.dim(), npy.dtype()), (300, 4, Dtype::F32));
    let (rows, ids, numbers) = (npy.read().unwrap(), lines("ids.txt"), lines("numbers.txt"));
    let of_ids =
        ["pyarrow", "pyarrow_item", "pyarrow_f16", "pyarrow_required", "pandas", "polars", "polars_array", "datasets"];
    let of_numbers = ["pyarrow_fixed", "pyarrow_f64"];
    let named = of_ids.map(|name| (name, &ids)).into_iter().chain(of_numbers.map(|name| (name, &numbers)));
    for (name, ids) in named {
        let path = golden(&format!("{name}.parquet"));
        let file = VectorFile::open(&path, None).unwrap();
        let dtype = if name == "pyarrow_f16" { Dtype::F16 } else { Dtype::F32 };
        assert_eq!((file.len(), file.dim(), file.dtype()), (300, 4, dtype), "{name}");
        assert!(file.read().unwrap() == rows && file.ids(None).unwrap().as_ref() == Some(ids), "{name}");
    }
    assert_eq!(VectorFile::open(&golden("rows16.npy"), None).unwrap().read().unwrap(), rows);
    assert!(npy.ids(None).unwrap().is_none());
}

#[test]
fn columns_are_named_where_several_could_be_meant() {
    let (rows, ids) = (VectorFile::open(&golden("rows.npy"), None).unwrap().read().unwrap(), lines("ids.txt"));
    let several = golden("several.parquet");
    assert!(read(&several, Some("body"), Some("key")).unwrap() == (rows.clone(), ids.clone()));
    assert!(read(&several, Some("body"), Some("id")).unwrap() == (rows.clone(), lines("numbers.txt")));
    assert!(read(&several, Some("title"), Some("key")).unwrap().0 != rows);
    assert!(read(&golden("nested.parquet"), Some("vectors.dense"), None).unwrap() == (rows, ids));
    let there = "key (string), id (int64), doc_id (string), title (lists of float32), body (lists of float32)";
    for (vectors, ids, told) in [
        (None, None, "several columns of lists"),
        (Some("head"), None, "no column \"head\" of lists"),
        (Some("key"), None, "no column \"key\" of lists"),
        (Some("body"), None, "several columns with a name of ids"),
        (Some("body"), Some("title"), "no column \"title\" of strings"),
    ] {
        let error = read(&several, vectors, ids).unwrap_err().to_string();
        assert!(error.contains(told) && error.contains(there) && error.contains("several.parquet"), "{error}");
    }
    let error = VectorFile::open(&golden("rows.npy"), Some("vector")).unwrap_err().to_string();
    assert!(error.contains("no columns"), "{error}");
}

#[test]
fn what_cannot_be_read_names_file_column_row_and_cure() {
    let row = |what: &str| format!("column \"vector\", row 2: {what}");
    let id = |what: &str| format!("column \"id\", row 2: {what}");
    let cases = [
        ("null_row", row("null; give it numbers")),
        ("empty_row", row("an empty list; give it numbers")),
        ("null_number", row("null at component 1; give it a number")),
        ("nan", row("NaN at component 1, as 32 bits; make it finite")),
        ("beyond_f32", row("inf at component 1, as 32 bits; make it finite")),
        ("ragged", row("1 numbers, the first row has 2; make")),
        ("id_twice", id("\"a\" is the id of row 0 too; rename")),
        ("id_null", id("null; give it an id")),
        ("id_empty", id("an empty id; give it one")),
        ("id_bytes", id("bytes that are no UTF-8; write")),
        ("no_rows", "holds no rows; write".to_owned()),
        ("lz4", "column \"vector\" is compressed by LZ4".to_owned()),
        ("brotli", "column \"vector\" is compressed by BROTLI".to_owned()),
        (
            "whole_numbers",
            "no column of lists of floating-point numbers; write one; its columns: id (string)".to_owned(),
        ),
        ("no_ids", "no column with a name of ids".to_owned()),
    ];
    for (name, told) in cases {
        let name = format!("bad_{name}.parquet");
        let error = read(&golden(&name), None, None).unwrap_err().to_string();
        assert!(error.contains(&told) && error.contains(&name), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let told = |bytes: &[u8]| {
        let path = folder.path().join("x.parquet");
        fs::write(&path, bytes).unwrap();
        read(&path, None, None).unwrap_err().to_string()
    };
    let whole = fs::read(golden("pyarrow.parquet")).unwrap();
    assert!(told(b"").contains("is empty"));
    assert!(told(b"id,vector\n").contains("neither in NumPy's format nor Parquet"));
    for cut in [4, 100, whole.len() - 1] {
        assert!(told(&whole[..cut]).contains("cut short or damaged"), "{cut}");
    }
    let error = read(folder.path(), None, None).unwrap_err().to_string();
    assert!(error.contains("cannot open"), "{error}");
    assert!(read(&folder.path().join("none"), None, None).is_err());
}

#[test]
fn damage_at_which_the_parquet_crate_panics_is_an_error() {
    // The lowest bit of a number, as Thrift writes it, is its sign: one of these makes a column begin before the file.
    let whole = fs::read(golden("pyarrow_f64.parquet")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let errors = (whole.len() - 700..whole.len()).filter_map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        replace(&path, &bytes);
        read(&path, None, None).err().map(|e| e.to_string())
    });
    let errors: Vec<String> = errors.collect();
    let negative = |error: &&String| error.contains("should not be negative") && error.contains("damaged");
    assert!(errors.iter().filter(negative).count() > 0, "{errors:?}");
    assert!(!isogloss_dense::panic_is_caught());
}

#[test]
fn damage_is_an_error_or_other_rows_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let (mut random, mut refused, mut all) = (Random(11), 0, 0);
    for name in [
        "pyarrow",
        "pyarrow_fixed",
        "pyarrow_item",
        "pyarrow_f64",
        "pyarrow_f16",
        "pyarrow_required",
        "polars",
        "pandas",
    ] {
        let whole = fs::read(golden(&format!("{name}.parquet"))).unwrap();
        for _ in 0..150 * times() {
            let mut bytes = whole.clone();
            for _ in 0..=random.below(3) {
                // Half of it to the last kilobyte, where the columns and their places are told.
                let (from, to) = (bytes.len().saturating_sub(1024) * random.below(2), bytes.len());
                match random.below(4) {
                    0 => random.mutate(&mut bytes, &[]),
                    _ => random.mutate_numbers(&mut bytes, from, to),
                }
            }
            replace(&path, &bytes);
            all += 1;
            match read(&path, None, None) {
                Ok((rows, ids)) => assert!(rows.len() == ids.len() && rows.data().iter().all(|x| x.is_finite())),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused * 2 > all, "{refused} of {all}");
}
