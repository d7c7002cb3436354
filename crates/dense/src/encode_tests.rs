//! Resuming, refusing, and the bytes that come out.

use std::collections::BTreeMap;

use super::*;
use crate::VectorStore;

/// Vectors made from the text alone: no model, but every text has its own.
struct Letters {
    dim: usize,
}

impl Encoder for Letters {
    fn dim(&self) -> usize {
        self.dim
    }

    fn encode(&self, texts: &[&str], _side: Side) -> std::result::Result<Vectors, EncoderError> {
        let component = |text: &str, j: usize| match text {
            "bad" => f32::NAN,
            _ => text.bytes().map(|b| f32::from(b) * (1.0 + j as f32)).sum::<f32>().sin(),
        };
        let data = texts.iter().flat_map(|t| (0..self.dim).map(|j| component(t, j))).collect();
        Ok(Vectors::new(self.dim, data)?)
    }
}

type Row = std::result::Result<(String, String), EncoderError>;

fn rows(n: usize) -> Vec<Row> {
    (0..n).map(|i| Ok((format!("d{i}"), format!("text number {i}")))).collect()
}

fn options(dtype: Dtype) -> EncodeOptions {
    EncodeOptions { dtype, rows_per_shard: 10, window: 4, model: "letters".into(), ..Default::default() }
}

fn encode(dir: &Path, rows: Vec<Row>, options: &EncodeOptions) -> Result<Manifest> {
    encode_to_shards(&Letters { dim: 3 }, rows, dir, options, |_| ())
}

fn bytes(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|e| e.unwrap());
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
}

#[test]
fn vectors_and_ids_come_back_in_order() {
    for dtype in [Dtype::F32, Dtype::F16, Dtype::Int8] {
        let dir = tempfile::tempdir().unwrap();
        let manifest = encode(dir.path(), rows(23), &options(dtype)).unwrap();
        assert_eq!((manifest.rows, manifest.shards.len()), (23, 3));
        let store = VectorStore::open(dir.path()).unwrap();
        store.verify().unwrap();
        let want = Letters { dim: 3 }.encode(&["text number 17"], Side::Doc).unwrap();
        assert_eq!(store.id(17), "d17");
        for (a, b) in store.row(17).iter().zip(want.row(0)) {
            assert!((a - b).abs() < 0.01, "{dtype}: {a} {b}");
        }
    }
}

#[test]
fn a_run_that_broke_off_anywhere_ends_in_the_same_bytes() {
    let whole = tempfile::tempdir().unwrap();
    encode(whole.path(), rows(23), &options(Dtype::Int8)).unwrap();
    for stop in [0, 1, 9, 10, 11, 20, 22] {
        let dir = tempfile::tempdir().unwrap();
        let mut broken = rows(stop);
        broken.push(Err("the network went away".into()));
        let error = encode(dir.path(), broken, &options(Dtype::Int8)).unwrap_err().to_string();
        assert!(error.contains(&format!("row {stop} of the input: the network")), "{error}");
        assert!(matches!(VectorStore::open(dir.path()), Err(Error::Unfinished { .. })));
        let mut last = None;
        let texts = rows(23);
        encode_to_shards(&Letters { dim: 3 }, texts, dir.path(), &options(Dtype::Int8), |p| last = Some(p)).unwrap();
        assert_eq!(last.unwrap().resumed_rows, (stop / 10 * 10) as u64);
        assert_eq!(bytes(dir.path()), bytes(whole.path()), "stopped at {stop}");
    }
}

#[test]
fn a_leftover_of_a_killed_process_is_overwritten() {
    let (whole, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    encode(whole.path(), rows(12), &options(Dtype::F32)).unwrap();
    fs::write(dir.path().join(".vectors-00000.iso.partial"), [7; 999]).unwrap();
    encode(dir.path(), rows(12), &options(Dtype::F32)).unwrap();
    assert_eq!(bytes(dir.path()), bytes(whole.path()));
}

#[test]
fn a_damaged_shard_is_named_and_redone_after_its_deletion() {
    let dir = tempfile::tempdir().unwrap();
    encode(dir.path(), rows(23), &options(Dtype::F32)).unwrap();
    let good = bytes(dir.path());
    let path = dir.path().join("vectors-00001.iso");
    let mut broken = good["vectors-00001.iso"].clone();
    broken[70] ^= 1;
    fs::write(&path, broken).unwrap();
    let error = encode(dir.path(), rows(23), &options(Dtype::F32)).unwrap_err().to_string();
    assert!(error.contains("vectors-00001.iso") && error.contains("delete it"), "{error}");
    assert!(VectorStore::open(dir.path()).unwrap().verify().is_err());
    fs::remove_file(&path).unwrap();
    encode(dir.path(), rows(23), &options(Dtype::F32)).unwrap();
    assert_eq!(bytes(dir.path()), good);
}

#[test]
fn shards_that_changed_places_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    encode(dir.path(), rows(20), &options(Dtype::F32)).unwrap();
    let [a, b] = [0, 1].map(|i| dir.path().join(file_names(i).0));
    let swap = dir.path().join("swap");
    fs::rename(&a, &swap).and_then(|()| fs::rename(&b, &a)).and_then(|()| fs::rename(&swap, &b)).unwrap();
    assert!(matches!(VectorStore::open(dir.path()), Err(Error::Disagree { .. })));
}

