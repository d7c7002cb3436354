//! Where a run goes: a file, whole or not at all; a pipe; or stdout.

use crate::exit::Fault;
use isogloss_ir::{Error, Run};
use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// The last column of the run.
pub const TAG: &str = "isogloss";

/// Refuses a folder where a file was asked for.
///
/// # Errors
/// It is one.
pub fn refuse_folder(out: Option<&Path>) -> Result<(), Fault> {
    match out.filter(|out| out.is_dir()) {
        Some(folder) => Err(Fault::new(folder, "is a folder; name a file for the run")),
        None => Ok(()),
    }
}

/// Writes TREC rows to `out`, or to stdout.
///
/// # Errors
/// It cannot be written, or an id holds white space.
pub fn write(run: &Run, out: Option<&Path>) -> isogloss_ir::Result<()> {
    match out {
        // A pipe or a device cannot be put in place by renaming.
        Some(path) if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) => {
            let file = OpenOptions::new().write(true).open(path).map_err(|e| Error::io(path, e))?;
            stream(run, file, path)
        }
        Some(path) => run.write(path, TAG),
        None => stream(run, io::stdout().lock(), Path::new("stdout")),
    }
}

fn stream(run: &Run, to: impl Write, name: &Path) -> isogloss_ir::Result<()> {
    let mut writer = BufWriter::new(to);
    run.write_to(&mut writer, TAG, name)?;
    writer.flush().map_err(|e| Error::io(name, e))
}
