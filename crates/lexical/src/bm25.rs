//! BM25 as Lucene computes it (Kamphuis et al., 2020, "accurate" but with Lucene's lossy lengths).
//!
//! With N documents that have a token, of length len (coded in a byte), and avgdl tokens on average:
//!
//! ```text
//! idf   = ln(1 + (N − df + ½) / (df + ½))
//! score = Σ over terms  w − w / (1 + tf / (k1 · (1 − b + b · len / avgdl))),   w = (count in the query) · idf
//! ```
//!
//! Every term's score is computed in f32 in exactly this order, the sum in f64, rounded to f32 at the end.

use crate::error::{Error, Result};

/// The two parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bm25 {
    /// How soon repetition stops counting; 0.9 in Anserini.
    pub k1: f32,
    /// How much length counts; 0.4 in Anserini.
    pub b: f32,
}

impl Default for Bm25 {
    fn default() -> Self {
        Self { k1: 0.9, b: 0.4 }
    }
}

impl Bm25 {
    /// Checks the parameters.
    ///
    /// # Errors
    /// A k1 below 0 or not finite, a b outside 0..=1.
    pub fn new(k1: f32, b: f32) -> Result<Self> {
        if !(k1.is_finite() && k1 >= 0.0) {
            return Err(Error::Parameter { key: "k1", got: k1, range: "a number from 0 up" });
        }
        if !(0.0..=1.0).contains(&b) {
            return Err(Error::Parameter { key: "b", got: b, range: "from 0 to 1" });
        }
        Ok(Self { k1, b })
    }

    /// For every code of a length, what tf is multiplied by; `average` is avgdl.
    pub(crate) fn length_factors(self, average: f32) -> [f32; 256] {
        std::array::from_fn(|code| {
            let length = decode_length(code as u8) as f32;
            1.0 / (self.k1 * ((1.0 - self.b) + self.b * length / average))
        })
    }
}

/// The inverse document frequency of a term in `df` of `docs` documents.
pub(crate) fn idf(docs: u64, df: u64) -> f32 {
    (1.0 + (docs as f64 - df as f64 + 0.5) / (df as f64 + 0.5)).ln() as f32
}

/// What a term of weight `w` adds: `tf` is its frequency times the length factor.
pub(crate) fn term_score(w: f32, tf: f32) -> f32 {
    w - w / (1.0 + tf)
}

/// A length in one byte: exact up to 40, then four significant bits of what is above 24, rounded down.
pub(crate) fn encode_length(length: u32) -> u8 {
    if length < 24 {
        return length as u8;
    }
    let above = length - 24;
    let bits = u32::BITS - above.leading_zeros();
    let code = match bits.checked_sub(4) {
        None => above,
        Some(shift) => ((above >> shift) & 7) | ((shift + 1) << 3),
    };
    24 + code as u8
}

/// The length that a byte stands for.
pub(crate) fn decode_length(code: u8) -> u32 {
    match code.checked_sub(24) {
        None => code.into(),
        Some(above @ 0..8) => 24 + u32::from(above),
        Some(above) => {
            let (bits, shift) = (u64::from(above & 7), (above >> 3) - 1);
            (24 + ((bits | 8) << shift)).min(u64::from(u32::MAX)) as u32
        }
    }
}

/// Scores as Anserini prints them: to four decimals, and a millionth lower for each document that would else tie.
///
/// `scores` are in rank order, from 0 up. Above 16 two scores may still print alike, as they do there.
pub fn printed_scores(scores: &[f32]) -> Vec<f32> {
    let (mut before, mut ties) = (f32::INFINITY, 0.0);
    let print = |&score: &f32| {
        let mut rounded = ((f64::from(score) * 10_000.0 + 0.5).floor() / 10_000.0) as f32;
        if before - rounded > 1e-4 {
            ties = 0.0;
        } else {
            ties += 1.0;
            rounded -= 1e-6 * ties;
        }
        before = rounded;
        rounded
    };
    scores.iter().map(print).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_coded_as_by_lucene() {
        let (encode, decode) = (
            include_str!("../../../tests/golden/bm25/norm_encode.tsv"),
            include_str!("../../../tests/golden/bm25/norm_table.tsv"),
        );
        let rows = |text: &'static str| text.lines().skip(1).map(|row| row.split_once('\t').unwrap());
        for (length, code) in rows(encode) {
            assert_eq!(encode_length(length.parse().unwrap()), code.parse::<u8>().unwrap(), "{length}");
        }
        for (code, length) in rows(decode) {
            assert_eq!(decode_length(code.parse().unwrap()), length.parse::<u32>().unwrap(), "{code}");
        }
        assert!((0..=255u8).all(|code| encode_length(decode_length(code)) == code || decode_length(code) == u32::MAX));
    }

    #[test]
    fn ties_are_printed_apart() {
        let printed = printed_scores(&[2.00004, 2.00002, 2.0, 1.5]);
        let printed: Vec<String> = printed.iter().map(|score| format!("{score:.6}")).collect();
        assert_eq!(printed, ["2.000000", "1.999999", "1.999998", "1.500000"]);
    }

    #[test]
    fn parameters_out_of_range_are_named() {
        assert!(Bm25::new(f32::NAN, 0.4).unwrap_err().to_string().contains("k1 = NaN"));
        assert!(Bm25::new(-1.0, 0.4).is_err() && Bm25::new(0.9, 1.1).is_err() && Bm25::new(0.0, 0.0).is_ok());
    }
}
