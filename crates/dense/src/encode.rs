//! From a stream of texts to a directory of shards, resumable, in bounded memory.

use std::fs::{self, File};
use std::iter::Peekable;
use std::path::Path;

use isogloss_ir::{Lang, lock_folder};
use xxhash_rust::xxh3::Xxh3;

use crate::ids::IdsWriter;
use crate::manifest::{Manifest, Plan, ShardEntry};
use crate::shard::ShardWriter;
use crate::{Dtype, Encoder, EncoderError, Error, FORMAT_VERSION, Ids, Progress, Result, Shard, Side, Text, Vectors};

/// How texts become a directory of vectors.
#[derive(Clone, Debug)]
pub struct EncodeOptions {
    /// Name of the model, for people.
    pub model: String,
    /// Hash of the model's files: another one does not resume.
    pub model_hash: String,
    /// Role of the texts.
    pub side: Side,
    /// The model's pooling, by name.
    pub pooling: String,
    /// Whatever else of the encoder changes its vectors, as text: another one does not resume.
    pub settings: String,
    /// Stored type.
    pub dtype: Dtype,
    /// Rows of a shard, 1 to `u32::MAX`: what is lost at most when the run is killed.
    pub rows_per_shard: usize,
    /// Most texts given to the encoder at once, at least 1.
    pub window: usize,
    /// Bytes of text after which a window ends, at least 1.
    pub window_bytes: usize,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        Self {
            model: String::new(),
            model_hash: String::new(),
            side: Side::Doc,
            pooling: String::new(),
            settings: String::new(),
            dtype: Dtype::F32,
            rows_per_shard: 65_536,
            window: 4096,
            window_bytes: 32 << 20,
        }
    }
}

impl EncodeOptions {
    fn plan(&self, dim: usize) -> Result<Plan> {
        Ok(Plan {
            format_version: FORMAT_VERSION,
            model: self.model.clone(),
            model_hash: self.model_hash.clone(),
            side: self.side,
            pooling: self.pooling.clone(),
            settings: self.settings.clone(),
            dim: positive("the encoder's dim", dim)?,
            dtype: self.dtype,
            rows_per_shard: positive("rows_per_shard", self.rows_per_shard)?,
            window: positive("window", self.window)?,
            window_bytes: self.window_bytes.max(1) as u64,
        })
    }
}

fn positive(key: &'static str, value: usize) -> Result<u32> {
    let fits = u32::try_from(value).ok().filter(|v| *v > 0);
    fits.ok_or(Error::Option { key, got: value as u64, range: "1 to 4294967295" })
}

/// Encodes `texts` ([`Text`], or id and text) in their order into `directory`, and returns the manifest it ends with.
///
/// Memory: one window of texts and vectors, and the ids of one shard, whatever the number of texts.
/// Killed at any moment and started again with the same arguments, it goes on after the last finished shard and
/// ends in the same bytes: the input is read again from its beginning, finished shards are verified against it.
///
/// # Errors
/// Other options or other texts than those the directory was begun with; a damaged shard; a vector that is not
/// finite, by its id; whatever the input, the encoder or the disk fails with.
pub fn encode_to_shards<T: Into<Text>, E: Into<EncoderError>>(
    encoder: &dyn Encoder,
    texts: impl IntoIterator<Item = std::result::Result<T, E>>,
    directory: &Path,
    options: &EncodeOptions,
    mut progress: impl FnMut(Progress),
) -> Result<Manifest> {
    let plan = options.plan(encoder.dim())?;
    fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
    let _lock = lock(directory)?;
    plan.begin(directory)?;
    let input = Input::new(texts.into_iter());
    let mut run = Run { encoder, directory, plan, input, resumed_rows: 0, shards: Vec::new() };
    while run.input.more()? {
        run.next_shard(&mut progress)?;
    }
    run.finish()
}

/// Holds the directory until dropped.
fn lock(directory: &Path) -> Result<File> {
    let path = directory.join(".lock");
    lock_folder(directory).map_err(Error::io("lock", &path))?.ok_or(Error::Locked { path })
}

struct Run<'a, I: Iterator> {
    encoder: &'a dyn Encoder,
    directory: &'a Path,
    plan: Plan,
    input: Input<I>,
    resumed_rows: u64,
    shards: Vec<ShardEntry>,
}

