//! How a number is stored, and the way from f32 and back.

use std::fmt;
use std::str::FromStr;

use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use serde::{Deserialize, Serialize};

/// The stored type of a vector's components.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 4 bytes, exact.
    #[default]
    F32,
    /// 2 bytes, IEEE half, rounded to nearest even.
    F16,
    /// 1 byte and one f32 scale a row: `x ≈ scale · q`, `q` in −127..=127, `scale = max|x| / 127`.
    Int8,
}

impl Dtype {
    /// The number in the header.
    pub(crate) fn code(self) -> u32 {
        match self {
            Dtype::F32 => 0,
            Dtype::F16 => 1,
            Dtype::Int8 => 2,
        }
    }

    /// The type of that number.
    pub(crate) fn from_code(code: u32) -> Option<Self> {
        [Dtype::F32, Dtype::F16, Dtype::Int8].into_iter().find(|d| d.code() == code)
    }

    /// Bytes of one component.
    pub fn bytes(self) -> usize {
        match self {
            Dtype::F32 => 4,
            Dtype::F16 => 2,
            Dtype::Int8 => 1,
        }
    }

    /// Bytes before the scales begin, and bytes in all; `None` where the machine cannot count that far.
    pub(crate) fn payload_layout(self, rows: u64, dim: u64) -> Option<(u64, u64)> {
        let components = rows.checked_mul(dim)?.checked_mul(self.bytes() as u64)?;
        match self {
            Dtype::F32 | Dtype::F16 => Some((components, components)),
            Dtype::Int8 => {
                let scales = components.checked_next_multiple_of(4)?;
                Some((scales, scales.checked_add(rows.checked_mul(4)?)?))
            }
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dtype::F32 => "f32",
            Dtype::F16 => "f16",
            Dtype::Int8 => "int8",
        })
    }
}

impl FromStr for Dtype {
    type Err = crate::Error;

    fn from_str(name: &str) -> crate::Result<Self> {
        match name {
            "f32" => Ok(Dtype::F32),
            "f16" => Ok(Dtype::F16),
            "int8" => Ok(Dtype::Int8),
            _ => Err(crate::Error::UnknownName { what: "dtype", name: name.to_owned(), known: "f32, f16, int8" }),
        }
    }
}

/// Appends `row` as f16 to `out`; a component beyond f16's range becomes its largest finite number.
pub(crate) fn push_f16(row: &[f32], out: &mut Vec<u8>) {
    for &x in row {
        let x = x.clamp(f16::MIN.to_f32(), f16::MAX.to_f32());
        out.extend_from_slice(&f16::from_f32(x).to_le_bytes());
    }
}

/// Appends `row` as int8 to `out` and returns its scale.
pub(crate) fn push_int8(row: &[f32], out: &mut Vec<u8>) -> f32 {
    let largest = row.iter().fold(0f32, |m, x| m.max(x.abs()));
    let scale = largest / 127.0;
    let quantised = |x: f32| {
        if scale > 0.0 { (x / scale).round().clamp(-127.0, 127.0) as i8 } else { 0 }
    };
    out.extend(row.iter().map(|&x| quantised(x) as u8));
    scale
}

/// Widens f16 bits.
pub(crate) fn widen_f16(stored: &[u16], out: &mut [f32]) {
    stored.reinterpret_cast::<f16>().convert_to_f32_slice(out);
}

/// Widens int8 rows of `dim`, one scale each.
pub(crate) fn widen_int8(stored: &[i8], scales: &[f32], dim: usize, out: &mut [f32]) {
    for ((row, &scale), out) in stored.chunks_exact(dim).zip(scales).zip(out.chunks_exact_mut(dim)) {
        for (x, &q) in out.iter_mut().zip(row) {
            *x = scale * f32::from(q);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn int8_is_within_half_a_step(row in proptest::collection::vec(-1e3f32..1e3, 1..40)) {
            let mut bytes = Vec::new();
            let scale = push_int8(&row, &mut bytes);
            let mut back = vec![0.0; row.len()];
            widen_int8(bytemuck::cast_slice(&bytes), &[scale], row.len(), &mut back);
            for (x, y) in row.iter().zip(&back) {
                prop_assert!((x - y).abs() <= scale * 0.5001);
            }
        }

        #[test]
        fn f16_is_within_one_part_in_2048(row in proptest::collection::vec(-1e3f32..1e3, 1..40)) {
            let mut bytes = Vec::new();
            push_f16(&row, &mut bytes);
            let stored: Vec<u16> = bytes.chunks(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
            let mut back = vec![0.0; row.len()];
            widen_f16(&stored, &mut back);
            for (x, y) in row.iter().zip(&back) {
                prop_assert!((x - y).abs() <= x.abs() / 2048.0 + 1e-7);
            }
        }
    }

    #[test]
    fn a_row_of_zeros_stays_one() {
        let mut bytes = Vec::new();
        assert_eq!(push_int8(&[0.0; 3], &mut bytes), 0.0);
        assert_eq!(bytes, [0, 0, 0]);
    }

    #[test]
    fn names_round_trip() {
        for dtype in [Dtype::F32, Dtype::F16, Dtype::Int8] {
            assert_eq!(dtype.to_string().parse::<Dtype>().unwrap(), dtype);
            assert_eq!(Dtype::from_code(dtype.code()), Some(dtype));
        }
        assert!("f64".parse::<Dtype>().unwrap_err().to_string().contains("f32, f16, int8"));
    }
}
