//! A copy of a model's folder.

use isogloss_ir::Error;
use std::fs;
use std::path::Path;

/// Copies all files below `from`, hidden ones aside, into the folder `to`; links become what they point to.
///
/// # Errors
/// A file cannot be read or written.
pub fn folder(from: &Path, to: &Path) -> isogloss_ir::Result<()> {
    for entry in fs::read_dir(from).map_err(|e| Error::io(from, e))? {
        let entry = entry.map_err(|e| Error::io(from, e))?;
        let (path, name) = (entry.path(), entry.file_name());
        let copy = to.join(&name);
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            fs::create_dir_all(&copy).map_err(|e| Error::io(&copy, e))?;
            folder(&path, &copy)?;
        } else {
            fs::copy(&path, &copy).map_err(|e| Error::io(&path, e))?;
        }
    }
    Ok(())
}
