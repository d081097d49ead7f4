//! All rows of a table as one sum of hashes, where order does not matter: the same from both sides when all are equal.
//!
//! The source's side is the bytes of COPY BINARY as they come, not decoded; the target's side is each value that SQLite
//! holds, encoded into those bytes. Rust's own hash is SipHash under a key of this process, so that a changed row
//! changes the sum but for one chance in 2^64.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use crate::encode::{field, Ask, Form, Stored};
use crate::stream::{Field, Framer};
use crate::value::{malformed, Fault};

/// Hashes are added up without a carry lost, so that equal rows never cancel each other out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    pub rows: u64,
    hashes: u128,
}

impl Sum {
    fn add(&mut self, key: &RandomState, row: &[u8]) {
        let mut hasher = key.build_hasher();
        hasher.write(row);
        self.rows += 1;
        self.hashes += u128::from(hasher.finish());
    }

    pub fn merge(&mut self, other: Sum) {
        self.rows += other.rows;
        self.hashes += other.hashes;
    }
}

/// What both sides of one table share.
#[derive(Clone, Debug)]
pub struct Shape {
    forms: Vec<Form>,
    key: RandomState,
}

impl Shape {
    pub fn new(forms: Vec<Form>) -> Self {
        Self { forms, key: RandomState::new() }
    }

    pub fn width(&self) -> usize {
        self.forms.len()
    }
}

/// The source's side: a stream of COPY BINARY, cut anywhere.
#[derive(Debug)]
pub struct Source {
    shape: Shape,
    framer: Framer,
    sum: Sum,
    row: Vec<u8>,
    received: u64,
    accounted: u64,
}

/// The bytes of a COPY that are in no row: its header and its trailer.
const AROUND: u64 = 19 + 2;

impl Source {
    pub fn new(shape: Shape) -> Self {
        let framer = Framer::new(shape.width());
        Self { shape, framer, sum: Sum::default(), row: Vec::new(), received: 0, accounted: AROUND }
    }

    /// Take the next piece; how many rows have come so far.
    pub fn feed(&mut self, piece: &[u8]) -> Result<u64, Fault> {
        let Self { shape, framer, sum, row, received, accounted } = self;
        *received += piece.len() as u64;
        framer.feed(piece, |data, fields| {
            row.clear();
            *accounted += 2;
            for (form, place) in shape.forms.iter().zip(fields) {
                *accounted += 4 + place.map_or(0, |(from, to)| (to - from) as u64);
                copy(row, *form, data, *place)?;
            }
            sum.add(&shape.key, row);
            Ok(())
        })?;
        Ok(sum.rows)
    }

    /// The stream has ended. Every byte of it must have been a row's: what the framer lost, the builder would lack too.
    pub fn finish(&self) -> Result<Sum, Fault> {
        self.framer.finish()?;
        if self.received != self.accounted {
            return malformed("a copy with bytes that belong to no row");
        }
        Ok(self.sum)
    }
}

/// A field as it came, but an integer of any size as one of eight bytes.
fn copy(row: &mut Vec<u8>, form: Form, data: &[u8], place: Field) -> Result<(), Fault> {
    let Some((from, to)) = place else {
        row.extend_from_slice(&(-1i32).to_be_bytes());
        return Ok(());
    };
    let bytes = data.get(from..to).unwrap_or_default();
    if form != Form::Integer || bytes.len() == 8 {
        row.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
        row.extend_from_slice(bytes);
        return Ok(());
    }
    let number = match *bytes {
        [a, b] => i64::from(i16::from_be_bytes([a, b])),
        [a, b, c, d] => i64::from(i32::from_be_bytes([a, b, c, d])),
        _ => return malformed("an integer of no known size"),
    };
    row.extend_from_slice(&8i32.to_be_bytes());
    row.extend_from_slice(&number.to_be_bytes());
    Ok(())
}

/// The target's side: rows as SQLite gives them.
#[derive(Debug)]
pub struct Target {
    shape: Shape,
    sum: Sum,
    row: Vec<u8>,
}

impl Target {
    pub fn new(shape: Shape) -> Self {
        Self { shape, sum: Sum::default(), row: Vec::new() }
    }

    pub fn sum(&self) -> Sum {
        self.sum
    }

    /// Count a row in; `value` is asked for each column in turn. A value that its form never stores is an error.
    pub fn add<'a>(&mut self, mut value: impl FnMut(usize) -> Stored<'a>, ask: &mut Ask<'_>) -> Result<(), Fault> {
        self.row.clear();
        for (at, form) in self.shape.forms.iter().enumerate() {
            field(&mut self.row, *form, value(at), ask)?;
        }
        self.sum.add(&self.shape.key, &self.row);
        Ok(())
    }
}
