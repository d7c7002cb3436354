//! Documents as runs of whole sentences of bounded length.

use isogloss_ir::{Body, Document};

/// The sentences of a document in order, packed greedily into units of at most `most` tokens; a longer sentence is a unit of its own. Sentences are
/// told apart by the rules of the document's language; those of a paragraph never share a unit with the next paragraph's. `tokens` counts a
/// text's tokens.
pub fn units(document: Document, most: usize, tokens: impl Fn(&str) -> usize) -> Vec<String> {
    let lang = document.lang.map_or("en".into(), |lang| lang.to_string());
    let language = sentencex::language_factory(&lang);
    let split = |text: &str| -> Vec<String> { language.segment(text).into_iter().map(String::from).collect() };
    let paragraphs: Vec<Vec<String>> = match document.body {
        Body::Sentences(sentences) => vec![sentences.into_iter().map(|sentence| sentence + " ").collect()],
        Body::Paragraphs(paragraphs) => paragraphs.iter().map(|paragraph| split(paragraph)).collect(),
        Body::Text(text) => text.lines().map(split).collect(),
    };
    paragraphs.iter().flat_map(|sentences| pack(sentences, most, &tokens)).collect()
}

/// Sentences with the space that follows them, put together.
fn pack(sentences: &[String], most: usize, tokens: impl Fn(&str) -> usize) -> Vec<String> {
    let mut units: Vec<String> = Vec::new();
    let mut held = usize::MAX;
    for sentence in sentences.iter().filter(|s| !s.trim().is_empty()) {
        let count = tokens(sentence);
        held = held.saturating_add(count);
        match units.last_mut() {
            Some(unit) if held <= most => unit.push_str(sentence),
            _ => {
                units.push(sentence.clone());
                held = count;
            }
        }
    }
    units.into_iter().map(|unit| unit.trim().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(lang: &str, body: Body) -> Document {
        Document { id: "1".into(), title: String::new(), lang: lang.parse().ok(), body }
    }

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    #[test]
    fn sentences_are_packed_up_to_the_limit_and_never_across_paragraphs() {
        let paragraphs = ["One two. Three four five. Six.", "Seven. Eight nine ten eleven twelve thirteen."];
        let body = Body::Paragraphs(paragraphs.map(String::from).to_vec());
        let want = ["One two. Three four five.", "Six.", "Seven.", "Eight nine ten eleven twelve thirteen."];
        assert_eq!(units(document("en", body), 5, words), want);
    }

    #[test]
    fn sentences_are_told_apart_in_other_scripts() {
        for (lang, text, count) in [
            ("hi", "यह एक वाक्य है। यह दूसरा है।", 2),
            ("zh", "今天天气很好。我们去公园。", 2),
            ("ar", "هل هذا سؤال؟ نعم هو كذلك.", 2),
            ("am", "ይህ አረፍተ ነገር ነው። ሌላም አለ።", 2),
        ] {
            assert_eq!(units(document(lang, Body::Text(text.into())), 1, |_| 1).len(), count, "{lang}");
        }
    }

    #[test]
    fn given_sentences_stay_as_they_are() {
        let body = Body::Sentences(vec!["Dr. A. B. came.".into(), " ".into(), "He left.".into()]);
        assert_eq!(units(document("en", body), 1, words), ["Dr. A. B. came.", "He left."]);
    }
}
