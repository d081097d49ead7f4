//! A value as SQLite stores it, and what can go wrong on the way to it.

use std::fmt;

/// Long enough for every text that is made here, not copied: `YYYY-MM-DD HH:MM:SS.ffffff`, or 32 hex digits.
const INLINE: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inline {
    bytes: [u8; INLINE],
    length: u8,
}

impl Inline {
    pub fn new() -> Self {
        Self { bytes: [0; INLINE], length: 0 }
    }

    pub fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(usize::from(self.length)) {
            *place = byte;
            self.length += 1;
        }
    }

    pub fn two(&mut self, number: u32) {
        self.push(b'0' + (number / 10 % 10) as u8);
        self.push(b'0' + (number % 10) as u8);
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl Default for Inline {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Null,
    Int(i64),
    /// Of a column with REAL affinity.
    Real(f64),
    /// Of a column with another affinity, where it is never integral.
    Fraction(f64),
    Made(Inline),
    Text(&'a [u8]),
    Blob(&'a [u8]),
    OwnText(Vec<u8>),
    OwnBlob(Vec<u8>),
}

impl Value<'_> {
    /// The same value, tied to no row.
    pub fn owned(&self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Int(number) => Value::Int(*number),
            Value::Real(number) => Value::Real(*number),
            Value::Fraction(number) => Value::Fraction(*number),
            Value::Made(text) => Value::Made(*text),
            Value::Text(text) => Value::OwnText(text.to_vec()),
            Value::Blob(bytes) => Value::OwnBlob(bytes.to_vec()),
            Value::OwnText(text) => Value::OwnText(text.clone()),
            Value::OwnBlob(bytes) => Value::OwnBlob(bytes.clone()),
        }
    }

    pub fn size(&self) -> usize {
        match self {
            Value::Text(bytes) | Value::Blob(bytes) => bytes.len(),
            Value::OwnText(bytes) | Value::OwnBlob(bytes) => bytes.len(),
            _ => 16,
        }
    }
}

#[derive(Debug)]
pub enum Fault {
    /// The contract has no place for the value.
    Refused(String),
    /// The bytes are not what PostgreSQL sends.
    Malformed(String),
    /// A row's key is not above all keys before it, and there were too many of them.
    Disordered,
    /// The file is none that this builder can write to.
    Unfit(String),
    Io(std::io::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Refused(why) | Fault::Malformed(why) | Fault::Unfit(why) => out.write_str(why),
            Fault::Disordered => out.write_str("too many rows are out of order"),
            Fault::Io(error) => error.fmt(out),
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Fault::Io(error)
    }
}

pub fn refused<T>(why: &str) -> Result<T, Fault> {
    Err(Fault::Refused(why.to_owned()))
}

pub fn malformed<T>(why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Malformed(why.into()))
}
