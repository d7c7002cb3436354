//! Lines of text out of plain, gzip and zstd files: streamed, numbered, without BOM and CR.

use crate::error::{Error, Result};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

/// The longest line read, in bytes; longer ones are refused, so that memory stays bounded.
pub const MAX_LINE: usize = 64 << 20;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Bytes of text that can be looked at before the first line is read.
const HEAD: usize = 1024;
const BOM: &[u8] = &[0xef, 0xbb, 0xbf];

type Source<'a> = Box<dyn Read + Send + 'a>;

/// A reader of numbered lines that holds one line at a time.
pub struct Lines<'a> {
    input: BufReader<Source<'a>>,
    place: Place,
    marked: bool,
    peeked: Option<String>,
}

/// Where a reader stands: what its errors say.
pub(crate) struct Place {
    pub path: PathBuf,
    pub line: usize,
    container: Option<&'static str>,
}

impl<'a> Lines<'a> {
    /// Opens a file; its first bytes say whether it is gzip, zstd or plain text.
    ///
    /// # Errors
    /// When it cannot be opened, or is named `.gz`/`.zst` without being such a stream.
    pub fn open(path: &Path) -> Result<Lines<'static>> {
        let file = File::open(path).map_err(|source| Error::io(path, source))?;
        Lines::new(Box::new(file), path.to_path_buf())
    }

    /// Reads from any source; `name` stands for the path in errors.
    ///
    /// # Errors
    /// As [`Lines::open`].
    pub fn from_reader(reader: impl Read + Send + 'a, name: &str) -> Result<Self> {
        Self::new(Box::new(reader), PathBuf::from(name))
    }

    fn new(reader: Source<'a>, path: PathBuf) -> Result<Self> {
        let mut place = Place { path, line: 0, container: None };
        let (head, reader) = split_head(reader, 4).map_err(|e| place.io(e))?;
        place.container = container(&head, &place)?;
        let whole = Cursor::new(head).chain(reader);
        let text: Source<'a> = match place.container {
            Some("gzip") => Box::new(MultiGzDecoder::new(whole)),
            Some(_) => Box::new(zstd::Decoder::new(whole).map_err(|e| place.io(e))?),
            None => Box::new(whole),
        };
        let (mut head, text) = split_head(text, HEAD).map_err(|e| place.io(e))?;
        let marked = head.starts_with(BOM);
        if marked {
            head.drain(..BOM.len());
        }
        let input = BufReader::with_capacity(1 << 16, Box::new(Cursor::new(head).chain(text)) as Source<'a>);
        Ok(Self { input, place, marked, peeked: None })
    }

    /// The path, or the name given in its place.
    pub fn path(&self) -> &Path {
        &self.place.path
    }

    /// Whether the file begins with a byte order mark, which is not part of its first line.
    pub(crate) fn is_marked(&self) -> bool {
        self.marked
    }

    /// The number of the line read last, from 1; 0 before the first.
    pub fn number(&self) -> usize {
        self.place.line
    }

    /// Replaces `buf` by the next line, without its end; false at the end of the file.
    ///
    /// # Errors
    /// A truncated or corrupt stream, invalid UTF-8, or a line longer than [`MAX_LINE`].
    pub fn next_line(&mut self, buf: &mut String) -> Result<bool> {
        if let Some(line) = self.peeked.take() {
            *buf = line;
            self.place.line += 1;
            return Ok(true);
        }
        self.place.line += 1;
        let found = self.read_line(buf);
        if !matches!(found, Ok(true)) {
            self.place.line = self.place.line.saturating_sub(usize::from(found.is_ok()));
        }
        found
    }

    /// As [`Lines::next_line`], passing over lines of white space alone.
    ///
    /// # Errors
    /// As [`Lines::next_line`].
    pub fn next_content(&mut self, buf: &mut String) -> Result<bool> {
        while self.next_line(buf)? {
            if !buf.trim().is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The next line that is not blank, left in place; `None` at the end of the file.
    ///
    /// # Errors
    /// As [`Lines::next_line`].
    pub fn peek_content(&mut self) -> Result<Option<&str>> {
        let mut buf = String::new();
        if !self.next_content(&mut buf)? {
            return Ok(None);
        }
        self.place.line -= 1;
        Ok(Some(self.peeked.insert(buf)))
    }

    /// The first bytes that are not white space, up to a buffer's worth, left in place.
    pub(crate) fn peek_bytes(&mut self) -> Result<&[u8]> {
        loop {
            let buffered = self.input.fill_buf().map_err(|e| self.place.at_next().io(e))?;
            let blank = buffered.iter().take_while(|b| b.is_ascii_whitespace()).count();
            let all = buffered.len();
            if blank < all || all == 0 {
                self.place.line += buffered[..blank].iter().filter(|&&b| b == b'\n').count();
                self.input.consume(blank);
                break;
            }
            self.place.line += buffered.iter().filter(|&&b| b == b'\n').count();
            self.input.consume(all);
        }
        Ok(self.input.buffer())
    }

    /// Whether a line was looked at and not yet read.
    pub(crate) fn has_peeked(&self) -> bool {
        self.peeked.is_some()
    }

    /// The rest as bytes, for documents that are not made of lines.
    pub(crate) fn into_parts(self) -> (BufReader<Source<'a>>, Place) {
        (self.input, self.place)
    }

    fn read_line(&mut self, buf: &mut String) -> Result<bool> {
        let mut bytes = std::mem::take(buf).into_bytes();
        bytes.clear();
        let limit = MAX_LINE as u64 + 1;
        let read = Read::take(&mut self.input, limit).read_until(b'\n', &mut bytes).map_err(|e| self.place.io(e))?;
        if read > MAX_LINE {
            return Err(Error::LineTooLong { path: self.place.path.clone(), line: self.place.line, limit: MAX_LINE });
        }
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            bytes.pop_if(|b| *b == b'\r');
        }
        *buf = String::from_utf8(bytes).map_err(|e| self.place.utf8(e.utf8_error().valid_up_to()))?;
        Ok(read > 0)
    }
}

