//! Tests of what an index's files can suffer: additions, deletions, damage, other vectors, a kill.

use super::*;
use crate::append_store;

#[test]
fn neither_threads_nor_repetition_change_a_byte() {
    let vectors = clustered(2000, 20, 40, 13);
    let built = |threads| {
        let place = Place::new(&vectors);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| place.build(&options(Scalar::Int8)));
        let files = place.files().into_iter().map(|(path, bytes)| (path.file_name().unwrap().to_owned(), bytes));
        files.collect::<Vec<_>>()
    };
    let one = built(1);
    assert_eq!(one.len(), 2);
    assert!(one == built(3) && one == built(8));
}

#[test]
fn rows_are_added_and_deleted() {
    let vectors = clustered(3000, 32, 60, 15);
    let part = |from: usize, to: usize| Vectors::new(32, vectors.data()[from * 32..to * 32].to_vec()).unwrap();
    let place = Place::new(&part(0, 2000));
    place.build(&options(Scalar::Int8));
    let more = tempfile::tempdir().unwrap();
    write_store(more.path(), &part(2000, 3000), 600, 2000);
    append_store(place.path(), &VectorStore::open(more.path()).unwrap()).unwrap();
    assert!(
        append_store(place.path(), &VectorStore::open(more.path()).unwrap()).unwrap_err().to_string().contains("twice")
    );
    assert!(Hnsw::open(place.store()).err().unwrap().to_string().contains("has 3 of 5 shards"));
    let report = place.build(&options(Scalar::Int8));
    assert_eq!((report.added, report.rows, report.segments), (1000, 3000, 2));
    assert_eq!(place.build(&options(Scalar::Int8)).added, 0);
    let queries = part(1990, 2010);
    let check = |least: f64, among: Option<&[bool]>| {
        let index = place.index().with_ef(80);
        index.verify().unwrap();
        let got = recall(&vectors, &queries, &index.search(queries.view(), 10), 10, among);
        assert!(got >= least, "{got}");
    };
    check(0.97, None);
    let gone: Vec<String> = (0..3000).filter(|row| row % 3 == 0).map(|row| format!("d{row}")).collect();
    assert_eq!(delete_rows(&place.store(), &gone[..400]).unwrap(), 400);
    assert_eq!(delete_rows(&place.store(), &gone[400..]).unwrap(), 600);
    assert_eq!(deleted_rows(&place.store()).unwrap().len(), 1000);
    let among: Vec<bool> = (0..3000).map(|row| row % 3 != 0).collect();
    check(0.97, Some(&among));
    for id in ["d0", "none"] {
        assert!(delete_rows(&place.store(), &[id.to_owned()]).unwrap_err().to_string().contains(id));
    }
    // As one graph anew: what is deleted stays so, and no file is left over.
    assert_eq!(build_hnsw(&place.store(), &options(Scalar::F16), true, |_| ()).unwrap().segments, 1);
    check(0.97, Some(&among));
    assert_eq!(place.files().len(), 3);
}

#[test]
fn damage_is_refused_by_name_or_found_by_verify() {
    let vectors = clustered(600, 8, 10, 19);
    let place = Place::new(&vectors);
    for scalar in SCALARS {
        build_hnsw(&place.store(), &options(scalar), true, |_| ()).unwrap();
        let (path, bytes) = place.files().into_iter().find(|(path, _)| path.extension().unwrap() == "iso").unwrap();
        let opened = || {
            // Through the graph, few as the rows are.
            Hnsw::open(place.store()).map(|index| index.with_ef(5)).and_then(|index| {
                index.search(vectors.view().rows(0, 3), 5);
                index.verify()
            })
        };
        for keep in [0, 7, 63, 64, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..keep]).unwrap();
            let error = opened().unwrap_err().to_string();
            assert!(error.contains("bytes expected") && error.contains("--rebuild"), "{error}");
        }
        for at in (0..bytes.len()).step_by(bytes.len() / 400) {
            let mut broken = bytes.clone();
            broken[at] ^= 0x41;
            std::fs::write(&path, &broken).unwrap();
            // Zeros between sections alone are covered by no sum.
            let error = opened().err().map(|error| error.to_string());
            assert!(error.as_ref().is_none_or(|e| e.contains(&*path.to_string_lossy())), "{at}: {error:?}");
            assert!(error.is_some() || bytes[at] == 0, "byte {at}");
        }
        std::fs::write(&path, &bytes).unwrap();
        opened().unwrap();
    }
}

#[test]
fn an_index_of_other_vectors_or_options_is_refused() {
    let place = Place::new(&random(50, 4, 20));
    assert!(Hnsw::open(place.store()).err().unwrap().to_string().contains("--hnsw"));
    place.build(&options(Scalar::Int8));
    let error = build_hnsw(&place.store(), &options(Scalar::F16), false, |_| ()).unwrap_err().to_string();
    assert!(error.contains("scalar = \"int8\", now scalar = \"f16\""), "{error}");
    for (m, ef, dim) in [(1, 10, None), (8, 0, None), (8, 10, Some(0)), (8, 10, Some(5))] {
        let wrong = HnswOptions { m, ef_construction: ef, dim, ..HnswOptions::default() };
        assert!(build_hnsw(&place.store(), &wrong, true, |_| ()).is_err());
    }
    write_store(place.path(), &random(50, 4, 21), 700, 0);
    assert!(Hnsw::open(place.store()).err().unwrap().to_string().contains("other vectors"));
    assert!(build_hnsw(&place.store(), &options(Scalar::Int8), false, |_| ()).is_err());
    build_hnsw(&place.store(), &options(Scalar::Int8), true, |_| ()).unwrap();
    place.index().verify().unwrap();
}

#[test]
fn a_build_that_was_killed_leaves_the_index_as_it_was() {
    let place = Place::new(&random(300, 4, 22));
    place.build(&options(Scalar::Int8));
    let before = place.files();
    let killed =
        std::panic::catch_unwind(|| build_hnsw(&place.store(), &options(Scalar::F16), true, |_| panic!("killed")));
    assert!(killed.is_err());
    assert_eq!(place.files(), before);
    place.index().verify().unwrap();
    build_hnsw(&place.store(), &options(Scalar::F16), true, |_| ()).unwrap();
    assert_eq!(place.index().options().scalar, Scalar::F16);
}
