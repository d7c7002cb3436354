//! The texts of every language, encoded: statistics of all, and a sample of the vectors.

use super::Args;
use crate::exit::Fault;
use crate::input::Input;
use crate::progress::Progress;
use isogloss_dense::calibration::{Method, Moments};
use isogloss_dense::{Encoder, Side, Vectors};
use isogloss_engine::Key;
use isogloss_ir::{Lang, each_document};
use isogloss_model::BiEncoder;
use std::collections::BTreeMap;

/// Most texts encoded at once.
const WINDOW: usize = 4096;

/// Bytes of text after which a window ends.
const WINDOW_BYTES: usize = 8 << 20;

/// What was learnt of the languages.
pub struct Gathered {
    /// By language.
    pub langs: BTreeMap<Lang, OfLang>,
}

/// What was learnt of one language.
pub struct OfLang {
    /// Of all its vectors.
    pub moments: Moments,
    /// Some of its vectors: every one as likely as any other.
    pub sample: Vectors,
    key: Key,
}

impl OfLang {
    fn new(dim: usize, key: Key) -> Self {
        Self { moments: Moments::new(dim), sample: Vectors::empty(dim), key }
    }

    /// Takes a vector in, and keeps it with the probability that all before have (Vitter 1985, algorithm R).
    fn push(&mut self, x: &[f32], most: usize) {
        let before = self.moments.count();
        self.moments.push(x);
        if self.sample.len() < most {
            self.sample.push(x);
        } else if most > 0 {
            let place = self.key.below(before, before as usize + 1);
            if place < most {
                let dim = x.len();
                self.sample.data_mut()[place * dim..(place + 1) * dim].copy_from_slice(x);
            }
        }
    }
}

/// Encodes the texts of `--text` without any calibration.
///
/// # Errors
/// A file that cannot be read; a text that names no language; a vector that is not finite.
pub fn gather(model: &BiEncoder, args: &Args) -> anyhow::Result<Gathered> {
    let most = if args.method == Method::Rotate { args.sample } else { 0 };
    let mut progress = Progress::new(None);
    let mut gathered = Gathered { langs: BTreeMap::new() };
    let mut done = 0;
    let mut take = |langs: &[Lang], vectors: &Vectors| {
        for (i, lang) in langs.iter().enumerate() {
            let key = Key::new(args.seed).derive(hash(*lang));
            gathered.langs.entry(*lang).or_insert_with(|| OfLang::new(model.dim(), key)).push(vectors.row(i), most);
        }
        done += langs.len() as u64;
        progress.tell(done, || format!("{done} texts encoded"));
    };
    let mut window = Window { model, side: args.side, langs: Vec::new(), texts: Vec::new(), bytes: 0 };
    for input in &args.text {
        read(input, &mut window, &mut take)?;
        window.encode(input, &mut take)?;
    }
    drop(progress);
    Ok(gathered)
}

fn read(input: &Input, window: &mut Window, take: &mut impl FnMut(&[Lang], &Vectors)) -> anyhow::Result<()> {
    let mut number = 0;
    each_document(&input.path, None, input.lang, |document| {
        for text in document.body.parts() {
            number += 1;
            let Some(lang) = document.lang else {
                let problem = format!(
                    "text {number} ({}) names no language; give the records a `lang`, or declare it as LANG={input}",
                    beginning(&text)
                );
                return Err(Fault::new(&input.path, problem).into());
            };
            if !text.trim().is_empty() {
                window.push(lang, text);
            }
            if window.is_full() {
                window.encode(input, take)?;
            }
        }
        Ok(())
    })
}

/// The first words of a text, for a message.
fn beginning(text: &str) -> String {
    let mut short: String = text.chars().take(30).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// A number of its own for every language.
fn hash(lang: Lang) -> u64 {
    xxhash_rust::xxh3::xxh3_64(lang.as_str().as_bytes())
}

/// Texts that are encoded together.
struct Window<'a> {
    model: &'a BiEncoder,
    side: Side,
    langs: Vec<Lang>,
    texts: Vec<String>,
    bytes: usize,
}

impl Window<'_> {
    fn push(&mut self, lang: Lang, text: String) {
        self.bytes += text.len();
        self.langs.push(lang);
        self.texts.push(text);
    }

    fn is_full(&self) -> bool {
        self.texts.len() >= WINDOW || self.bytes >= WINDOW_BYTES
    }

    /// Gives languages and vectors away and begins anew; the last texts are from `input`.
    fn encode(&mut self, input: &Input, take: &mut impl FnMut(&[Lang], &Vectors)) -> anyhow::Result<()> {
        let vectors = vectors(self.model, &self.texts, self.side, input)?;
        take(&self.langs, &vectors);
        self.langs.clear();
        self.texts.clear();
        self.bytes = 0;
        Ok(())
    }
}

/// The vectors of texts of `input`, all of them finite.
///
/// # Errors
/// One is not; the tokenizer fails.
pub fn vectors(model: &BiEncoder, texts: &[String], side: Side, input: &Input) -> anyhow::Result<Vectors> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = model.encode_tokens(&model.tokenize(&texts, side)?);
    match vectors.data().iter().position(|x| !x.is_finite()) {
        None => Ok(vectors),
        Some(at) => {
            let text = beginning(texts[at / vectors.dim()]);
            let problem = format!("the vector of the text {text} holds {}; the model is broken", vectors.data()[at]);
            Err(Fault::new(&input.path, problem).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_even_and_statistics_are_of_all() {
        let mut kept = [0; 4];
        for seed in 0..200 {
            let mut of_lang = OfLang::new(1, Key::new(seed));
            (0..400).for_each(|i| of_lang.push(&[i as f32], 20));
            assert_eq!((of_lang.sample.len(), of_lang.moments.count()), (20, 400));
            assert_eq!(of_lang.moments.mean(), [199.5]);
            of_lang.sample.data().iter().for_each(|x| kept[*x as usize / 100] += 1);
        }
        // 1000 expected in each quarter, with a deviation of 27.
        assert!(kept.iter().all(|n| (890..1110).contains(n)), "{kept:?}");
    }
}