impl<I, T, E> Run<'_, I>
where
    I: Iterator<Item = std::result::Result<T, E>>,
    T: Into<Text>,
    E: Into<EncoderError>,
{
    fn next_shard(&mut self, progress: &mut impl FnMut(Progress)) -> Result<()> {
        let (vectors, ids) = file_names(self.shards.len());
        let path = self.directory.join(&vectors);
        if path.exists() {
            self.check_finished(&path, &self.directory.join(&ids))?;
            progress(self.progress());
        } else {
            self.write_shard(&path, &self.directory.join(&ids), progress)?;
        }
        let shard = Shard::open(&path)?;
        let payload_xxh3 = format!("{:016x}", shard.header().payload_xxh3);
        self.shards.push(ShardEntry { vectors, ids, rows: shard.header().rows, payload_xxh3 });
        Ok(())
    }

    fn progress(&self) -> Progress {
        Progress { rows: self.input.row, resumed_rows: self.resumed_rows, shards: self.shards.len() }
    }

    fn write_shard(&mut self, path: &Path, ids_path: &Path, progress: &mut impl FnMut(Progress)) -> Result<()> {
        let mut shard = ShardWriter::create(path, self.plan.dtype, self.plan.dim as usize)?;
        let mut ids = IdsWriter::new();
        let mut texts_hash = Xxh3::new();
        let mut left = self.plan.rows_per_shard as usize;
        while left > 0 && self.input.more()? {
            let window = self.input.window(left.min(self.plan.window as usize), self.plan.window_bytes as usize)?;
            let vectors = encode_texts(self.encoder, &window, self.plan.side)?;
            for (i, text) in window.iter().enumerate() {
                hash_text(&mut texts_hash, text);
                ids.push(&text.id)?;
                shard.push(vectors.row(i))?;
            }
            left -= window.len();
            progress(self.progress());
        }
        // The ids first: a shard of vectors under its own name means that both are there.
        let ids_xxh3 = ids.write(ids_path)?;
        shard.commit(ids_xxh3, texts_hash.digest())
    }

    /// Reads as many rows as the finished shard should have and compares them with it.
    fn check_finished(&mut self, path: &Path, ids_path: &Path) -> Result<()> {
        let shard = Shard::open(path)?;
        shard.verify()?;
        let ids = Ids::open(ids_path)?;
        let mut texts_hash = Xxh3::new();
        let first = self.input.row;
        for at in 0..self.plan.rows_per_shard as usize {
            let stored = (at < ids.len()).then(|| ids.get(at));
            let given = self.input.next()?;
            if given.is_none() && stored.is_none() {
                break;
            }
            if stored != given.as_ref().map(|text| text.id.as_str()) {
                return Err(changed(path, first + at as u64, stored, given.as_ref().map(|text| text.id.as_str())));
            }
            hash_text(&mut texts_hash, &given.expect("equal to what is stored"));
            self.resumed_rows += 1;
        }
        if texts_hash.digest() != shard.header().texts_xxh3 {
            let (stored, given) =
                ("another text".to_owned(), "a text that differs (here or in a later row)".to_owned());
            return Err(Error::InputChanged { path: path.to_owned(), row: first, stored, given });
        }
        Ok(())
    }

    fn finish(self) -> Result<Manifest> {
        let (vectors, _) = file_names(self.shards.len());
        let beyond = self.directory.join(vectors);
        if beyond.exists() {
            return Err(changed(&beyond, self.input.row, Some("a row"), None));
        }
        let manifest = Manifest { plan: self.plan, rows: self.input.row, shards: self.shards };
        manifest.write(self.directory)?;
        Ok(manifest)
    }
}

fn changed(path: &Path, row: u64, stored: Option<&str>, given: Option<&str>) -> Error {
    let name = |id: Option<&str>| id.map_or("the end".to_owned(), |id| format!("{id:?}"));
    Error::InputChanged { path: path.to_owned(), row, stored: name(stored), given: name(given) }
}

fn file_names(shard: usize) -> (String, String) {
    (format!("vectors-{shard:05}.iso"), format!("ids-{shard:05}.iso"))
}

/// Ids, texts and languages (where there are any) with their lengths, so that no two different inputs run together.
fn hash_text(hash: &mut Xxh3, text: &Text) {
    for part in [text.id.as_str(), &text.text].into_iter().chain(text.lang.as_ref().map(|lang| lang.as_str())) {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
}

/// Encodes `texts` at once and holds the result against the contract: its shape, and every number finite.
///
/// # Errors
/// What the encoder fails with; a vector that is not finite, by its id.
pub fn encode_texts(encoder: &dyn Encoder, window: &[Text], side: Side) -> Result<Vectors> {
    let texts: Vec<&str> = window.iter().map(|text| text.text.as_str()).collect();
    let langs: Vec<Option<Lang>> = window.iter().map(|text| text.lang).collect();
    let first_id = || window.first().map(|text| text.id.clone()).unwrap_or_default();
    let vectors =
        encoder.encode_in(&texts, &langs, side).map_err(|source| Error::Encoder { id: first_id(), source })?;
    let (rows, dim) = (texts.len(), encoder.dim());
    if (vectors.len(), vectors.dim()) != (rows, dim) {
        return Err(Error::EncoderShape { rows, dim, got_rows: vectors.len(), got_dim: vectors.dim() });
    }
    match vectors.data().iter().position(|x| !x.is_finite()) {
        None => Ok(vectors),
        Some(at) => {
            let (id, value) = (window[at / dim].id.clone(), vectors.data()[at]);
            Err(Error::NotFinite { id, component: at % dim, value })
        }
    }
}

/// The texts, counted, with their errors named by row.
pub(crate) struct Input<I: Iterator> {
    rows: Peekable<I>,
    /// Rows read so far.
    pub(crate) row: u64,
}

impl<I, T, E> Input<I>
where
    I: Iterator<Item = std::result::Result<T, E>>,
    T: Into<Text>,
    E: Into<EncoderError>,
{
    pub(crate) fn new(rows: I) -> Self {
        Self { rows: rows.peekable(), row: 0 }
    }

    /// Whether another row comes; an error that comes next is one now.
    pub(crate) fn more(&mut self) -> Result<bool> {
        if matches!(self.rows.peek(), Some(Err(_))) {
            self.next()?;
        }
        Ok(self.rows.peek().is_some())
    }

    pub(crate) fn next(&mut self) -> Result<Option<Text>> {
        let row = self.row;
        let next = self.rows.next().transpose().map_err(|e| Error::Input { row, source: e.into() })?;
        self.row += u64::from(next.is_some());
        Ok(next.map(Into::into))
    }

    /// Up to `most` rows, and no more once they hold `bytes` of text.
    pub(crate) fn window(&mut self, most: usize, bytes: usize) -> Result<Vec<Text>> {
        let mut window = Vec::new();
        let mut size = 0;
        while window.len() < most && size < bytes {
            let Some(row) = self.next()? else { break };
            size += row.text.len();
            window.push(row);
        }
        Ok(window)
    }
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
