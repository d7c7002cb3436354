//! NLTKWordTokenizer: one substitution after the other pads what is a token with blanks, which split at the end.

use super::is_python_space;
use fancy_regex::Regex;
use std::sync::LazyLock;

/// A word character of Python's own `re`, for the word borders of contractions.
const WORD: &str = r"[\p{L}\p{N}_]";

/// Before the double dash and after it, in NLTK's order; `$` is also before a line feed that ends the text.
const BEFORE: [(&str, &str); 16] = [
    // Starting quotes.
    ("([«“‘„]|[`]+)", " $1 "),
    (r#"^""#, "``"),
    ("(``)", " $1 "),
    (r#"([ \(\[{<])("|'{2})"#, "$1 `` "),
    (r"(?i)(?<!\w)(')(?!(?:re|ve|ll|m|t|s|d|n)\b)(?=\w)", "$1 "),
    // Punctuation.
    (r#"([^\.])(\.)([\]\)}>"'»”’ ]*+)\s*+\z"#, "$1 $2 $3 "),
    (r"([:,])([^\d])", " $1 $2"),
    (r"([:,])(?=\n?\z)", " $1 "),
    (r"\.{2,}", " $0 "),
    (r"[;@#$%&]", " $0 "),
    (r"[\u{2012}-\u{2015}]", " $0 "),
    (r#"([^\.])(\.)([\]\)}>"']*+)\s*+\z"#, "$1 $2$3 "),
    (r"[?!]", " $0 "),
    (r"([^'])' ", "$1 ' "),
    (r"[*]", " $0 "),
    (r"[\]\[\(\)\{\}<>]", " $0 "),
];

/// After a blank was put at both ends.
const AFTER: [(&str, &str); 6] = [
    ("([»”’])", " $1 "),
    ("''", " '' "),
    ("\"", " '' "),
    (r"\s+", " "),
    ("([^' ])('[sS]|'[mM]|'[dD]|') ", "$1 $2 "),
    ("([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) ", "$1 $2 "),
];

/// Robert MacIntyre's contractions: first part, second part, what has to follow.
const CONTRACTIONS: [(&str, &str, &str); 8] = [
    ("can", "not", ""),
    ("d", "'ye", ""),
    ("gIm", "me", ""),
    ("gon", "na", ""),
    ("got", "ta", ""),
    ("lem", "me", ""),
    ("more", "'n", ""),
    ("wan", "na", r"(?=[\s\x1c-\x1f])"),
];

static SUBSTITUTIONS: LazyLock<[Vec<(Regex, &str)>; 3]> = LazyLock::new(|| {
    let compile = |pattern: &str| Regex::new(pattern).expect("a pattern without mistakes");
    let all = |list: &[(&str, &'static str)]| list.iter().map(|(pattern, to)| (compile(pattern), *to)).collect();
    // Python's own engine takes two more letters for an i.
    let folded = |part: &str| part.replace('I', "[i\u{130}\u{131}]");
    let split = |(first, second, then): &(&str, &str, &str)| {
        let end = if then.is_empty() { format!("(?!{WORD})") } else { (*then).to_owned() };
        (compile(&format!("(?i)(?<!{WORD})({})({second}){end}", folded(first))), " $1 $2 ")
    };
    let quoted = |second: &str| (compile(&format!("(?i) ('t)({})(?!{WORD})", folded(second))), " $1 $2 ");
    let contractions = CONTRACTIONS.iter().map(split).chain(["Is", "was"].map(quoted)).collect();
    [all(&BEFORE), all(&AFTER), contractions]
});

/// The tokens of one sentence.
pub fn words(sentence: &str) -> Vec<String> {
    let [before, after, contractions] = &*SUBSTITUTIONS;
    let text = substitute(sentence.to_owned(), before);
    let text = format!(" {} ", text.replace("--", " -- "));
    let text = substitute(substitute(text, after), contractions);
    text.split(is_python_space).filter(|token| !token.is_empty()).map(str::to_owned).collect()
}

fn substitute(text: String, substitutions: &[(Regex, &str)]) -> String {
    substitutions.iter().fold(text, |text, (pattern, to)| match pattern.replace_all(&text, *to) {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(changed) => changed,
    })
}
