//! A file that is either wholly there or not at all.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Written under a temporary name; takes its own name only in [`AtomicFile::commit`].
pub(crate) struct AtomicFile {
    file: Option<BufWriter<File>>,
    temporary: PathBuf,
    target: PathBuf,
}

impl AtomicFile {
    /// Begins `target`, as `.name.partial` beside it.
    pub(crate) fn create(target: &Path) -> Result<Self> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let temporary = target.with_file_name(format!(".{name}.partial"));
        let file = File::create(&temporary).map_err(Error::io("create", &temporary))?;
        Ok(Self { file: Some(BufWriter::with_capacity(1 << 18, file)), temporary, target: target.to_owned() })
    }

    /// Appends `bytes`.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer().write_all(bytes).map_err(Error::io("write", &self.target))
    }

    /// Writes `bytes` over the beginning of the file, then puts it on the disk under its own name.
    pub(crate) fn commit_with_head(mut self, head: &[u8]) -> Result<()> {
        use std::io::{Seek, SeekFrom};
        let written = self.writer().seek(SeekFrom::Start(0)).and_then(|_| self.writer().write_all(head));
        written.map_err(Error::io("write", &self.target))?;
        self.commit()
    }

    /// Puts the file on the disk under its own name.
    pub(crate) fn commit(mut self) -> Result<()> {
        let buffer = self.file.take().expect("open until committed");
        let file = buffer.into_inner().map_err(|e| Error::io("write", &self.target)(e.into_error()))?;
        file.sync_all().map_err(Error::io("sync", &self.target))?;
        fs::rename(&self.temporary, &self.target).map_err(Error::io("rename into place", &self.target))?;
        sync_directory(self.target.parent().unwrap_or(Path::new(".")))
    }

    fn writer(&mut self) -> &mut BufWriter<File> {
        self.file.as_mut().expect("open until committed")
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Nothing more can be done about a temporary file that stays: the next run overwrites it.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Makes a rename within `directory` outlast a power cut.
fn sync_directory(directory: &Path) -> Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    #[cfg(unix)]
    File::open(directory).and_then(|d| d.sync_all()).map_err(Error::io("sync", directory))?;
    Ok(())
}

/// Writes a small file in one go.
pub(crate) fn write_whole(target: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = AtomicFile::create(target)?;
    file.write(bytes)?;
    file.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stays_of_a_file_that_was_not_committed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a");
        AtomicFile::create(&target).unwrap().write(b"half").unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        write_whole(&target, b"whole").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"whole");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
