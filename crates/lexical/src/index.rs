//! From documents to an index: batches are analysed in parallel, their postings sorted, and all merged at the end.

pub(crate) mod format;
mod interner;
pub(crate) mod merge;
mod run;

use crate::analyzer::{Analyzer, Field, OpenSubword, Profile};
use crate::bm25::encode_length;
use crate::detect::field_of;
use crate::error::{Error, Result};
use format::{Contents, FieldContents, Writer};
use isogloss_ir::Doc;
use merge::Merged;
use rayon::prelude::*;
use run::Run;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Text analysed between two readings.
const BATCH_BYTES: usize = 32 << 20;
/// Documents of one sorted run, at most.
const RUN_DOCS: usize = 1 << 14;

/// How an index is made.
#[derive(Debug, Clone)]
pub struct IndexOptions {
    /// The analysis.
    pub profile: Profile,
    /// Bytes of sorted postings held before they go to a temporary file.
    pub memory: usize,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self { profile: Profile::Auto, memory: 1 << 30 }
    }
}

/// What an index holds, field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSummary {
    /// The analyzer.
    pub name: String,
    /// Documents in the field.
    pub docs: u32,
    /// Tokens of all of them.
    pub tokens: u64,
    /// Different tokens.
    pub terms: u64,
}

/// Indexes `docs` (title and text) into the folder `out`, which appears whole or not at all.
///
/// The bytes depend on documents and options alone, not on the number of threads. `told` is called with the number of
/// documents read so far. Memory: a batch of text, `options.memory`, and the terms.
///
/// # Errors
/// `out` is there already, a document cannot be read, `open` fails, or the disk does.
pub fn build_index(
    docs: impl Iterator<Item = isogloss_ir::Result<Doc>>,
    out: &Path,
    options: &IndexOptions,
    open: &OpenSubword<'_>,
    told: &mut dyn FnMut(u64),
) -> Result<Vec<FieldSummary>> {
    if out.exists() {
        return Err(Error::Exists { path: out.to_owned() });
    }
    let partial = partial_name(out);
    let made = || -> Result<Vec<FieldSummary>> {
        remove(&partial)?;
        fs::create_dir_all(&partial).map_err(Error::io("create", &partial))?;
        let mut builder = Builder::new(options, open, &partial)?;
        builder.read(docs, told)?;
        let summary = builder.finish(&partial)?;
        File::open(&partial).and_then(|folder| folder.sync_all()).map_err(Error::io("sync", &partial))?;
        fs::rename(&partial, out).map_err(Error::io("rename into place", out))?;
        let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|folder| folder.sync_all()).map_err(Error::io("sync", parent))?;
        Ok(summary)
    };
    made().inspect_err(|_| {
        // The error that led here is the one to report.
        let _ = remove(&partial);
    })
}

fn partial_name(out: &Path) -> PathBuf {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!(".{name}.partial"))
}

fn remove(folder: &Path) -> Result<()> {
    match folder.exists() {
        true => fs::remove_dir_all(folder).map_err(Error::io("remove", folder)),
        false => Ok(()),
    }
}

/// Sorted postings of one batch, where they are kept.
enum Kept {
    Memory(Vec<u8>),
    Spilled { start: u64, bytes: u64 },
}

struct FieldBuilder {
    field: Field,
    analyzer: Box<dyn Analyzer>,
    /// The document of the index that each of the field is; empty where all are, in order.
    members: Vec<u32>,
    lengths: Vec<u8>,
    docs_with_tokens: u32,
    tokens: u64,
    runs: Vec<Kept>,
}

struct Builder<'a> {
    options: &'a IndexOptions,
    open: &'a OpenSubword<'a>,
    fields: Vec<FieldBuilder>,
    id_ends: Vec<u64>,
    ids: Vec<u8>,
    held: usize,
    spill: Spill,
}

impl<'a> Builder<'a> {
    fn new(options: &'a IndexOptions, open: &'a OpenSubword<'a>, folder: &Path) -> Result<Self> {
        let spill = Spill { path: folder.join("spilled"), file: None, written: 0 };
        let (fields, id_ends, ids) = (Vec::new(), Vec::new(), Vec::new());
        let mut builder = Self { options, open, fields, id_ends, ids, held: 0, spill };
        if let Profile::Fields(fields) = &options.profile {
            for field in fields {
                builder.field(field)?;
            }
        }
        Ok(builder)
    }

