//! Properties of code points as Lucene on JDK 17 sees them: an older Unicode than Rust's, so they are looked up here.

// A machine wrote it, some entries a line.
#[rustfmt::skip]
pub(crate) mod tables;

use std::sync::LazyLock;

/// A token in UTF-16, whose lengths Lucene's rules count in.
pub(crate) type Units = Vec<u16>;

/// The lower case of `point` where it is one code point; `İ` gives `i`, and a final sigma is not looked for.
pub(crate) fn lower(point: u32) -> u32 {
    if point < 0x80 {
        return if (0x41..=0x5a).contains(&point) { point + 32 } else { point };
    }
    match tables::LOWER.binary_search_by_key(&point, |&(from, _)| from) {
        Ok(at) => tables::LOWER[at].1,
        Err(_) => point,
    }
}

/// The value of a decimal digit of any script.
pub(crate) fn digit(point: u32) -> Option<u32> {
    run_of(tables::DIGITS, point).map(|zero| (point - zero) % 10)
}

/// Whether it is a letter.
pub(crate) fn is_letter(point: u32) -> bool {
    match point < 0x80 {
        true => (point as u8).is_ascii_alphabetic(),
        false => run_of(tables::LETTERS, point).is_some(),
    }
}

/// Whether it is a nonspacing mark.
pub(crate) fn is_nonspacing(point: u32) -> bool {
    run_of(tables::NONSPACING, point).is_some()
}

/// Whether Lucene's Japanese tokenizer takes the unit for punctuation: no letter, mark or number.
pub(crate) fn is_punctuation(unit: u16) -> bool {
    run_of(tables::PUNCTUATION, unit.into()).is_some()
}

/// Whether it parts words for Java: no-break spaces do not, U+001C to U+001F do.
pub(crate) fn is_java_whitespace(c: char) -> bool {
    match c {
        '\u{9}'..='\u{d}' | '\u{1c}'..='\u{20}' | '\u{1680}' | '\u{2028}' | '\u{2029}' | '\u{205f}' | '\u{3000}' => {
            true
        }
        '\u{2000}'..='\u{200a}' => c != '\u{2007}',
        _ => false,
    }
}

/// The beginning of the run that holds `point`.
fn run_of(runs: &[(u32, u32)], point: u32) -> Option<u32> {
    let at = runs.partition_point(|&(start, _)| start <= point).checked_sub(1)?;
    let (start, end) = runs[at];
    (point <= end).then_some(start)
}

/// Planes 0 and 1, where nearly all text is, are looked up in one step.
const DIRECT: u32 = 0x20000;

static CLASS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut table = vec![0; DIRECT as usize];
    for (i, &(start, class)) in tables::RUNS.iter().enumerate() {
        let end = tables::RUNS.get(i + 1).map_or(DIRECT, |next| next.0.min(DIRECT));
        if start < end {
            table[start as usize..end as usize].fill(class);
        }
    }
    table
});

/// Looks up what a code point is to the standard tokenizer, as an index into [`tables::CLASSES`].
#[derive(Clone, Copy)]
pub(crate) struct Classes(&'static [u8]);

impl Classes {
    pub(crate) fn new() -> Self {
        Self(&CLASS)
    }

    pub(crate) fn of(self, c: char) -> u8 {
        match self.0.get(c as usize) {
            Some(&class) => class,
            None => tables::RUNS[tables::RUNS.partition_point(|&(start, _)| start <= c as u32) - 1].1,
        }
    }
}

/// Replaces every code point of `token` by what `map` gives for it.
pub(crate) fn map_points(token: &mut Units, map: impl Fn(u32) -> u32) {
    if token.iter().all(|unit| !(0xd800..0xe000).contains(unit)) {
        for unit in token.iter_mut() {
            let to = map(u32::from(*unit));
            match u16::try_from(to) {
                Ok(to) => *unit = to,
                // No code point of plane 0 maps out of it.
                Err(_) => debug_assert!(false, "{unit:x} to {to:x}"),
            }
        }
        return;
    }
    let points: Vec<u32> = points(token).collect();
    token.clear();
    for point in points {
        push(token, map(point));
    }
}

/// The code points of `token`; a surrogate without its other half stands for itself.
pub(crate) fn points(token: &[u16]) -> impl Iterator<Item = u32> + '_ {
    char::decode_utf16(token.iter().copied())
        .map(|point| point.map_or_else(|alone| u32::from(alone.unpaired_surrogate()), u32::from))
}

/// Appends a code point.
pub(crate) fn push(token: &mut Units, point: u32) {
    match char::from_u32(point) {
        Some(c) => token.extend_from_slice(c.encode_utf16(&mut [0; 2])),
        None => token.push(point as u16),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_mapped_one_code_point_to_one() {
        for (from, to) in [('A', 'a'), ('İ', 'i'), ('Σ', 'σ'), ('ß', 'ß'), ('ẞ', 'ß'), ('𐐀', '𐐨'), ('Ꭰ', 'ꭰ')]
        {
            assert_eq!(lower(from as u32), to as u32, "{from}");
        }
    }

    #[test]
    fn digits_of_every_script_have_values() {
        for (c, value) in [('7', 7), ('٣', 3), ('౯', 9), ('9', 9), ('𝟘', 0), ('𝟙', 1), ('𝟿', 9)] {
            assert_eq!(digit(c as u32), Some(value), "{c}");
        }
        assert_eq!(digit('x' as u32), None);
        assert_eq!(digit('²' as u32), None);
    }

    #[test]
    fn classes_agree_on_both_sides_of_the_direct_table() {
        let classes = Classes::new();
        for point in [0x41, 0x4e00, 0x1f600, 0x1ffff, 0x20000, 0x2a6d6, 0xe0020, 0x10ffff] {
            let by_runs = tables::RUNS[tables::RUNS.partition_point(|&(start, _)| start <= point) - 1].1;
            assert_eq!(classes.of(char::from_u32(point).unwrap()), by_runs, "{point:x}");
        }
    }

    #[test]
    fn a_no_break_space_is_no_white_space_of_java() {
        assert!(is_java_whitespace('\u{1c}') && is_java_whitespace('\u{3000}'));
        assert!(!"\u{a0}\u{2007}\u{202f}\u{85}\u{200b}\u{feff}".chars().any(is_java_whitespace));
    }
}
