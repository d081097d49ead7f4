//! An index's keys as bytes that sort as SQLite sorts the keys (datatype3.html, section 4.1).

use crate::pages::unfit;
use crate::record::{stored, Columns};
use crate::value::{Fault, Value};

/// A column of an index.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Its place in the table's record; None for the rowid.
    pub column: Option<usize>,
    pub descending: bool,
    /// COLLATE NOCASE; else BINARY.
    pub nocase: bool,
}

impl Part {
    /// Its serial type and bytes in a row, whose rowid has these.
    pub fn of<'a>(&self, row: &Row<'a>, rowid: (u64, &'a [u8])) -> Result<(u64, &'a [u8]), Fault> {
        match self.column {
            None => Ok(rowid),
            Some(at) => row.get(at).copied().ok_or(Fault::Unfit("a row has fewer columns than its table".into())),
        }
    }
}

/// The columns of one row: serial types and bytes.
pub type Row<'a> = Vec<(u64, &'a [u8])>;

/// Take a record apart.
pub fn columns<'a>(record: &'a [u8], into: &mut Row<'a>) -> Result<(), Fault> {
    into.clear();
    let mut found = Columns::of(record)?;
    while let Some(column) = found.take()? {
        into.push(column);
    }
    Ok(())
}

const NULL: u8 = 1;
const NUMBER: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

/// Append a row's key; whether one of its columns is NULL.
pub fn push_key(parts: &[Part], rowid: i64, row: &Row<'_>, out: &mut Vec<u8>) -> Result<bool, Fault> {
    let mut null = false;
    for part in parts {
        let start = out.len();
        let value = match part.column {
            None => Value::Int(rowid),
            Some(at) => match row.get(at) {
                Some((kind, field)) => stored(*kind, field),
                None => return unfit("a row has fewer columns than its table"),
            },
        };
        match value {
            Value::Int(number) => push_number(out, number as f64, residue(number)),
            Value::Fraction(number) | Value::Real(number) => push_number(out, number, 0),
            Value::Text(text) => push_bytes(out, TEXT, text, part.nocase),
            Value::Blob(bytes) => push_bytes(out, BLOB, bytes, false),
            _ => {
                null = true;
                out.push(NULL);
            }
        }
        if part.descending {
            out[start..].iter_mut().for_each(|byte| *byte = !*byte);
        }
    }
    Ok(null)
}

/// A number as its nearest double, and what an integer is above that: rounding keeps the order, so this does.
fn push_number(out: &mut Vec<u8>, number: f64, residue: i16) {
    let bits = (number + 0.0).to_bits(); // -0 is 0
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    out.push(NUMBER);
    out.extend_from_slice(&ordered.to_be_bytes());
    out.extend_from_slice(&((residue as u16) ^ 0x8000).to_be_bytes());
}

fn residue(number: i64) -> i16 {
    (i128::from(number) - (number as f64) as i128) as i16 // at most 512 either way
}

/// Bytes of any length so that a shorter one sorts first, whatever comes after it.
fn push_bytes(out: &mut Vec<u8>, tag: u8, bytes: &[u8], nocase: bool) {
    out.push(tag);
    for byte in bytes {
        out.push(if nocase { byte.to_ascii_lowercase() } else { *byte });
        if *byte == 0 {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(values: &[Value<'_>]) -> Vec<u8> {
        let mut record = crate::record::Record::default();
        record.begin();
        values.iter().for_each(|value| record.push(value));
        let bytes = record.end().to_vec();
        let (mut row, mut out) = (Row::new(), Vec::new());
        columns(&bytes, &mut row).unwrap();
        let parts: Vec<Part> =
            (0..values.len()).map(|at| Part { column: Some(at), descending: false, nocase: false }).collect();
        push_key(&parts, 0, &row, &mut out).unwrap();
        out
    }

    #[test]
    fn numbers_sort_as_they_are_large() {
        let int = |number| vec![Value::Int(number)];
        let real = |number| vec![Value::Fraction(number)];
        let rising = [
            real(f64::NEG_INFINITY),
            real(-1e300),
            int(i64::MIN),
            int(i64::MIN + 1),
            int(-(1 << 53) - 3),
            int(-(1 << 53) - 2),
            int(-(1 << 53) - 1),
            int(-2),
            real(-1.5),
            int(-1),
            int(0),
            real(0.5),
            int(1),
            real(1.5),
            int((1 << 53) - 1),
            int(1 << 53),
            int((1 << 53) + 1),
            int((1 << 53) + 2),
            int(i64::MAX - 512),
            int(i64::MAX - 1),
            int(i64::MAX),
            real(9_223_372_036_854_775_808.0),
            real(f64::INFINITY),
        ];
        for pair in rising.windows(2) {
            assert!(key(&pair[0]) < key(&pair[1]), "{pair:?}");
        }
        assert_eq!(key(&int(5)), key(&real(5.0)));
    }

    #[test]
    fn kinds_and_texts_sort_as_sqlite_sorts_them() {
        let rising = [
            vec![Value::Null, Value::Int(1)],
            vec![Value::Int(9), Value::Null],
            vec![Value::Text(b""), Value::Int(2)],
            vec![Value::Text(b"\0"), Value::Int(1)],
            vec![Value::Text(b"\0\0"), Value::Int(1)],
            vec![Value::Text(b"\0\x01"), Value::Int(1)],
            vec![Value::Text(b"a"), Value::Int(7)],
            vec![Value::Text(b"a\0"), Value::Int(1)],
            vec![Value::Text(b"ab"), Value::Int(1)],
            vec![Value::Blob(b""), Value::Int(1)],
            vec![Value::Blob(b"\xff"), Value::Int(1)],
        ];
        for pair in rising.windows(2) {
            assert!(key(&pair[0]) < key(&pair[1]), "{pair:?}");
        }
    }
}
