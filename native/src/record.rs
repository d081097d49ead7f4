//! SQLite's record format (fileformat2.html, section 2.1).

use crate::value::Value;

pub fn push_varint(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
        return;
    }
    if value >> 56 != 0 {
        // Nine bytes: eight with seven bits each, and the last with all of its eight.
        for at in (1..=8).rev() {
            out.push((value >> (8 + 7 * (at - 1)) & 0x7f) as u8 | 0x80);
        }
        out.push(value as u8);
        return;
    }
    let groups = (64 - value.leading_zeros()).div_ceil(7);
    for at in (0..groups).rev() {
        let more = if at == 0 { 0 } else { 0x80 };
        out.push((value >> (7 * at) & 0x7f) as u8 | more);
    }
}

/// Makes one record after the other in the same memory.
#[derive(Debug, Default)]
pub struct Record {
    types: Vec<u8>,
    body: Vec<u8>,
    whole: Vec<u8>,
}

impl Record {
    pub fn begin(&mut self) {
        self.types.clear();
        self.body.clear();
    }

    /// Add the next column as SQLite would have stored it.
    pub fn push(&mut self, value: &Value<'_>) {
        match value {
            Value::Null => self.types.push(0),
            Value::Int(number) => self.push_int(*number),
            Value::Real(number) => match small_integer(*number) {
                Some(number) => self.push_int(number), // to save room; the column's affinity makes it a real again
                None => self.push_real(*number),
            },
            Value::Fraction(number) => self.push_real(*number),
            Value::Made(text) => self.push_bytes(text.bytes(), 13),
            Value::Text(text) => self.push_bytes(text, 13),
            Value::OwnText(text) => self.push_bytes(text, 13),
            Value::Blob(bytes) => self.push_bytes(bytes, 12),
            Value::OwnBlob(bytes) => self.push_bytes(bytes, 12),
        }
    }

    /// The whole record.
    pub fn end(&mut self) -> &[u8] {
        self.whole.clear();
        let types = self.types.len() as u64;
        // The header's size counts the bytes of the size itself, which may grow by that.
        let mut own = 1;
        while types + own >= 1 << (7 * own) {
            own += 1;
        }
        push_varint(&mut self.whole, types + own);
        self.whole.extend_from_slice(&self.types);
        self.whole.extend_from_slice(&self.body);
        &self.whole
    }

    fn push_int(&mut self, number: i64) {
        let size = if number < 0 { !number } else { number } as u64;
        let (kind, bytes) = match size {
            0..=127 if number == 0 || number == 1 => (8 + number as u8, 0),
            0..=0x7f => (1, 1),
            0x80..=0x7fff => (2, 2),
            0x8000..=0x7f_ffff => (3, 3),
            0x80_0000..=0x7fff_ffff => (4, 4),
            0x8000_0000..=0x7fff_ffff_ffff => (5, 6),
            _ => (6, 8),
        };
        self.types.push(kind);
        self.body.extend_from_slice(&number.to_be_bytes()[8 - bytes..]);
    }

    fn push_real(&mut self, number: f64) {
        self.types.push(7);
        self.body.extend_from_slice(&number.to_be_bytes());
    }

    fn push_bytes(&mut self, bytes: &[u8], kind: u64) {
        push_varint(&mut self.types, 2 * bytes.len() as u64 + kind);
        self.body.extend_from_slice(bytes);
    }
}

/// The integer that SQLite writes for a real: one of at most six bytes.
fn small_integer(number: f64) -> Option<i64> {
    const LIMIT: f64 = 140_737_488_355_328.0; // 2^47
    if (-LIMIT..LIMIT).contains(&number) && number.fract() == 0.0 {
        return Some(number as i64);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        push_varint(&mut out, value);
        out
    }

    #[test]
    fn varints() {
        assert_eq!(varint(0), [0]);
        assert_eq!(varint(0x7f), [0x7f]);
        assert_eq!(varint(0x80), [0x81, 0]);
        assert_eq!(varint(0x3fff), [0xff, 0x7f]);
        assert_eq!(varint(0x4000), [0x81, 0x80, 0]);
        assert_eq!(varint(u64::MAX), [0xff; 9]);
        assert_eq!(varint((1 << 56) - 1), [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
        assert_eq!(varint(1 << 56), [0x80, 0xc0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]);
    }

    #[test]
    fn a_header_of_128_bytes_counts_its_own_second_byte() {
        let mut record = Record::default();
        for (columns, head) in [(126, vec![127]), (127, vec![0x81, 1]), (128, vec![0x81, 2])] {
            record.begin();
            for _ in 0..columns {
                record.push(&Value::Null);
            }
            assert_eq!(record.end()[..head.len()], head);
        }
    }
}
