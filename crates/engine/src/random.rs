//! Counter-based randomness: a number is a pure function of a key and a counter, so that anything random can be
//! replayed (a checkpointed chunk, a resumed run) without storing it.

/// A key; derive a new one for every independent use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64);

/// Finaliser of SplitMix64 (Steele, Lea and Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Key {
    /// The root key of a seed.
    pub fn new(seed: u64) -> Key {
        Key(mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15)))
    }

    /// The key of a numbered sub-stream.
    pub fn derive(self, stream: u64) -> Key {
        Key(mix(self.0 ^ mix(stream.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }

    /// 64 random bits at a counter.
    pub fn bits(self, counter: u64) -> u64 {
        mix(self.0.wrapping_add(counter.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// The key as a number, for kernels.
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// Uniform in [0, 1) at a counter, with 24 random bits.
    pub fn uniform(self, counter: u64) -> f32 {
        (self.bits(counter) >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Uniform in `0..n` at a counter. `n` must be positive; the bias is below n/2⁶⁴.
    pub fn below(self, counter: u64, n: usize) -> usize {
        ((u128::from(self.bits(counter)) * n as u128) >> 64) as usize
    }

    /// Standard normal at a counter (Box and Muller).
    pub fn normal(self, counter: u64) -> f32 {
        let u = ((self.bits(2 * counter) >> 11) as f64 + 1.0) / (1u64 << 53) as f64;
        let v = (self.bits(2 * counter + 1) >> 11) as f64 / (1u64 << 53) as f64;
        ((-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
    }

    /// A permutation of `0..n` (Fisher and Yates).
    pub fn permutation(self, n: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n as u32).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i as u64, i + 1));
        }
        order
    }
}

/// Dropout at rate `rate`: which elements survive is a function of the key of a row and the column alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dropout {
    pub rate: f32,
    pub key: Key,
}

impl Dropout {
    /// A draw of 32 bits below this drops its element.
    pub(crate) fn threshold(self) -> u64 {
        (f64::from(self.rate) * (1u64 << 32) as f64) as u64
    }

    /// What elements that are not dropped are multiplied by.
    pub(crate) fn keep(self) -> f32 {
        1.0 / (1.0 - self.rate)
    }

    /// Multiplies `row` by the mask of `row_key`: 0 with probability `rate`, else 1/(1 − rate).
    pub(crate) fn apply(self, row_key: Key, row: &mut [f32]) {
        let (threshold, keep) = (self.threshold(), self.keep());
        for (pair, values) in row.chunks_mut(2).enumerate() {
            let bits = row_key.bits(pair as u64);
            for (x, draw) in values.iter_mut().zip([bits & 0xffff_ffff, bits >> 32]) {
                *x *= if draw < threshold { 0.0 } else { keep };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_holds_each_once_and_depends_on_the_key() {
        let a = Key::new(1).permutation(1000);
        let mut sorted = a.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<u32>>());
        assert_ne!(a, Key::new(2).permutation(1000));
    }

    #[test]
    fn normals_have_mean_zero_and_variance_one() {
        let xs: Vec<f64> = (0..100_000).map(|i| f64::from(Key::new(5).normal(i))).collect();
        let mean = xs.iter().sum::<f64>() / 1e5;
        let variance = xs.iter().map(|x| x * x).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }

    #[test]
    fn dropout_keeps_its_share_and_its_mean() {
        let dropout = Dropout { rate: 0.25, key: Key::new(3) };
        let mut row = vec![1.0; 100_001];
        dropout.apply(Key::new(9), &mut row);
        let kept = row.iter().filter(|x| **x > 0.0).count() as f64 / row.len() as f64;
        assert!((kept - 0.75).abs() < 0.01, "{kept}");
        assert!(row.iter().all(|x| *x == 0.0 || (*x - 4.0 / 3.0).abs() < 1e-6));
    }
}