    /// The number of a field, a new one where it was not seen yet.
    fn field(&mut self, field: &Field) -> Result<usize> {
        if let Some(at) = self.fields.iter().position(|known| known.field == *field) {
            return Ok(at);
        }
        self.fields.push(FieldBuilder {
            field: field.clone(),
            analyzer: field.analyzer(self.open)?,
            members: Vec::new(),
            lengths: Vec::new(),
            docs_with_tokens: 0,
            tokens: 0,
            runs: Vec::new(),
        });
        Ok(self.fields.len() - 1)
    }

    fn read(&mut self, docs: impl Iterator<Item = isogloss_ir::Result<Doc>>, told: &mut dyn FnMut(u64)) -> Result<()> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for doc in docs {
            let doc = doc?;
            bytes += doc.title.len() + doc.text.len();
            self.ids.extend_from_slice(doc.id.as_bytes());
            self.id_ends.push(self.ids.len() as u64);
            batch.push((doc.full_text_with("\n").into_owned(), doc.lang));
            if bytes >= BATCH_BYTES {
                self.add(&std::mem::take(&mut batch))?;
                bytes = 0;
                told(self.id_ends.len() as u64);
            }
        }
        self.add(&batch)?;
        told(self.id_ends.len() as u64);
        Ok(())
    }

    /// Adds the texts that were read last.
    fn add(&mut self, batch: &[(String, Option<isogloss_ir::Lang>)]) -> Result<()> {
        u32::try_from(self.id_ends.len()).map_err(|_| Error::TooManyDocs)?;
        let first = (self.id_ends.len() - batch.len()) as u32;
        let mut texts: Vec<Vec<&str>> = vec![Vec::new(); self.fields.len()];
        match &self.options.profile {
            Profile::Fields(_) => {
                let all: Vec<&str> = batch.iter().map(|(text, _)| text.as_str()).collect();
                texts.fill(all);
            }
            Profile::Auto => {
                let fields: Vec<Field> = batch.par_iter().map(|(text, lang)| field_of(text, *lang)).collect();
                for (doc, (field, (text, _))) in (first..).zip(fields.iter().zip(batch)) {
                    let at = self.field(field)?;
                    texts.resize(self.fields.len(), Vec::new());
                    texts[at].push(text);
                    self.fields[at].members.push(doc);
                }
            }
        }
        for (at, texts) in texts.iter().enumerate() {
            self.add_to(at, texts)?;
        }
        Ok(())
    }

    /// Adds texts to a field, run by run.
    fn add_to(&mut self, at: usize, texts: &[&str]) -> Result<()> {
        let field = &mut self.fields[at];
        let first = field.lengths.len();
        let docs = texts.len().div_ceil(rayon::current_num_threads()).clamp(1, RUN_DOCS);
        let runs: Vec<Run> = texts
            .par_chunks(docs)
            .enumerate()
            .map(|(i, texts)| Run::new(&*field.analyzer, (first + i * docs) as u32, texts))
            .collect::<Result<_>>()?;
        for run in runs {
            field.lengths.extend(run.lengths.iter().map(|&length| encode_length(length)));
            field.docs_with_tokens += run.lengths.iter().filter(|&&length| length > 0).count() as u32;
            field.tokens += run.lengths.iter().map(|&length| u64::from(length)).sum::<u64>();
            self.held += run.bytes.len();
            field.runs.push(Kept::Memory(run.bytes));
        }
        if self.held > self.options.memory {
            self.spill_all()?;
        }
        Ok(())
    }

    fn spill_all(&mut self) -> Result<()> {
        for run in self.fields.iter_mut().flat_map(|field| &mut field.runs) {
            if let Kept::Memory(bytes) = run {
                *run = self.spill.write(bytes)?;
            }
        }
        self.held = 0;
        Ok(())
    }

    fn finish(mut self, folder: &Path) -> Result<Vec<FieldSummary>> {
        let spilled = self.spill.map()?;
        let mut writer = Writer::create(&folder.join(format::FILE))?;
        let docs = self.id_ends.len() as u32;
        let mut fields = Vec::with_capacity(self.fields.len());
        let mut summary = Vec::with_capacity(self.fields.len());
        for field in self.fields.drain(..) {
            let (contents, terms) = field.write(&mut writer, spilled.as_deref().unwrap_or_default())?;
            summary.push(FieldSummary {
                name: contents.name.clone(),
                docs: contents.docs,
                tokens: contents.tokens,
                terms,
            });
            fields.push(contents);
        }
        let (places, by_place) = order(&self.ids, &self.id_ends);
        let contents = Contents {
            profile: self.options.profile.to_string(),
            docs,
            id_ends: writer.section(bytemuck::cast_slice(&self.id_ends))?,
            ids: writer.section(&self.ids)?,
            places: writer.section(bytemuck::cast_slice(&places))?,
            by_place: writer.section(bytemuck::cast_slice(&by_place))?,
            fields,
        };
        writer.finish(&contents)?;
        drop(spilled);
        self.spill.remove()?;
        Ok(summary)
    }
}

