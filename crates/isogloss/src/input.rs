//! A file as it is named on the command line.

use isogloss_ir::Lang;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// `FILE`, or `LANG=FILE`, which declares the language of records that name none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The file or folder.
    pub path: PathBuf,
    /// The language declared.
    pub lang: Option<Lang>,
}

impl From<OsString> for Input {
    /// A path that is there is a path, whatever it looks like.
    fn from(given: OsString) -> Self {
        let path = Path::new(&given);
        let declared = given.to_str().and_then(|text| text.split_once('='));
        match declared.map(|(lang, path)| (lang.parse::<Lang>(), path)) {
            Some((Ok(lang), path)) if !path.is_empty() && !Path::new(&given).exists() => {
                Self { path: path.into(), lang: Some(lang) }
            }
            _ => Self { path: path.into(), lang: None },
        }
    }
}

impl From<&Path> for Input {
    fn from(path: &Path) -> Self {
        Self { path: path.to_owned(), lang: None }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_declared_before_the_path() {
        let read = |given: &str| {
            let input = Input::from(OsString::from(given));
            (input.lang.map(|lang| lang.to_string()), input.path.to_string_lossy().into_owned())
        };
        let declared = |lang: &str, path: &str| (Some(lang.to_owned()), path.to_owned());
        let bare = |path: &str| (None, path.to_owned());
        assert_eq!(read("SW=a/b.txt"), declared("sw", "a/b.txt"));
        assert_eq!(read("zh_hant=a=b"), declared("zh-Hant", "a=b"));
        for path in ["a.txt", "x=1/b.txt", "corpus=a.txt", "en=", "./en=a.txt"] {
            assert_eq!(read(path), bare(path));
        }
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("x").to_string_lossy().into_owned();
        assert_eq!(read(&there), bare(&there));
    }
}
