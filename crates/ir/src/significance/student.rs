//! Student's t distribution, through the regularised incomplete beta function.

/// The chance of |T| ≥ |`t`| with `df` > 0 degrees of freedom. In 0..=1; 0 for an infinite `t`.
pub fn student_two_sided(t: f64, df: f64) -> f64 {
    if t.is_infinite() {
        return 0.0;
    }
    let whole = df + t * t;
    incomplete_beta(df / 2.0, 0.5, df / whole, t * t / whole)
}

/// The t with a chance `q` (0 < q < 1) of T ≤ t, to about 1e-12 of it.
pub fn student_quantile(q: f64, df: f64) -> f64 {
    if q < 0.5 {
        return -student_quantile(1.0 - q, df);
    }
    let tail = |t: f64| student_two_sided(t, df) / 2.0;
    let mut high = 1.0;
    while tail(high) > 1.0 - q && high < 1e150 {
        high *= 2.0;
    }
    let mut low = if high > 1.0 { high / 2.0 } else { 0.0 };
    while high - low > 1e-13 * high {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        *(if tail(middle) > 1.0 - q { &mut low } else { &mut high }) = middle;
    }
    high
}

/// I_x(a, b) with `y` = 1 - x, which the caller knows without cancellation.
fn incomplete_beta(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if y <= 0.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, y, x);
    }
    let ln = |part: f64, rest: f64| if part < 0.5 { part.ln() } else { (-rest).ln_1p() };
    let front = a * ln(x, y) + b * ln(y, x) + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    (front.exp() * beta_fraction(a, b, x) / a).clamp(0.0, 1.0)
}

/// The continued fraction of I_x(a, b), by Lentz's method (Press et al., Numerical Recipes, section 6.4).
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    // Its length grows with the root of the larger parameter.
    for m in (1..1_000_000).map(f64::from) {
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away(1.0 + even * d);
        c = away(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away(1.0 + odd * d);
        c = away(1.0 + odd / c);
        h *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    h
}

/// ln Γ(x) for x > 0: Stirling's series, after shifting small x upwards.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 1.0f64);
    while x < 15.0 {
        shift *= x;
        x += 1.0;
    }
    let z = 1.0 / (x * x);
    let series = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0, 1.0 / 156.0];
    let tail = series.iter().rev().fold(0.0, |sum, term| sum * z + term) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + tail - shift.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_and_two_degrees_of_freedom_have_closed_forms() {
        for t in [0.0, 1e-9, 0.3, 1.0, 2.5, 40.0, 1e6] {
            let cauchy = 1.0 - 2.0 * f64::atan(t) / std::f64::consts::PI;
            assert!((student_two_sided(t, 1.0) - cauchy).abs() < 1e-14, "{t}");
            let two = 1.0 - t / (2.0 + t * t).sqrt();
            assert!((student_two_sided(-t, 2.0) - two).abs() < 1e-14, "{t}");
        }
        assert_eq!((student_two_sided(f64::INFINITY, 7.0), student_two_sided(0.0, 7.0)), (0.0, 1.0));
    }

    #[test]
    fn gamma_of_whole_and_half_numbers() {
        assert!((ln_gamma(5.0) - 24f64.ln()).abs() < 1e-14);
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-14);
        assert!(ln_gamma(1.0).abs() < 1e-14);
    }

    proptest! {
        #[test]
        fn quantiles_undo_the_distribution(q in 0.001f64..0.999, df in 1u32..3000) {
            let t = student_quantile(q, f64::from(df));
            let upper = student_two_sided(t, f64::from(df)) / 2.0;
            let below = if t < 0.0 { upper } else { 1.0 - upper };
            prop_assert!((below - q).abs() < 1e-10, "{t} {below}");
        }
    }
}
