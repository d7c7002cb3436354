//! Pages whose counts of strings are believed only as far as the page itself: the decoder reserves memory for them before it reads any.

use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::ColumnDescriptor;

/// The pages of a column, looked at before they are decoded.
pub(super) struct Pages {
    inner: Box<dyn PageReader>,
    /// Whether there are repetition and definition levels before the values of a page of version 1.
    levels: [bool; 2],
}

impl Pages {
    pub fn new(inner: Box<dyn PageReader>, column: &ColumnDescriptor) -> Self {
        Self { inner, levels: [column.max_rep_level() > 0, column.max_def_level() > 0] }
    }

    /// The values of a data page, and how many it says that it has; `None` where its levels do not lie in it.
    fn values<'a>(&self, page: &'a Page) -> Option<(&'a [u8], u32)> {
        match page {
            Page::DataPage { buf, num_values, .. } => {
                let mut rest: &[u8] = buf;
                for _ in self.levels.iter().filter(|there| **there) {
                    let (length, behind) = rest.split_first_chunk::<4>()?;
                    rest = behind.get(u32::from_le_bytes(*length) as usize..)?;
                }
                Some((rest, *num_values))
            }
            Page::DataPageV2 { buf, num_values, def_levels_byte_len, rep_levels_byte_len, .. } => {
                let levels = def_levels_byte_len.checked_add(*rep_levels_byte_len)?;
                Some((buf.get(levels as usize..)?, *num_values))
            }
            Page::DictionaryPage { .. } => Some((&[], 0)),
        }
    }

    /// Whether the lengths that come before strings are no more than the page has values.
    fn is_sound(&self, page: &Page) -> bool {
        let streams = match page.encoding() {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
            // Lengths of what is shared with the string before, and of what is not.
            Encoding::DELTA_BYTE_ARRAY => 2,
            _ => return true,
        };
        let Some((mut bytes, most)) = self.values(page) else { return false };
        (0..streams).all(|_| skip_numbers(&mut bytes, u64::from(most)).is_some())
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.inner.get_next_page()?;
        match page.as_ref().is_none_or(|page| self.is_sound(page)) {
            true => Ok(page),
            false => Err(ParquetError::General("a page of more strings than it says".to_owned())),
        }
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.inner.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.inner.at_record_boundary()
    }
}

/// Moves `bytes` behind numbers in the encoding DELTA_BINARY_PACKED; `None` where they are more than `most` or do not lie in `bytes`.
fn skip_numbers(bytes: &mut &[u8], most: u64) -> Option<()> {
    let (block, parts, count) = (varint(bytes)?, varint(bytes)?, varint(bytes)?);
    if count > most || parts == 0 || parts > block {
        return None;
    }
    varint(bytes)?;
    // The first number stands alone.
    let (in_part, mut left) = (block / parts, count.saturating_sub(1));
    while left > 0 {
        varint(bytes)?;
        let widths = bytes.split_off(..usize::try_from(parts).ok()?)?;
        for width in widths {
            if left == 0 {
                break;
            }
            let bits = in_part.checked_mul(u64::from(*width))?;
            bytes.split_off(..usize::try_from(bits.div_ceil(8)).ok()?)?;
            left -= in_part.min(left);
        }
    }
    Some(())
}

/// A number in groups of seven bits, the lowest first.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_skipped_whole_and_too_many_refused() {
        // 128 numbers a block in 4 parts, 5 numbers, the first 7; deltas of 3 bits in one part of 32.
        let mut stream = vec![0x80, 1, 4, 5, 14, 0, 3, 0, 0, 0];
        stream.extend([0x55; 12]);
        stream.push(9);
        let mut rest = &stream[..];
        assert_eq!((skip_numbers(&mut rest, 5), rest), (Some(()), &[9][..]));
        assert_eq!(skip_numbers(&mut &stream[..], 4), None);
        assert_eq!(skip_numbers(&mut &stream[..20], 5), None);
        // 2³⁸ numbers in a few bytes.
        assert_eq!(skip_numbers(&mut &[0x80, 1, 4, 0x80, 0x80, 0x80, 0x80, 0x80, 0x08, 14][..], 300), None);
        assert_eq!(skip_numbers(&mut &[0x80, 1, 4, 1, 14][..], 1), Some(()));
        assert_eq!(skip_numbers(&mut &[0x80][..], 1), None);
    }
}