impl FieldBuilder {
    fn write(self, writer: &mut Writer, spilled: &[u8]) -> Result<(FieldContents, u64)> {
        let runs: Vec<&[u8]> = self
            .runs
            .iter()
            .map(|run| match run {
                Kept::Memory(bytes) => bytes,
                Kept::Spilled { start, bytes } => &spilled[*start as usize..(start + bytes) as usize],
            })
            .collect();
        writer.begin()?;
        let merged = Merged::postings(&runs, writer)?;
        let postings = writer.end();
        let written = merged.write(writer)?;
        let contents = FieldContents {
            name: self.field.to_string(),
            docs: self.lengths.len() as u32,
            docs_with_tokens: self.docs_with_tokens,
            tokens: self.tokens,
            members: writer.section(bytemuck::cast_slice(&self.members))?,
            lengths: writer.section(&self.lengths)?,
            term_ends: written.term_ends,
            terms: written.terms,
            dfs: written.dfs,
            starts: written.starts,
            postings,
            large: written.large,
        };
        Ok((contents, written.dfs.bytes / 4))
    }
}

/// The place of every document in the order of ids, by bytes, and the document at every place.
fn order(ids: &[u8], ends: &[u64]) -> (Vec<u32>, Vec<u32>) {
    let id = |doc: u32| {
        let start = if doc == 0 { 0 } else { ends[doc as usize - 1] };
        &ids[start as usize..ends[doc as usize] as usize]
    };
    let mut by_place: Vec<u32> = (0..ends.len() as u32).collect();
    by_place.par_sort_unstable_by(|&a, &b| id(a).cmp(id(b)).then(a.cmp(&b)));
    let mut places = vec![0; by_place.len()];
    for (place, &doc) in by_place.iter().enumerate() {
        places[doc as usize] = place as u32;
    }
    (places, by_place)
}

/// A temporary file of runs that memory has no room for.
struct Spill {
    path: PathBuf,
    file: Option<File>,
    written: u64,
}

impl Spill {
    fn write(&mut self, bytes: &[u8]) -> Result<Kept> {
        if self.file.is_none() {
            let file = File::options().read(true).write(true).create_new(true).open(&self.path);
            self.file = Some(file.map_err(Error::io("create", &self.path))?);
        }
        let file = self.file.as_mut().expect("opened");
        file.write_all(bytes).map_err(Error::io("write", &self.path))?;
        let start = self.written;
        self.written += bytes.len() as u64;
        Ok(Kept::Spilled { start, bytes: bytes.len() as u64 })
    }

    fn map(&self) -> Result<Option<memmap2::Mmap>> {
        let Some(file) = &self.file else { return Ok(None) };
        // SAFETY: the file is ours alone, in a folder under a temporary name, and nothing writes to it from here on.
        unsafe { memmap2::Mmap::map(file) }.map(Some).map_err(Error::io("map", &self.path))
    }

    fn remove(&mut self) -> Result<()> {
        match self.file.take() {
            Some(_) => fs::remove_file(&self.path).map_err(Error::io("remove", &self.path)),
            None => Ok(()),
        }
    }
}
