//! Prompts that name a language.

use isogloss_ir::Lang;

/// What stands for the language in a prompt.
const LANGUAGE: &str = "{language}";

/// The prompt with the English name of `lang` for every `{language}` in it; `None` if it asks for a language and there is none.
///
/// ```
/// use isogloss_model::fill_prompt;
/// let prompt = fill_prompt("Generate a {language} question: ", Some("te".parse().unwrap()));
/// assert_eq!(prompt.as_deref(), Some("Generate a Telugu question: "));
/// assert_eq!(fill_prompt("Generate a {language} question: ", None), None);
/// ```
pub fn fill_prompt(prompt: &str, lang: Option<Lang>) -> Option<String> {
    match (prompt.contains(LANGUAGE), lang) {
        (false, _) => Some(prompt.to_owned()),
        (true, lang) => lang.map(|lang| prompt.replace(LANGUAGE, lang.english_name())),
    }
}
