//! An index on disk, memory-mapped.

use crate::bm25::Bm25;
use crate::error::{Error, Result};
use crate::index::format::{self, Contents, FieldContents, Section};
use crate::index::merge::LARGE;
use memmap2::Mmap;
use rayon::prelude::*;
use std::fs::File;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// An index, open for search.
#[derive(Debug)]
pub struct Index {
    map: Mmap,
    contents: Contents,
    path: PathBuf,
}

impl Index {
    /// Opens the folder that [`build_index`](crate::build_index) wrote; checks head, table, the sections' lengths, ids, and
    /// where documents and terms lie. Documents of a term are looked at when it is searched.
    ///
    /// # Errors
    /// There is none, or it is of another kind, another version, cut short or damaged.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(format::FILE);
        if folder.is_dir() && !path.exists() {
            return Err(Error::NoIndex { path: folder.to_owned(), expected: format::FILE });
        }
        let file = File::open(&path).map_err(Error::io("open", &path))?;
        // SAFETY: the map is read-only, and a finished index is only ever replaced by rename, never written in place, so
        // no byte under the map changes unless another program overwrites our data.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io("map", &path))?;
        let contents = format::contents(&map, &path)?;
        let index = Self { map, contents, path };
        index.check_lengths()?;
        index.check_ids()?;
        index.check_fields()?;
        Ok(index)
    }

    /// Reads every byte and holds it against the checksums.
    ///
    /// # Errors
    /// A section that is damaged, by name.
    pub fn verify(&self) -> Result<()> {
        for (name, section) in self.sections() {
            if xxh3_64(self.bytes(section)) != section.xxh3 {
                return Err(self.damaged(name));
            }
        }
        Ok(())
    }

    /// What tells this index from one of other documents or another analysis: the checksum over its sections' checksums.
    pub fn fingerprint(&self) -> u64 {
        u64::from_le_bytes(self.map[32..40].try_into().expect("eight bytes"))
    }

    /// The profile it was made with.
    pub fn profile(&self) -> &str {
        &self.contents.profile
    }

    /// Number of documents.
    pub fn len(&self) -> usize {
        self.contents.docs as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.contents.docs == 0
    }

    /// The names of the fields: their analyzers.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.contents.fields.iter().map(|field| field.name.as_str())
    }

    /// The id of a document.
    ///
    /// # Panics
    /// Where there is no such document.
    pub fn id(&self, doc: u32) -> &str {
        let ends: &[u64] = self.numbers(self.contents.id_ends);
        let start = if doc == 0 { 0 } else { ends[doc as usize - 1] };
        let id = &self.bytes(self.contents.ids)[start as usize..ends[doc as usize] as usize];
        std::str::from_utf8(id).expect("checked when opened")
    }

    /// The document with an id.
    pub fn find(&self, id: &str) -> Option<u32> {
        let by_place = self.by_place();
        by_place.binary_search_by(|&doc| self.id(doc).cmp(id)).ok().map(|place| by_place[place])
    }

    /// The place of every document in the order of ids.
    pub(crate) fn places(&self) -> &[u32] {
        self.numbers(self.contents.places)
    }

    /// The document at every place.
    pub(crate) fn by_place(&self) -> &[u32] {
        self.numbers(self.contents.by_place)
    }

    /// Ids are text, and every document has its place in their order.
    fn check_ids(&self) -> Result<()> {
        let (ids, ends) = (self.bytes(self.contents.ids), self.numbers::<u64>(self.contents.id_ends));
        let text = std::str::from_utf8(ids).map_err(|_| self.damaged("ids"))?;
        let at_borders = ends.par_iter().all(|end| usize::try_from(*end).is_ok_and(|end| text.is_char_boundary(end)));
        if !at_borders || !ends.is_sorted() {
            return Err(self.damaged("id_ends"));
        }
        let docs = self.contents.docs;
        for (name, places) in [("places", self.places()), ("by_place", self.by_place())] {
            if !places.par_iter().all(|place| *place < docs) {
                return Err(self.damaged(name));
            }
        }
        Ok(())
    }

    /// Documents of fields are those of the index, and terms and their postings lie in the sections.
    fn check_fields(&self) -> Result<()> {
        let docs = self.contents.docs;
        for (number, contents) in self.contents.fields.iter().enumerate() {
            let field = self.field(number);
            let damaged = |part: &str| self.damaged(format!("{part} of {}", contents.name));
            if !field.members.is_sorted() || field.members.last().is_some_and(|last| *last >= docs) {
                return Err(damaged("members"));
            }
            let terms_end = field.term_ends.last().map_or(0, |end| *end);
            if !field.term_ends.is_sorted() || terms_end > field.terms.len() as u64 {
                return Err(damaged("term_ends"));
            }
            let inside = |(start, n): (&u64, &u32)| {
                let end = start.checked_add(5 * u64::from(*n));
                start.is_multiple_of(4)
                    && *n <= contents.docs
                    && end.is_some_and(|end| end <= field.postings.len() as u64)
            };
            if !field.starts.par_iter().zip(field.dfs).all(inside) {
                return Err(damaged("starts"));
            }
        }
        Ok(())
    }

    /// A field by number.
    pub(crate) fn field(&self, number: usize) -> FieldIndex<'_> {
        let contents = &self.contents.fields[number];
        FieldIndex {
            contents,
            members: self.numbers(contents.members),
            lengths: self.bytes(contents.lengths),
            term_ends: self.numbers(contents.term_ends),
            terms: self.bytes(contents.terms),
            dfs: self.numbers(contents.dfs),
            starts: self.numbers(contents.starts),
            postings: self.bytes(contents.postings),
            large: self.numbers(contents.large),
            path: &self.path,
        }
    }

    fn bytes(&self, section: Section) -> &[u8] {
        &self.map[section.start as usize..(section.start + section.bytes) as usize]
    }

    fn numbers<T: bytemuck::Pod>(&self, section: Section) -> &[T] {
        bytemuck::cast_slice(self.bytes(section))
    }

    fn damaged(&self, part: impl Into<String>) -> Error {
        Error::Damaged { path: self.path.clone(), part: part.into() }
    }

    fn sections(&self) -> Vec<(String, Section)> {
        let c = &self.contents;
        let own = [("id_ends", c.id_ends), ("ids", c.ids), ("places", c.places), ("by_place", c.by_place)];
        let mut all: Vec<(String, Section)> = own.map(|(name, section)| (name.to_owned(), section)).into();
        for f in &c.fields {
            let of_field = [
                ("members", f.members),
                ("lengths", f.lengths),
                ("term_ends", f.term_ends),
                ("terms", f.terms),
                ("dfs", f.dfs),
                ("starts", f.starts),
                ("postings", f.postings),
                ("large", f.large),
            ];
            all.extend(of_field.map(|(name, section)| (format!("{} of {}", name, f.name), section)));
        }
        all
    }

    fn check_lengths(&self) -> Result<()> {
        for (name, section) in self.sections() {
            let end = section.start.checked_add(section.bytes);
            if !section.start.is_multiple_of(8) || end.is_none_or(|end| end > self.map.len() as u64) {
                return Err(self.damaged(name));
            }
        }
        let c = &self.contents;
        let docs = u64::from(c.docs);
        let fits = |f: &FieldContents| {
            let terms = f.dfs.bytes / 4;
            f.lengths.bytes == u64::from(f.docs)
                && (f.members.bytes == 4 * u64::from(f.docs) || (f.members.bytes == 0 && f.docs == c.docs))
                && [f.term_ends.bytes, f.starts.bytes, 2 * f.dfs.bytes] == [8 * terms; 3]
                && f.postings.bytes.is_multiple_of(4)
                && f.large.bytes.is_multiple_of(12)
        };
        let whole = [c.id_ends.bytes, 2 * c.places.bytes, 2 * c.by_place.bytes] == [8 * docs; 3];
        match whole && c.fields.iter().all(fits) {
            true => Ok(()),
            false => Err(self.damaged("table")),
        }
    }
}

