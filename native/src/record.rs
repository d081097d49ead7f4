//! SQLite's record format (fileformat2.html, section 2.1).

use crate::value::{Fault, Value};
use crate::walk::varint;

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
        push_head(&mut self.whole, &self.types);
        self.whole.extend_from_slice(&self.body);
        &self.whole
    }

    fn push_int(&mut self, number: i64) {
        let (kind, bytes) = integer(number);
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

/// Append a record's header, which these serial types make up.
pub fn push_head(out: &mut Vec<u8>, types: &[u8]) {
    let size = types.len() as u64;
    // The header's size counts the bytes of the size itself, which may grow by that.
    let mut own = 1;
    while size + own >= 1 << (7 * own) {
        own += 1;
    }
    push_varint(out, size + own);
    out.extend_from_slice(types);
}

/// An integer's serial type, and how many bytes it takes.
pub fn integer(number: i64) -> (u8, usize) {
    let size = if number < 0 { !number } else { number } as u64;
    match size {
        0..=127 if number == 0 || number == 1 => (8 + number as u8, 0),
        0..=0x7f => (1, 1),
        0x80..=0x7fff => (2, 2),
        0x8000..=0x7f_ffff => (3, 3),
        0x80_0000..=0x7fff_ffff => (4, 4),
        0x8000_0000..=0x7fff_ffff_ffff => (5, 6),
        _ => (6, 8),
    }
}

/// A record's columns: each one's serial type, and its bytes.
#[derive(Clone, Debug)]
pub struct Columns<'a> {
    types: &'a [u8],
    body: &'a [u8],
}

impl<'a> Columns<'a> {
    pub fn of(record: &'a [u8]) -> Result<Self, Fault> {
        let (head, size) = varint(record, 0)?;
        let head = usize::try_from(head).unwrap_or(usize::MAX);
        match (record.get(size..head), record.get(head..)) {
            (Some(types), Some(body)) => Ok(Self { types, body }),
            _ => spoilt(),
        }
    }

    /// The next one; None after the last.
    pub fn take(&mut self) -> Result<Option<(u64, &'a [u8])>, Fault> {
        if self.types.is_empty() {
            return Ok(None);
        }
        let (kind, size) = varint(self.types, 0)?;
        self.types = &self.types[size..];
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind as usize,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return spoilt(),
            _ => usize::try_from((kind - 12) / 2).unwrap_or(usize::MAX),
        };
        if length > self.body.len() {
            return spoilt();
        }
        let (field, rest) = self.body.split_at(length);
        self.body = rest;
        Ok(Some((kind, field)))
    }
}

fn spoilt<T>() -> Result<T, Fault> {
    Err(Fault::Unfit("a record is none".into()))
}

/// The value of a column.
pub fn stored(kind: u64, field: &[u8]) -> Value<'_> {
    match kind {
        0 => Value::Null,
        7 => Value::Fraction(f64::from_bits(bits(field) as u64)),
        8 | 9 => Value::Int(kind as i64 - 8),
        1..=6 => Value::Int(bits(field)),
        _ if kind % 2 == 0 => Value::Blob(field),
        _ => Value::Text(field),
    }
}

/// A signed number of up to eight bytes.
fn bits(field: &[u8]) -> i64 {
    let first = field.first().map_or(0, |byte| i64::from(*byte as i8));
    field.iter().skip(1).fold(first, |number, byte| number << 8 | i64::from(*byte))
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
    fn a_record_is_read_as_it_was_written() {
        let values = [
            Value::Null,
            Value::Int(0),
            Value::Int(1),
            Value::Int(-1),
            Value::Int(-129),
            Value::Int(1 << 20),
            Value::Int(i64::MAX),
            Value::Int(i64::MIN),
            Value::Int(-(1 << 40)),
            Value::Fraction(-1.5),
            Value::Text(b"text"),
            Value::Blob(b""),
        ];
        let mut record = Record::default();
        record.begin();
        values.iter().for_each(|value| record.push(value));
        let bytes = record.end().to_vec();
        let mut columns = Columns::of(&bytes).unwrap();
        for value in &values {
            let (kind, field) = columns.take().unwrap().unwrap();
            assert_eq!(stored(kind, field), *value);
        }
        assert!(columns.take().unwrap().is_none());
        for end in 0..bytes.len() {
            let Ok(mut columns) = Columns::of(&bytes[..end]) else { continue };
            while let Ok(Some(_)) = columns.take() {}
        }
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
