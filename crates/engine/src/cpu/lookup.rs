//! Attention of one query to rows of keys and values that lie scattered: a step of generation.

use super::kernels;

/// Keys whose products are summed side by side.
const KEYS: usize = 4;
/// Vectors of the result that are summed side by side.
const VECTORS: usize = 4;

kernels! {
    /// `scores[j] = scale·⟨q, row rows[j] of keys⟩` for `n` rows of `stride`, `width` elements each, plus `bias[j]` unless it is null.
    fn scores<S>(n: usize, width: usize, q: *const f32, keys: *const f32, stride: usize, rows: *const u32, scale: f32, bias: *const f32, scores: *mut f32) {
        let mut j = 0;
        while j < n {
            let count = KEYS.min(n - j);
            // Short of four, the last one is taken again.
            let at: [*const f32; KEYS] = std::array::from_fn(|i| keys.add(*rows.add(j + i.min(count - 1)) as usize * stride));
            let mut sums: [S::V; KEYS] = [S::splat(0.0); KEYS];
            let mut d = 0;
            while d < width {
                let left = S::LANES.min(width - d);
                if left == S::LANES {
                    let x = S::load(q.add(d));
                    for (sum, key) in sums.iter_mut().zip(at) { *sum = S::fma(x, S::load(key.add(d)), *sum); }
                } else {
                    let x = S::load_part(q.add(d), left);
                    for (sum, key) in sums.iter_mut().zip(at) { *sum = S::fma(x, S::load_part(key.add(d), left), *sum); }
                }
                d += left;
            }
            for (i, sum) in sums.into_iter().enumerate().take(count) {
                let added = if bias.is_null() { 0.0 } else { *bias.add(j + i) };
                *scores.add(j + i) = scale * S::sum(sum) + added;
            }
            j += count;
        }
    }

    /// `out = Σ_j weights[j]·(row rows[j] of values)` for `n` rows of `stride`, `width` elements each.
    fn mix<S>(n: usize, width: usize, weights: *const f32, values: *const f32, stride: usize, rows: *const u32, out: *mut f32) {
        let mut first = 0;
        while first < width {
            let widths: [usize; VECTORS] = std::array::from_fn(|v| (width - first).saturating_sub(v * S::LANES).min(S::LANES));
            let whole = widths[VECTORS - 1] == S::LANES;
            let mut sums: [S::V; VECTORS] = [S::splat(0.0); VECTORS];
            for j in 0..n {
                let (weight, row) = (S::splat(*weights.add(j)), values.add(*rows.add(j) as usize * stride + first));
                if whole {
                    for (v, sum) in sums.iter_mut().enumerate() { *sum = S::fma(weight, S::load(row.add(v * S::LANES)), *sum); }
                } else {
                    for (v, sum) in sums.iter_mut().enumerate() { *sum = S::fma(weight, S::load_part(row.wrapping_add(v * S::LANES), widths[v]), *sum); }
                }
            }
            for (v, sum) in sums.into_iter().enumerate() { S::store_part(out.wrapping_add(first + v * S::LANES), widths[v], sum); }
            first += VECTORS * S::LANES;
        }
    }
}