/// One field of an index.
pub(crate) struct FieldIndex<'a> {
    contents: &'a FieldContents,
    members: &'a [u32],
    lengths: &'a [u8],
    term_ends: &'a [u64],
    terms: &'a [u8],
    dfs: &'a [u32],
    starts: &'a [u64],
    postings: &'a [u8],
    large: &'a [u32],
    path: &'a Path,
}

/// The documents of a term.
pub(crate) struct Postings<'a> {
    term: u32,
    pub(crate) docs: &'a [u32],
    /// Frequencies; [`LARGE`] stands for [`FieldIndex::frequency`].
    pub(crate) tfs: &'a [u8],
}

impl<'a> FieldIndex<'a> {
    /// Documents with a token: the N of the formula.
    pub(crate) fn docs_with_tokens(&self) -> u64 {
        self.contents.docs_with_tokens.into()
    }

    /// Documents in the field.
    pub(crate) fn docs(&self) -> usize {
        self.contents.docs as usize
    }

    /// The document of the index that each document of the field is; `None` where they are the same.
    pub(crate) fn members(&self) -> Option<&'a [u32]> {
        (!self.members.is_empty()).then_some(self.members)
    }

    /// Coded lengths of the documents.
    pub(crate) fn lengths(&self) -> &'a [u8] {
        self.lengths
    }

    pub(crate) fn length_factors(&self, bm25: Bm25) -> [f32; 256] {
        let docs = self.contents.docs_with_tokens.max(1);
        bm25.length_factors((self.contents.tokens as f64 / f64::from(docs)) as f32)
    }

    /// The documents of `term`; `None` where there are none.
    ///
    /// # Errors
    /// They are not the field's: the index is damaged.
    pub(crate) fn postings(&self, term: &str) -> Result<Option<Postings<'a>>> {
        let (mut low, mut high) = (0, self.dfs.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.term(middle).cmp(term.as_bytes()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return self.at(middle).map(Some),
            }
        }
        Ok(None)
    }

    fn term(&self, number: usize) -> &'a [u8] {
        let start = if number == 0 { 0 } else { self.term_ends[number - 1] };
        &self.terms[start as usize..self.term_ends[number] as usize]
    }

    fn at(&self, number: usize) -> Result<Postings<'a>> {
        let (start, n) = (self.starts[number] as usize, self.dfs[number] as usize);
        let docs: &[u32] = bytemuck::cast_slice(&self.postings[start..start + 4 * n]);
        // All of them, since a damaged list need not rise; the maximum of a list is soon found.
        if docs.iter().copied().fold(0, u32::max) >= self.contents.docs && n > 0 {
            let part = format!("postings of {}", self.contents.name);
            return Err(Error::Damaged { path: self.path.to_owned(), part });
        }
        Ok(Postings { term: number as u32, docs, tfs: &self.postings[start + 4 * n..start + 5 * n] })
    }

    /// The frequency behind [`LARGE`].
    pub(crate) fn frequency(&self, postings: &Postings<'_>, doc: u32) -> u32 {
        let rows: &[[u32; 3]] = bytemuck::cast_slice(self.large);
        match rows.binary_search_by_key(&(postings.term, doc), |row| (row[0], row[1])) {
            Ok(at) => rows[at][2],
            Err(_) => LARGE,
        }
    }
}
