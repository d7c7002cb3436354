//! Vectors as NumPy and every other tool read them: `vectors.npy` and `ids.txt`.

use std::fs;
use std::path::Path;

use crate::atomic_file::AtomicFile;
use crate::encode::{Input, encode_texts};
use crate::{Encoder, EncoderError, Error, Progress, Result, Side, Text};

/// Room for any shape, and a multiple of 64 as the format asks.
const NPY_HEADER_BYTES: usize = 128;

/// Bytes of text after which a window ends.
const WINDOW_BYTES: usize = 32 << 20;

/// Encodes `texts` ([`Text`], or id and text) in their order into `directory/vectors.npy` (NPY 1.0, f32, C order, `rows × dim`) and
/// `directory/ids.txt` (one id a line), and returns the number of rows.
///
/// At most `window` texts are held at once. Both files appear when all is done, the vectors last; an interrupted
/// run leaves neither and begins anew.
///
/// # Errors
/// An id with a line break, a vector that is not finite; whatever the input, the encoder or the disk fails with.
pub fn encode_to_npy<T: Into<Text>, E: Into<EncoderError>>(
    encoder: &dyn Encoder,
    texts: impl IntoIterator<Item = std::result::Result<T, E>>,
    directory: &Path,
    side: Side,
    window: usize,
    mut progress: impl FnMut(Progress),
) -> Result<u64> {
    if window == 0 {
        return Err(Error::Option { key: "window", got: 0, range: "at least 1" });
    }
    fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
    let mut vectors_file = AtomicFile::create(&directory.join("vectors.npy"))?;
    let mut ids_file = AtomicFile::create(&directory.join("ids.txt"))?;
    vectors_file.write(&npy_header(0, encoder.dim()))?;
    let mut input = Input::new(texts.into_iter());
    while input.more()? {
        let first = input.row;
        let window = input.window(window, WINDOW_BYTES)?;
        let vectors = encode_texts(encoder, &window, side)?;
        for (i, text) in window.iter().enumerate() {
            ids_file.write(id_line(&text.id, first + i as u64)?.as_bytes())?;
        }
        vectors_file.write(&little_endian(vectors.data()))?;
        progress(Progress { rows: input.row, resumed_rows: 0, shards: 0 });
    }
    ids_file.commit()?;
    vectors_file.commit_with_head(&npy_header(input.row, encoder.dim()))?;
    Ok(input.row)
}

fn id_line(id: &str, row: u64) -> Result<String> {
    match id.contains(['\n', '\r']) {
        true => Err(Error::IdLineBreak { id: id.to_owned(), row }),
        false => Ok(format!("{id}\n")),
    }
}

fn little_endian(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn npy_header(rows: u64, dim: usize) -> [u8; NPY_HEADER_BYTES] {
    let dictionary = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}");
    let mut header = [b' '; NPY_HEADER_BYTES];
    header[..8].copy_from_slice(b"\x93NUMPY\x01\x00");
    header[8..10].copy_from_slice(&(NPY_HEADER_BYTES as u16 - 10).to_le_bytes());
    header[10..10 + dictionary.len()].copy_from_slice(dictionary.as_bytes());
    header[NPY_HEADER_BYTES - 1] = b'\n';
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Vectors;

    struct Lengths;

    impl Encoder for Lengths {
        fn dim(&self) -> usize {
            2
        }

        fn encode(&self, texts: &[&str], _side: Side) -> std::result::Result<Vectors, EncoderError> {
            Ok(Vectors::new(2, texts.iter().flat_map(|t| [t.len() as f32, 0.5]).collect())?)
        }
    }

    fn rows(texts: &[&str]) -> Vec<Result<(String, String)>> {
        texts.iter().enumerate().map(|(i, t)| Ok((format!("id {i}"), t.to_string()))).collect()
    }

    #[test]
    fn the_layout_is_numpys() {
        let dir = tempfile::tempdir().unwrap();
        let n = encode_to_npy(&Lengths, rows(&["a", "bb", "ccc"]), dir.path(), Side::Doc, 2, |_| ()).unwrap();
        assert_eq!(n, 3);
        assert_eq!(fs::read_to_string(dir.path().join("ids.txt")).unwrap(), "id 0\nid 1\nid 2\n");
        let bytes = fs::read(dir.path().join("vectors.npy")).unwrap();
        assert_eq!(&bytes[..10], b"\x93NUMPY\x01\x00\x76\x00");
        let header = std::str::from_utf8(&bytes[10..128]).unwrap();
        assert_eq!(header.trim_end(), "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }");
        assert!(header.ends_with(" \n"));
        assert_eq!(bytes[128..], little_endian(&[1.0, 0.5, 2.0, 0.5, 3.0, 0.5]));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn an_id_with_a_line_break_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let input = vec![Ok::<_, Error>(("a\nb".to_owned(), "text".to_owned()))];
        let error = encode_to_npy(&Lengths, input, dir.path(), Side::Doc, 8, |_| ()).unwrap_err();
        assert!(matches!(error, Error::IdLineBreak { row: 0, .. }));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
