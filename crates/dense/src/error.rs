//! Everything that can go wrong here, each in one line with its file and its cure.

use std::path::{Path, PathBuf};

use crate::EncoderError;

/// A failure of storing, reading or searching vectors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is shorter or longer than its header says.
    #[error(
        "{}: {expected} bytes expected, {got} found: the file was cut short or overwritten; \
         delete it and run encode again, which resumes", path.display()
    )]
    Length {
        /// The shard or ids file.
        path: PathBuf,
        /// Bytes the header asks for.
        expected: u64,
        /// Bytes there are.
        got: u64,
    },
    /// The first bytes are those of another kind of file.
    #[error("{}: not {kind} (it starts with {got:02x?}); give the directory that encode wrote", path.display())]
    Magic {
        /// The file.
        path: PathBuf,
        /// What it should be.
        kind: &'static str,
        /// Its first bytes.
        got: Vec<u8>,
    },
    /// Written in a format this version does not know.
    #[error("{}: format version {got}, this program reads {expected}; encode again with this version", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version read here.
        expected: u32,
        /// The version found.
        got: u32,
    },
    /// A checksum does not hold.
    #[error(
        "{}: the checksum of its {part} is {got:016x}, {expected:016x} was written: the file is damaged; \
         delete it and run encode again, which resumes", path.display()
    )]
    Checksum {
        /// The file.
        path: PathBuf,
        /// Header or payload.
        part: &'static str,
        /// The checksum written.
        expected: u64,
        /// The checksum of what is there.
        got: u64,
    },
    /// Two files that belong together disagree.
    #[error("{}: {key} is {got}, but {expected} in {}; encode again into an empty directory", path.display(), other.display())]
    Disagree {
        /// The file at fault.
        path: PathBuf,
        /// Which field.
        key: &'static str,
        /// What the other file says.
        expected: String,
        /// What this one says.
        got: String,
        /// The other file.
        other: PathBuf,
    },
    /// A field holds a value that cannot be.
    #[error("{}: {key} is {got}; delete the file and run encode again", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// Which field.
        key: &'static str,
        /// Its value.
        got: String,
    },
    /// A JSON file does not parse.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        source: serde_json::Error,
    },
    /// The directory holds a run that did not end.
    #[error("{}: no manifest.json: the encoding did not finish; run encode again, which resumes", path.display())]
    Unfinished {
        /// The directory.
        path: PathBuf,
    },
    /// Another process writes here.
    #[error("{}: another process is encoding into this directory; wait for it or choose another directory", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The directory was begun with other settings.
    #[error(
        "{}: begun with {key} = {stored}, now {key} = {given}; give the same settings, or another output directory",
        path.display()
    )]
    PlanChanged {
        /// The plan on disk.
        path: PathBuf,
        /// The first setting that differs.
        key: String,
        /// Its value on disk.
        stored: String,
        /// Its value now.
        given: String,
    },
    /// The directory was begun with other texts.
    #[error(
        "{}: row {row} of the input is {given} now, {stored} when the shard was written; \
         give the same input, or another output directory", path.display()
    )]
    InputChanged {
        /// The finished shard.
        path: PathBuf,
        /// Row of the whole input, from 0.
        row: u64,
        /// What was there.
        stored: String,
        /// What is there now.
        given: String,
    },
    /// A vector holds NaN or an infinity.
    #[error(
        "the vector of {id:?} holds {value} at component {component}; the model is broken or its precision too low"
    )]
    NotFinite {
        /// The text's id.
        id: String,
        /// Which component, from 0.
        component: usize,
        /// NaN, inf or -inf.
        value: f32,
    },
    /// An encoder broke its contract.
    #[error("the encoder returned {got_rows} rows of {got_dim}; {rows} rows of {dim} were asked for")]
    EncoderShape {
        /// Texts given.
        rows: usize,
        /// [`Encoder::dim`](crate::Encoder::dim).
        dim: usize,
        /// Rows returned.
        got_rows: usize,
        /// Length of the rows returned.
        got_dim: usize,
    },
    /// The encoder failed.
    #[error("cannot encode the texts from {id:?} on: {source}")]
    Encoder {
        /// The first id of the window.
        id: String,
        /// Why.
        source: EncoderError,
    },
    /// The input failed.
    #[error("cannot read row {row} of the input: {source}")]
    Input {
        /// Row, from 0.
        row: u64,
        /// Why.
        source: EncoderError,
    },
    /// An id that the file of ids cannot hold.
    #[error("the id {id:?} of row {row} holds a line break; ids.txt has one id a line: rename it")]
    IdLineBreak {
        /// The id.
        id: String,
        /// Row, from 0.
        row: u64,
    },
    /// An option out of its range.
    #[error("{key} = {got}: must be {range}")]
    Option {
        /// Which option.
        key: &'static str,
        /// Its value.
        got: u64,
        /// What it may be.
        range: &'static str,
    },
    /// Translations are searched, but one side has none.
    #[error("{side} has no rows; both sides of a bitext need some")]
    NoRows {
        /// Which side.
        side: &'static str,
    },
    /// A name that is none of the known.
    #[error("unknown {what} {name:?}; known: {known}")]
    UnknownName {
        /// What was to be named.
        what: &'static str,
        /// The name given.
        name: String,
        /// The names there are.
        known: &'static str,
    },
    /// Encoder, index and ids do not fit together.
    #[error("{what}: {left} in {left_of}, {right} in {right_of}; encode the corpus with the model you search with")]
    Mismatch {
        /// What differs.
        what: &'static str,
        /// The value on one side.
        left: usize,
        /// Which side.
        left_of: &'static str,
        /// The value on the other side.
        right: usize,
        /// Which side.
        right_of: &'static str,
    },
    /// A text that a calibration cannot be applied to.
    #[error(
        "a text in {lang} cannot be calibrated: the model was fitted on {fitted}; fit it on that language too, declare the language, or leave such texts uncalibrated"
    )]
    Uncalibrated {
        /// Its language.
        lang: String,
        /// The languages there are.
        fitted: String,
    },
    /// A part of a calibration that cannot be used.
    #[error("{lang}.{part} is {problem}; fit the calibration again")]
    CalibrationPart {
        /// The language.
        lang: String,
        /// mean, std or rotation.
        part: &'static str,
        /// What is wrong, expected and got.
        problem: String,
    },
    /// No orthogonal map between two sets of vectors.
    #[error(
        "no rotation can be learnt from {pairs} pair(s) of vectors; give more texts, and check that they are finite"
    )]
    NoRotation {
        /// Pairs there were.
        pairs: usize,
    },
    /// There is no approximate index.
    #[error("{}: not there: these vectors have no approximate index; build it with `isogloss index DIR --hnsw`", path.display())]
    NoIndex {
        /// Its manifest.
        path: PathBuf,
    },
    /// A file of an index is shorter or longer than its head says.
    #[error(
        "{}: {expected} bytes expected, {got} found: the file was cut short or overwritten; \
         make it again with `isogloss index` (--rebuild, --attributes)", path.display()
    )]
    IndexLength {
        /// The file.
        path: PathBuf,
        /// Bytes the head asks for.
        expected: u64,
        /// Bytes there are.
        got: u64,
    },
    /// A checksum or a bound of an index does not hold.
    #[error("{}: its {part} are not as they were written; make it again with `isogloss index` (--rebuild, --attributes)", path.display())]
    IndexDamaged {
        /// The file.
        path: PathBuf,
        /// Which part.
        part: String,
    },
    /// An index in a format this version does not know.
    #[error("{}: format version {got}, this program reads {expected}; make it again with `isogloss index` (--rebuild, --attributes)", path.display())]
    IndexVersion {
        /// The file.
        path: PathBuf,
        /// The version read here.
        expected: u32,
        /// The version found.
        got: u32,
    },
    /// An index and the vectors beside it do not belong together.
    #[error("{}: is of other vectors than those beside it; make it again with `isogloss index` (--rebuild, --attributes)", path.display())]
    IndexStale {
        /// The index's manifest or a file that it names.
        path: PathBuf,
    },
    /// There are vectors that the index has not.
    #[error("{}: has {indexed} of {shards} shards; add the others with `isogloss index DIR --hnsw`", path.display())]
    IndexBehind {
        /// The index's manifest.
        path: PathBuf,
        /// Shards that are indexed.
        indexed: usize,
        /// Shards there are.
        shards: usize,
    },
    /// An index was begun with other options.
    #[error("{}: built with {key} = {stored}, now {key} = {given}; give the same, or --rebuild", path.display())]
    IndexOptions {
        /// The index's manifest.
        path: PathBuf,
        /// The first option that differs.
        key: String,
        /// Its value in the index.
        stored: String,
        /// Its value now.
        given: String,
    },
    /// No attributes were stored.
    #[error("{}: not there: these vectors have no attributes; store them with `isogloss index DIR --attributes CORPUS`", path.display())]
    NoAttributes {
        /// Their file.
        path: PathBuf,
    },
    /// A key or value of a filter that no row has.
    #[error("{}: no row has {key} = {value}; known: {known}", path.display())]
    UnknownAttribute {
        /// The file of attributes.
        path: PathBuf,
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// The keys, or the key's values, that there are.
        known: String,
    },
    /// Vectors were to be brought to where there are some.
    #[error("{}: holds vectors already; choose another directory, or leave out those to be brought there", path.display())]
    StoreThere {
        /// The directory.
        path: PathBuf,
    },
    /// An id that two rows have.
    #[error("{}: the id {id:?} is there twice; rename one of the two", path.display())]
    IdTwice {
        /// The directory of vectors.
        path: PathBuf,
        /// The id.
        id: String,
    },
    /// A file of vectors of another tool that cannot be read.
    #[error("{}: {problem}", path.display())]
    VectorFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the cure.
        problem: String,
    },
    /// An id that no row has.
    #[error("{}: no row has the id {id:?}; check the ids", path.display())]
    UnknownId {
        /// The directory of vectors.
        path: PathBuf,
        /// The id.
        id: String,
    },
    /// More rows than a row number can hold.
    #[error("{}: {rows} rows, at most {} can be searched at once; split the corpus", path.display(), u32::MAX)]
    TooManyRows {
        /// The directory.
        path: PathBuf,
        /// Its rows.
        rows: u64,
    },
}

impl Error {
    /// Adds the file and the deed to what the system said.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { action, path, source }
    }
}
