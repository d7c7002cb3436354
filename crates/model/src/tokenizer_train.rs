//! Trains a Unigram tokenizer of XLM-R's form from text: the same texts give the same bytes.

mod layout;
mod words;

use std::fs;
use std::path::Path;

use tokenizers::AddedToken;
use tokenizers::models::unigram::{Unigram, UnigramTrainer};

use crate::error::{Error, Result};
use crate::folder::write_json;
use layout::{MASK, SPECIALS, special_tokens_map, tokenizer_config, tokenizer_json};
use words::count_words;

/// What the tokenizer is to be.
#[derive(Clone, Debug)]
pub struct TokenizerOptions {
    /// Number of ids, the five special tokens included; fewer where the texts do not hold as many pieces.
    pub vocab_size: usize,
    /// Share of all characters that the rarer ones are left out of (they become `<unk>`), above 0 to 1.
    pub character_coverage: f64,
    /// Pieces that the search begins with: more are slower, and slightly better.
    pub seed_size: usize,
    /// Characters of a piece at most.
    pub max_piece_chars: usize,
    /// Where a model with this tokenizer cuts its texts, in tokens.
    pub model_max_length: usize,
}

impl Default for TokenizerOptions {
    fn default() -> Self {
        Self {
            vocab_size: 32_000,
            character_coverage: 0.9998,
            seed_size: 1_000_000,
            max_piece_chars: 16,
            model_max_length: 512,
        }
    }
}

/// Trains on `texts` and writes `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json` into
/// `folder`; returns the number of ids.
///
/// Text is brought to NFKC, runs of white space and control characters become one space, and words begin with `▁`.
/// Ids: `<s>` 0, `<pad>` 1, `</s>` 2, `<unk>` 3, the pieces by falling score, `<mask>` last. Memory: the distinct
/// words. The order of the texts and the number of threads do not matter.
///
/// # Errors
/// Texts without a word; a vocabulary smaller than their alphabet; the disk's own.
pub fn train_tokenizer<T: AsRef<str> + Sync>(
    texts: impl IntoIterator<Item = T>,
    options: &TokenizerOptions,
    folder: &Path,
) -> Result<usize> {
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let path = folder.join("tokenizer.json");
    let bare = tokenizers::Tokenizer::from_bytes(tokenizer_json(&[]).to_string()).map_err(Error::tokenizer(&path))?;
    let words = count_words(&bare, texts, options.character_coverage).map_err(Error::tokenizer(&path))?;
    check(options, &words)?;
    let pieces = train(words, options).map_err(Error::tokenizer(&path))?;
    let vocab_size = pieces.len() + SPECIALS.len() + 1;
    write_json(&path, &tokenizer_json(&pieces))?;
    write_json(&folder.join("tokenizer_config.json"), &tokenizer_config(options.model_max_length))?;
    write_json(&folder.join("special_tokens_map.json"), &special_tokens_map())?;
    Ok(vocab_size)
}

fn check(options: &TokenizerOptions, words: &[(String, u32)]) -> Result<()> {
    if words.is_empty() {
        return Err(Error::Option { key: "words in the texts", got: 0, range: "at least 1; give other texts" });
    }
    let mut alphabet: Vec<char> = words.iter().flat_map(|(word, _)| word.chars()).collect();
    alphabet.sort_unstable();
    alphabet.dedup();
    if options.vocab_size < alphabet.len() + SPECIALS.len() + 1 {
        let range = "at least the characters in the texts and 5; raise it or lower character_coverage";
        return Err(Error::Option { key: "vocab_size", got: options.vocab_size, range });
    }
    Ok(())
}

/// Pieces by falling score, without the special tokens.
fn train(words: Vec<(String, u32)>, options: &TokenizerOptions) -> tokenizers::Result<Vec<(String, f64)>> {
    let trainer = UnigramTrainer::builder()
        .show_progress(false)
        .vocab_size((options.vocab_size - 1) as u32)
        .seed_size(options.seed_size)
        .max_piece_length(options.max_piece_chars)
        .special_tokens(SPECIALS.map(|token| AddedToken::from(token, true)).to_vec())
        .unk_token(Some("<unk>".to_owned()))
        .build()?;
    // One thread: sums over several depend on how the work was split.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let mut model = Unigram::default();
    pool.install(|| trainer.do_train(words, &mut model))?;
    let reserved = |token: &str| token == MASK || SPECIALS.contains(&token);
    let mut pieces: Vec<(String, f64)> = model.iter().filter(|(token, _)| !reserved(token)).cloned().collect();
    settle_rare_characters(&mut pieces);
    pieces.sort_by(|(a, x), (b, y)| y.total_cmp(x).then_with(|| a.cmp(b)));
    Ok(pieces)
}