impl Place {
    /// The same place one line further: where a failing read would have put its line.
    fn at_next(&self) -> Place {
        Place { path: self.path.clone(), line: self.line + 1, container: self.container }
    }

    /// A failure to read, told as what it means for the container.
    pub fn io(&self, source: io::Error) -> Error {
        let (path, line) = (self.path.clone(), self.line.max(1));
        match (self.container, source.kind()) {
            (None, _) => Error::Io { path, source },
            (Some(container), io::ErrorKind::UnexpectedEof) => Error::Truncated { path, line, container },
            (Some(container), _) => {
                Error::Container { path, line, container, detail: source.to_string().replace('\n', " ") }
            }
        }
    }

    fn utf8(&self, valid: usize) -> Error {
        Error::Utf8 { path: self.path.clone(), line: self.line, column: valid + 1 }
    }
}

/// Reads up to `n` bytes ahead; fewer only at the end of the stream.
fn split_head<R: Read>(mut reader: R, n: usize) -> io::Result<(Vec<u8>, R)> {
    let mut head = Vec::with_capacity(n);
    reader.by_ref().take(n as u64).read_to_end(&mut head)?;
    Ok((head, reader))
}

fn container(head: &[u8], place: &Place) -> Result<Option<&'static str>> {
    let found = match head {
        _ if head.starts_with(GZIP_MAGIC) => Some("gzip"),
        _ if head.starts_with(ZSTD_MAGIC) => Some("zstd"),
        _ => None,
    };
    let named = match place.path.extension().and_then(|e| e.to_str()) {
        Some("gz") => Some("gzip"),
        Some("zst") => Some("zstd"),
        _ => None,
    };
    match (found, named) {
        (None, Some(container)) if !head.is_empty() => Err(Error::Container {
            path: place.path.clone(),
            line: 1,
            container,
            detail: "its first bytes are others".into(),
        }),
        _ => Ok(found),
    }
}

/// The file's name without `.gz` or `.zst`, in lower case: what its format may be told from.
pub(crate) fn bare_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn all(bytes: &[u8], name: &str) -> Result<Vec<(usize, String)>> {
        let mut lines = Lines::from_reader(bytes, name)?;
        let (mut buf, mut out) = (String::new(), Vec::new());
        while lines.next_line(&mut buf)? {
            out.push((lines.number(), buf.clone()));
        }
        Ok(out)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn containers_bom_and_line_ends_do_not_show() {
        let want = vec![(1, "α".to_owned()), (2, String::new()), (3, "b".to_owned())];
        let text = "\u{feff}α\r\n\nb".as_bytes();
        assert_eq!(all(text, "x").unwrap(), want);
        assert_eq!(all(&gzip(text), "x.gz").unwrap(), want);
        assert_eq!(all(&gzip(text), "x").unwrap(), want);
        assert_eq!(all(&zstd::encode_all(text, 1).unwrap(), "x.zst").unwrap(), want);
    }

    #[test]
    fn concatenated_members_are_read_to_the_end() {
        let bytes = [gzip(b"a\n"), gzip(b"b\n")].concat();
        assert_eq!(all(&bytes, "x.gz").unwrap().len(), 2);
        let bytes = [zstd::encode_all(&b"a\n"[..], 1).unwrap(), zstd::encode_all(&b"b\n"[..], 1).unwrap()].concat();
        assert_eq!(all(&bytes, "x.zst").unwrap().len(), 2);
    }

    #[test]
    fn a_peeked_line_is_read_again() {
        let mut lines = Lines::from_reader(&b"\n\na\nb\n"[..], "x").unwrap();
        assert_eq!(lines.peek_content().unwrap(), Some("a"));
        assert_eq!(lines.peek_content().unwrap(), Some("a"));
        let mut buf = String::new();
        assert!(lines.next_content(&mut buf).unwrap());
        assert_eq!((buf.as_str(), lines.number()), ("a", 3));
    }
}
