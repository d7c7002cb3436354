//! Training data out of what words and vectors find: hard negatives, and pairs for queries without labels.
//!
//! The line: corpus → [`Passages`]; index and vectors of it → [`Lists`]; queries → [`negatives::mine`] or [`pairs::mine`] → rows
//! that `isogloss train` reads, and a report to audit them by. Both go block by block of queries, hold no more than a block,
//! and end in the same bytes when they are killed and started again.
#![forbid(unsafe_code)]

mod error;
mod histogram;
mod lists;
mod named;
mod near;
pub mod negatives;
pub mod pairs;
mod parallel;
mod passages;
mod query_vectors;
mod row;
mod work;

pub use error::{Error, Result};
pub use histogram::Histogram;
pub use lists::{LISTS, Langs, Lists, Ranked};
pub use parallel::Parallel;
pub use passages::{Passage, Passages};
pub use query_vectors::QueryVectors;
pub use work::{remove_work_folder, work_folder};

/// Queries mined together: what is lost at most when the program is killed.
pub const BLOCK: usize = 1024;
