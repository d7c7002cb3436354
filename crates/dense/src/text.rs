//! What is encoded.

use isogloss_ir::Lang;

/// A text with its id, and its language for models whose vectors depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Its id.
    pub id: String,
    /// What it says.
    pub text: String,
    /// Its language, where known.
    pub lang: Option<Lang>,
}

impl From<(String, String)> for Text {
    /// Takes an id and a text in no known language.
    fn from((id, text): (String, String)) -> Self {
        Self { id, text, lang: None }
    }
}
