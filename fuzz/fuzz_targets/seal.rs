//! Files with checksums in their heads, damaged behind the checksums.

use xxhash_rust::xxh3::xxh3_64;

/// `whole` with `bytes` laid over it from the place that the first two say, and checksums of what stands there then.
pub fn laid_over(whole: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut file = whole.to_vec();
    let [low, high, bytes @ ..] = bytes else { return file };
    let from = usize::from(u16::from_le_bytes([*low, *high])) % file.len();
    let end = (from + bytes.len()).min(file.len());
    file[from..end].copy_from_slice(&bytes[..end - from]);
    seal(&mut file);
    file
}

/// A file of sections has its table's checksum at 32 and the head's at 40, a shard its payload's at 32 and the head's at 56.
fn seal(file: &mut [u8]) {
    let sum = |file: &mut [u8], at: usize, sum: u64| file[at..at + 8].copy_from_slice(&sum.to_le_bytes());
    let sectioned =
        [&b"ISOGBM25"[..], b"ISOGHNSW", b"ISOG_DEL", b"ISOGATTR"].iter().any(|magic| file.starts_with(magic));
    if sectioned {
        let table = u64::from_le_bytes(file[16..24].try_into().expect("eight bytes")) as usize;
        let of_table = xxh3_64(file.get(table..).unwrap_or_default());
        sum(file, 32, of_table);
        let of_head = xxh3_64(&file[..40]);
        sum(file, 40, of_head);
    } else if file.starts_with(b"ISOGVECS") || file.starts_with(b"ISOG_IDS") {
        let of_payload = xxh3_64(&file[64..]);
        sum(file, 32, of_payload);
        let of_head = xxh3_64(&file[..56]);
        sum(file, 56, of_head);
    }
}