#[test]
fn other_options_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    encode(dir.path(), rows(5), &options(Dtype::F32)).unwrap();
    let error = encode(dir.path(), rows(5), &options(Dtype::F16)).unwrap_err().to_string();
    assert!(error.contains("dtype = \"f32\", now dtype = \"f16\""), "{error}");
    let other = EncodeOptions { model_hash: "other".into(), ..options(Dtype::F32) };
    assert!(encode(dir.path(), rows(5), &other).unwrap_err().to_string().contains("model_hash"));
}

#[test]
fn another_input_is_refused_by_row() {
    let dir = tempfile::tempdir().unwrap();
    encode(dir.path(), rows(15), &options(Dtype::F32)).unwrap();
    let mut renamed = rows(15);
    renamed[12] = Ok(("new".into(), "text number 12".into()));
    let mut retold = rows(15);
    retold[3] = Ok(("d3".into(), "another".into()));
    for (input, expected) in [
        (renamed, "row 12 of the input is \"new\" now, \"d12\""),
        (retold, "row 0 of the input is a text that differs"),
        (rows(16), "row 15 of the input is \"d15\" now, the end"),
        (rows(12), "row 12 of the input is the end now, \"d12\""),
        (rows(10), "row 10 of the input is the end now"),
    ] {
        let error = encode(dir.path(), input, &options(Dtype::F32)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_vector_that_is_not_finite_is_refused_by_id() {
    let dir = tempfile::tempdir().unwrap();
    let input = vec![Ok(("a".to_owned(), "fine".to_owned())), Ok::<_, Error>(("b".to_owned(), "bad".to_owned()))];
    let error = encode_to_shards(&Letters { dim: 3 }, input, dir.path(), &options(Dtype::F32), |_| ()).unwrap_err();
    assert!(error.to_string().contains("vector of \"b\" holds NaN at component 0"), "{error}");
    assert!(!dir.path().join(file_names(0).0).exists());
}

#[test]
fn two_runs_at_once_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _held = lock(dir.path()).unwrap();
    assert!(matches!(encode(dir.path(), rows(1), &options(Dtype::F32)), Err(Error::Locked { .. })));
}

#[test]
fn no_texts_make_an_empty_store() {
    let dir = tempfile::tempdir().unwrap();
    encode(dir.path(), rows(0), &options(Dtype::F32)).unwrap();
    assert_eq!(VectorStore::open(dir.path()).unwrap().rows(), 0);
}

#[test]
fn windows_keep_to_both_bounds() {
    let mut input = Input::new(rows(9).into_iter());
    assert_eq!(input.window(4, usize::MAX).unwrap().len(), 4);
    assert_eq!(input.window(4, 20).unwrap().len(), 2);
    assert_eq!(input.window(9, usize::MAX).unwrap().len(), 3);
    assert!(!input.more().unwrap());
}

/// One number: the length of the language's code.
struct CodeLengths;

impl Encoder for CodeLengths {
    fn dim(&self) -> usize {
        1
    }

    fn encode(&self, texts: &[&str], side: Side) -> std::result::Result<Vectors, EncoderError> {
        self.encode_in(texts, &vec![None; texts.len()], side)
    }

    fn encode_in(
        &self,
        _texts: &[&str],
        langs: &[Option<Lang>],
        _side: Side,
    ) -> std::result::Result<Vectors, EncoderError> {
        let length = |lang: &Option<Lang>| lang.map_or(0.0, |lang| lang.as_str().len() as f32);
        Ok(Vectors::new(1, langs.iter().map(length).collect())?)
    }
}

#[test]
fn languages_reach_the_encoder_and_another_one_does_not_resume() {
    let dir = tempfile::tempdir().unwrap();
    let run = |langs: [Option<&str>; 3]| {
        let text = |(i, lang): (usize, Option<&str>)| {
            let lang = lang.map(|lang| lang.parse().unwrap());
            Ok::<_, Error>(Text { id: i.to_string(), text: "same".into(), lang })
        };
        let texts = langs.into_iter().enumerate().map(text);
        encode_to_shards(&CodeLengths, texts, dir.path(), &options(Dtype::F32), |_| ())
    };
    run([Some("sw"), None, Some("zh-Hant")]).unwrap();
    let store = VectorStore::open(dir.path()).unwrap();
    assert_eq!([0, 1, 2].map(|i| store.row(i)[0]), [2.0, 0.0, 7.0]);
    run([Some("sw"), None, Some("zh-Hant")]).unwrap();
    assert!(matches!(run([Some("fi"), None, Some("zh-Hant")]), Err(Error::InputChanged { .. })));
}
