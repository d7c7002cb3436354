//! Folders that appear whole or not at all, and what may be in their way.

use crate::exit::Fault;
use isogloss_ir::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// Fills `.NAME.partial` beside `target`, then gives it its name; `target` must not be there yet.
///
/// # Errors
/// Something is in the way, or what `fill` fails with; the partial folder is removed then.
pub fn create_folder<T>(target: &Path, fill: impl FnOnce(&Path) -> anyhow::Result<T>) -> anyhow::Result<T> {
    refuse_existing(target)?;
    let partial = sibling(target)?;
    remove(&partial)?;
    let made = || -> anyhow::Result<T> {
        fs::create_dir_all(&partial).map_err(|e| Error::io(&partial, e))?;
        let value = fill(&partial)?;
        fs::rename(&partial, target).map_err(|e| Error::io(target, e))?;
        Ok(value)
    };
    made().inspect_err(|_| {
        // The error that led here is the one to report.
        let _ = remove(&partial);
    })
}

/// Refuses a target that is there.
///
/// # Errors
/// It is.
pub fn refuse_existing(target: &Path) -> Result<(), Fault> {
    match target.exists() {
        true => Err(Fault::new(target, "is already there; choose another folder or delete it")),
        false => Ok(()),
    }
}

fn sibling(target: &Path) -> Result<PathBuf, Fault> {
    let name = target.file_name().ok_or_else(|| Fault::new(target, "is no name for a folder; choose another"))?;
    Ok(target.with_file_name(format!(".{}.partial", name.to_string_lossy())))
}

/// Removes a folder that may not be there.
///
/// # Errors
/// The system refuses.
pub fn remove(folder: &Path) -> isogloss_ir::Result<()> {
    match folder.exists() {
        true => fs::remove_dir_all(folder).map_err(|e| Error::io(folder, e)),
        false => Ok(()),
    }
}

/// Refuses a folder that holds anything (hidden files aside) but no file named `mark`, by which ours are known.
///
/// # Errors
/// It does, or it is no folder, or it cannot be listed.
pub fn check_ours(folder: &Path, mark: &str) -> anyhow::Result<()> {
    if !folder.exists() || folder.join(mark).exists() {
        return Ok(());
    }
    if !folder.is_dir() {
        return Err(Fault::new(folder, "is a file; choose a folder").into());
    }
    for entry in fs::read_dir(folder).map_err(|e| Error::io(folder, e))? {
        let name = entry.map_err(|e| Error::io(folder, e))?.file_name();
        if !name.to_string_lossy().starts_with('.') {
            return Err(Fault::new(folder, "holds other files; choose another folder or empty it").into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let temporary = tempfile::tempdir().unwrap();
        let target = temporary.path().join("a/b");
        let failed: anyhow::Result<()> = create_folder(&target, |partial| {
            fs::write(partial.join("x"), "")?;
            anyhow::bail!("no")
        });
        assert_eq!(failed.unwrap_err().to_string(), "no");
        assert_eq!(fs::read_dir(temporary.path().join("a")).unwrap().count(), 0);
        create_folder(&target, |partial| Ok(fs::write(partial.join("x"), "")?)).unwrap();
        assert!(target.join("x").exists());
        assert!(create_folder(&target, |_| Ok(())).unwrap_err().to_string().contains("already there"));
    }

    #[test]
    fn foreign_files_are_in_the_way_and_hidden_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".lock"), "").unwrap();
        check_ours(folder.path(), "plan.json").unwrap();
        fs::write(folder.path().join("letter"), "").unwrap();
        assert!(check_ours(folder.path(), "plan.json").is_err());
        check_ours(folder.path(), "letter").unwrap();
    }
}
