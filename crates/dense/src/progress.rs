//! How far an encoding has come.

/// Told to the caller after every window of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rows finished so far, found ones included.
    pub rows: u64,
    /// Of these, rows of shards that an earlier run had finished.
    pub resumed_rows: u64,
    /// Shards finished so far.
    pub shards: usize,
}
