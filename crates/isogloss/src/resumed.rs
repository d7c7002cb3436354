//! A file of lines that takes long to write: what a killed process left is gone on from, and the file appears whole or not at all.

use isogloss_ir::{Error, write_atomic};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How far the file is; lies beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// What decides the lines: the same plan gives the same ones.
    plan: String,
    /// Parts of the work that the lines are of.
    done: u64,
    /// Length of these lines.
    bytes: u64,
}

/// A file in the making: its lines in `.NAME.partial`, how far it is in `.NAME.state`.
pub struct Resumed {
    out: PathBuf,
    state: State,
    /// Open once there is something to write, so that a request that fails at once leaves nothing.
    file: Option<File>,
}

impl Resumed {
    /// Begins `out`, or goes on where the same `plan` was left; what another plan left is written over.
    ///
    /// # Errors
    /// What was left cannot be read.
    pub fn open(out: &Path, plan: String) -> isogloss_ir::Result<Self> {
        let out = out.to_owned();
        let fresh = State { plan, done: 0, bytes: 0 };
        let left = fs::read(sibling(&out, "state")).ok().and_then(|bytes| serde_json::from_slice::<State>(&bytes).ok());
        let lines = fs::metadata(sibling(&out, "partial")).map_or(0, |lines| lines.len());
        let fits = |left: &State| left.plan == fresh.plan && left.bytes <= lines;
        match left.filter(fits) {
            None => Ok(Self { out, state: fresh, file: None }),
            Some(state) => {
                let mut resumed = Self { out, state, file: None };
                resumed.file = Some(resumed.open_lines()?);
                Ok(resumed)
            }
        }
    }

    /// Parts of the work that are done.
    pub fn done(&self) -> u64 {
        self.state.done
    }

    /// The partial file, cut to what is known of it.
    fn open_lines(&self) -> isogloss_ir::Result<File> {
        let path = sibling(&self.out, "partial");
        let open = || {
            let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(&path)?;
            file.set_len(self.state.bytes)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        open().map_err(|e| Error::io(&self.out, e))
    }

    /// Adds lines, after which `done` parts are done. They outlive a kill from then on.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn append(&mut self, lines: &[u8], done: u64) -> isogloss_ir::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.open_lines()?,
        };
        file.write_all(lines).and_then(|()| file.sync_data()).map_err(|e| Error::io(&self.out, e))?;
        self.file = Some(file);
        self.state = State { done, bytes: self.state.bytes + lines.len() as u64, ..self.state.clone() };
        write_atomic(sibling(&self.out, "state"), &serde_json::to_vec(&self.state).expect("plain data"))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// The system refuses.
    pub fn finish(mut self) -> isogloss_ir::Result<()> {
        self.append(b"", self.state.done)?;
        let named = || {
            fs::rename(sibling(&self.out, "partial"), &self.out)?;
            fs::remove_file(sibling(&self.out, "state"))?;
            File::open(self.out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?.sync_all()
        };
        named().map_err(|e| Error::io(&self.out, e))
    }
}

fn sibling(out: &Path, suffix: &str) -> PathBuf {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!(".{name}.{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_is_gone_on_from_and_another_plan_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("o.jsonl");
        let open = |plan: &str| Resumed::open(&out, plan.into()).unwrap();
        assert_eq!(open("a").done(), 0);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut first = open("a");
        first.append(b"1\n2\n", 2).unwrap();
        // Killed while it wrote the next lines.
        fs::write(folder.path().join(".o.jsonl.partial"), b"1\n2\n3").unwrap();
        drop(first);
        assert_eq!(open("b").done(), 0);
        let mut again = open("a");
        assert_eq!(again.done(), 2);
        again.append(b"3\n", 3).unwrap();
        assert!(!out.exists());
        again.finish().unwrap();
        assert_eq!(fs::read(&out).unwrap(), b"1\n2\n3\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn lines_that_are_gone_are_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("o");
        Resumed::open(&out, "a".into()).unwrap().append(b"1\n", 1).unwrap();
        fs::write(folder.path().join(".o.partial"), b"").unwrap();
        assert_eq!(Resumed::open(&out, "a".into()).unwrap().done(), 0);
    }
}
