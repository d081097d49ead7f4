//! One field as PostgreSQL prints it to the value that SQLite stores: the twin of `from_pg` in codec/values.py.
//!
//! Where it refuses a value, the definition is asked for the reason; so it may refuse what it is not sure of.

use crate::decode::{double, escaped, json, text, Kind};
use crate::value::{malformed, refused, Fault, Inline, Value};

const EXACT_DIGITS: usize = 15;

/// Read a field that is not NULL.
pub fn read(kind: Kind, field: &[u8]) -> Result<Value<'_>, Fault> {
    match kind {
        Kind::Integer => match ascii(field)?.parse() {
            Ok(number) => Ok(Value::Int(number)),
            Err(_) => refused("no integer"),
        },
        Kind::Boolean => Ok(Value::Int(i64::from(field == b"t"))),
        Kind::Double => number(field, |digits| digits.parse().ok()),
        // Rounded once to single precision, as PostgreSQL has it.
        Kind::Real => number(field, |digits| digits.parse::<f32>().ok().map(f64::from)),
        Kind::Text => Ok(Value::Text(text(field)?)),
        Kind::Bytea => bytea(field),
        Kind::Uuid => uuid(field),
        Kind::Date if field.len() == 10 => Ok(Value::Text(text(field)?)),
        Kind::Date => refused("no day of four digits' years"),
        Kind::Time { short } => time(field, short),
        Kind::Timestamp { short } => timestamp(field, short),
        Kind::Numeric => numeric(field),
        Kind::Json => json(text(field)?),
        Kind::Jsonb => match escaped(text(field)?) {
            Value::Text(text) => json(text),
            other => Ok(other),
        },
        Kind::JsonbText => Ok(escaped(text(field)?)),
        Kind::Python(_) => malformed("a form that only Python knows"),
    }
}

fn ascii(field: &[u8]) -> Result<&str, Fault> {
    match std::str::from_utf8(field) {
        Ok(text) if text.is_ascii() => Ok(text),
        _ => refused("digits were expected"),
    }
}

fn number<'a>(field: &[u8], parse: impl Fn(&str) -> Option<f64>) -> Result<Value<'a>, Fault> {
    match parse(ascii(field)?) {
        Some(found) => double(found),
        None => refused("no number"),
    }
}

fn bytea(field: &[u8]) -> Result<Value<'_>, Fault> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let Some(digits) = field.strip_prefix(b"\\x") else { return refused("no bytes in hexadecimal") };
    let pairs = digits.chunks_exact(2);
    let made: Option<Vec<u8>> = pairs.map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect();
    match made {
        Some(bytes) if digits.len() % 2 == 0 => Ok(Value::OwnBlob(bytes)),
        _ => refused("no bytes in hexadecimal"),
    }
}

fn uuid(field: &[u8]) -> Result<Value<'_>, Fault> {
    if field.len() != 36 || !field.is_ascii() {
        return refused("no uuid");
    }
    let mut made = Inline::new();
    field.iter().filter(|byte| **byte != b'-').for_each(|byte| made.push(*byte));
    Ok(Value::Made(made))
}

fn time(field: &[u8], short: bool) -> Result<Value<'_>, Fault> {
    if field.starts_with(b"24") || field.len() < 8 || field.len() > 15 {
        return refused("no time of day");
    }
    padded(field, 8, short)
}

/// One of a `timestamptz` is printed in UTC, and ends with `+00`.
fn timestamp(field: &[u8], short: bool) -> Result<Value<'_>, Fault> {
    let local = field.strip_suffix(b"+00").unwrap_or(field);
    if local.len() < 19 || local.len() > 26 || local[4] != b'-' || local.ends_with(b"C") || local[19..].contains(&b'+')
    {
        return refused("no moment of four digits' years");
    }
    padded(local, 19, short)
}

/// With six digits of a second, or with none where that is shorter and they are all zeros.
fn padded(field: &[u8], whole: usize, short: bool) -> Result<Value<'_>, Fault> {
    if short && field.len() == whole {
        return Ok(Value::Text(text(field)?));
    }
    let mut made = Inline::new();
    ascii(field)?.bytes().for_each(|byte| made.push(byte));
    if field.len() == whole {
        made.push(b'.');
    }
    while made.bytes().len() < whole + 7 {
        made.push(b'0');
    }
    Ok(Value::Made(made))
}

fn numeric(field: &[u8]) -> Result<Value<'_>, Fault> {
    let digits = ascii(field)?;
    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
    let figures = unsigned.bytes().filter(|byte| *byte != b'.').skip_while(|byte| *byte == b'0').count();
    if figures > EXACT_DIGITS || !unsigned.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return refused("no number of 15 digits");
    }
    if !digits.contains('.') {
        return match digits.parse() {
            Ok(number) => Ok(Value::Int(number)),
            Err(_) => refused("no number"),
        };
    }
    match digits.parse::<f64>() {
        Ok(number) if number.fract() == 0.0 => Ok(Value::Int(number as i64)),
        Ok(number) => Ok(Value::Fraction(number)),
        Err(_) => refused("no number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_any_kind_are_answered_in_every_kind() {
        let forms = "integer boolean double real text bytea uuid date time time_short timestamp timestamp_short json \
                     jsonb jsonb_text numeric(2)";
        let alphabet = b"0123456789-+:. \\xabcdefTtCB\"{}[]eE\xc3\xff\x7f";
        let mut state = 1u64;
        for form in forms.split_whitespace() {
            let kind = Kind::of(form).unwrap();
            for length in 0..40 {
                for _ in 0..300 {
                    let field: Vec<u8> = (0..length)
                        .map(|_| {
                            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                            alphabet[(state >> 33) as usize % alphabet.len()]
                        })
                        .collect();
                    let _ = read(kind, &field);
                }
            }
        }
    }
}
