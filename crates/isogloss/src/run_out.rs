//! Where a run goes: a file, whole or not at all; a pipe; or stdout.

use crate::exit::Fault;
use isogloss_ir::{AtomicFile, Error, Run};
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

/// Whether a file can be put there by rename: a pipe or a device cannot.
pub fn is_plain(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |metadata| metadata.is_file())
}

/// Writes a run as TREC rows to `out`, or to stdout.
///
/// # Errors
/// It cannot be written, or an id holds white space.
pub fn write(run: &Run, out: Option<&Path>) -> isogloss_ir::Result<()> {
    put(out, |mut to, name| run.write_to(&mut to, TAG, name))
}

/// Lets `rows` write to `out`, or to stdout.
///
/// # Errors
/// It cannot be written, or what `rows` fails with.
pub fn put<E: From<Error>>(
    out: Option<&Path>,
    rows: impl FnOnce(&mut dyn Write, &Path) -> Result<(), E>,
) -> Result<(), E> {
    match out {
        Some(path) if is_plain(path) => {
            let mut file = AtomicFile::create(path)?;
            rows(&mut file, path)?;
            Ok(file.commit()?)
        }
        Some(path) => {
            let file = OpenOptions::new().write(true).open(path).map_err(|e| Error::io(path, e))?;
            stream(rows, file, path)
        }
        None => stream(rows, io::stdout().lock(), Path::new("stdout")),
    }
}

fn stream<E: From<Error>>(
    rows: impl FnOnce(&mut dyn Write, &Path) -> Result<(), E>,
    to: impl Write,
    name: &Path,
) -> Result<(), E> {
    let mut writer = BufWriter::new(to);
    rows(&mut writer, name)?;
    Ok(writer.flush().map_err(|e| Error::io(name, e))?)
}