/// Characters that no longer had a piece of their own get the lowest score and small steps above it, in the order
/// of a hash table that differs every time: deals the same scores out in the order of the characters.
fn settle_rare_characters(pieces: &mut [(String, f64)]) {
    const STEP: f64 = 0.0001;
    let lowest = pieces.iter().map(|(_, score)| *score).fold(f64::INFINITY, f64::min);
    let mut rare = Vec::new();
    let mut above = 0.0;
    loop {
        let score = lowest + above;
        let held = |(token, s): &(String, f64)| *s == score && token.chars().count() == 1;
        let before = rare.len();
        rare.extend(pieces.iter().enumerate().filter(|(_, piece)| held(piece)).map(|(i, _)| i));
        if rare.len() == before {
            break;
        }
        above += STEP;
    }
    let mut scores: Vec<f64> = rare.iter().map(|&i| pieces[i].1).collect();
    scores.sort_by(f64::total_cmp);
    rare.sort_by(|&a, &b| pieces[a].0.cmp(&pieces[b].0));
    for (i, score) in rare.into_iter().zip(scores) {
        pieces[i].1 = score;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Tokenizer;

    const TEXTS: [&str; 6] = [
        "The river is wide and the water is cold in winter.",
        "Река широкая, а вода зимой холодная.",
        "The winter is cold; the water of the rivers is colder.",
        "नदी चौड़ी है और सर्दियों में पानी ठंडा होता है।",
        "河は広く、冬の水は冷たい。ﬁne　wide",
        "the the the rivers rivers cold cold colder coldest",
    ];

    fn trained(folder: &Path, texts: &[&str], vocab_size: usize) -> Result<usize> {
        let options = TokenizerOptions { vocab_size, character_coverage: 1.0, ..Default::default() };
        train_tokenizer(texts, &options, folder)
    }

    #[test]
    fn the_same_texts_in_any_order_give_the_same_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let mut texts = TEXTS;
        let read = |name: &str| fs::read(dir.path().join(name).join("tokenizer.json")).unwrap();
        trained(&dir.path().join("a"), &texts, 140).unwrap();
        for _ in 0..5 {
            texts.rotate_left(1);
            trained(&dir.path().join("b"), &texts, 140).unwrap();
            assert!(read("a") == read("b"));
        }
    }

    #[test]
    fn ids_are_where_xlmr_has_them_and_text_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let size = trained(dir.path(), &TEXTS, 140).unwrap();
        let tokenizer = Tokenizer::load(dir.path()).unwrap();
        assert!(size <= 140 && size == tokenizer.vocab_size());
        let special = tokenizer.special();
        assert_eq!([special.cls, special.pad, special.sep, special.unk], [Some(0), Some(1), Some(2), Some(3)]);
        assert_eq!(special.mask, Some(size as u32 - 1));
        let ids = tokenizer.encode_batch(&["  The\n river\u{0} is ﬁne "], "", 64).unwrap().remove(0).ids;
        assert_eq!((ids[0], ids[ids.len() - 1]), (0, 2));
        assert_eq!(tokenizer.decode(&ids, true).unwrap(), "The river is fine");
        assert_eq!(tokenizer.encode_plain("<mask>").unwrap(), [size as u32 - 1]);
        assert!(tokenizer.encode_plain("the colder rivers").unwrap().len() < 14);
        assert_eq!(tokenizer.encode_plain("🦀").unwrap().last(), Some(&3));
    }

    #[test]
    fn a_vocabulary_without_room_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = trained(dir.path(), &TEXTS, 20).unwrap_err().to_string();
        assert!(error.contains("vocab_size = 20"), "{error}");
        assert!(trained(dir.path(), &[" ", ""], 20).unwrap_err().to_string().contains("words in the texts"));
    }

    #[test]
    fn scores_of_rare_characters_follow_their_order() {
        let step = 0.0001;
        let mut pieces: Vec<(String, f64)> =
            [("b", -9.0 + step), ("long", -9.0), ("c", -9.0), ("x", -2.0), ("a", -9.0 + (step + step))]
                .map(|(token, score)| (token.to_owned(), score))
                .to_vec();
        settle_rare_characters(&mut pieces);
        let score = |token: &str| pieces.iter().find(|(t, _)| t == token).unwrap().1;
        assert!(score("a") == -9.0 && score("b") == -9.0 + step && score("c") == -9.0 + (step + step));
        assert!(score("long") == -9.0 && score("x") == -2.0);
    }
}
