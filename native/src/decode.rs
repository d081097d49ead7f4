//! One field of COPY BINARY to the value that SQLite stores: the twin of `from_pg` in codec/values.py, form by form.

use crate::value::{malformed, refused, Fault, Inline, Value};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Integer,
    Boolean,
    Double,
    Real,
    Text,
    Bytea,
    Uuid,
    Date,
    Time {
        short: bool,
    },
    Timestamp {
        short: bool,
    },
    Numeric,
    Json,
    Jsonb,
    /// A jsonb that is never stored as a number.
    JsonbText,
    /// The definition's own `from_pg` is asked; the number says which.
    Python(usize),
}

impl Kind {
    /// The kind of a form as a plan names it; None where only the definition knows it.
    pub fn of(form: &str) -> Option<Self> {
        Some(match form {
            "integer" => Kind::Integer,
            "boolean" => Kind::Boolean,
            "double" => Kind::Double,
            "real" => Kind::Real,
            "text" | "decimal" => Kind::Text,
            "bytea" => Kind::Bytea,
            "uuid" => Kind::Uuid,
            "date" => Kind::Date,
            "time" => Kind::Time { short: false },
            "time_short" => Kind::Time { short: true },
            "timestamp" | "timestamptz" => Kind::Timestamp { short: false },
            "timestamp_short" | "timestamptz_short" => Kind::Timestamp { short: true },
            "json" => Kind::Json,
            "jsonb" => Kind::Jsonb,
            "jsonb_text" => Kind::JsonbText,
            // PostgreSQL prints all digits of a column's scale, so there is nothing to add.
            _ if form.starts_with("decimal(") => Kind::Text,
            _ if form.starts_with("numeric(") => Kind::Numeric,
            _ => return None,
        })
    }
}

const DAY: i64 = 86_400_000_000;
const FIRST_DAY: i64 = -730_119; // 0001-01-01, counted from 2000-01-01
const LAST_DAY: i64 = 2_921_939; // 9999-12-31
const EPOCH: i64 = 10_957; // 2000-01-01, counted from 1970-01-01

/// Decode a field that is not NULL.
pub fn decode(kind: Kind, field: &[u8]) -> Result<Value<'_>, Fault> {
    match kind {
        Kind::Integer => integer(field),
        Kind::Boolean => match field {
            [0] => Ok(Value::Int(0)),
            [1] => Ok(Value::Int(1)),
            _ => malformed("no boolean"),
        },
        Kind::Double => double(f64::from_be_bytes(exact(field)?)),
        Kind::Real => double(f64::from(f32::from_be_bytes(exact(field)?))),
        Kind::Text => Ok(Value::Text(text(field)?)),
        Kind::Bytea => Ok(Value::Blob(field)),
        Kind::Uuid => uuid(exact(field)?),
        Kind::Date => date(i32::from_be_bytes(exact(field)?)),
        Kind::Time { short } => time(i64::from_be_bytes(exact(field)?), short),
        Kind::Timestamp { short } => timestamp(i64::from_be_bytes(exact(field)?), short),
        Kind::Numeric => numeric(field),
        Kind::Json => json(text(field)?),
        Kind::Jsonb => match escaped(text(field)?) {
            Value::Text(text) => json(text),
            other => Ok(other), // a number is ASCII
        },
        Kind::JsonbText => Ok(escaped(text(field)?)),
        Kind::Python(_) => malformed("a form that only Python knows"),
    }
}

fn exact<const N: usize>(field: &[u8]) -> Result<[u8; N], Fault> {
    match field.try_into() {
        Ok(bytes) => Ok(bytes),
        Err(_) => malformed(format!("a value of {} bytes, where {N} were expected", field.len())),
    }
}

/// A server whose database is SQL_ASCII sends whatever bytes it was given.
pub fn text(field: &[u8]) -> Result<&[u8], Fault> {
    match std::str::from_utf8(field) {
        Ok(_) => Ok(field),
        Err(_) => refused("its text is not UTF-8"),
    }
}

fn integer(field: &[u8]) -> Result<Value<'_>, Fault> {
    Ok(Value::Int(match field.len() {
        2 => i64::from(i16::from_be_bytes(exact(field)?)),
        4 => i64::from(i32::from_be_bytes(exact(field)?)),
        _ => i64::from_be_bytes(exact(field)?),
    }))
}

pub fn double<'a>(value: f64) -> Result<Value<'a>, Fault> {
    if value.is_nan() {
        return refused("NaN is NULL to SQLite");
    }
    if value == 0.0 && value.is_sign_negative() {
        return refused("SQLite drops the sign of -0 in a REAL column");
    }
    Ok(Value::Real(value))
}

fn uuid<'a>(bytes: [u8; 16]) -> Result<Value<'a>, Fault> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut made = Inline::new();
    for byte in bytes {
        made.push(DIGITS[usize::from(byte >> 4)]);
        made.push(DIGITS[usize::from(byte & 15)]);
    }
    Ok(Value::Made(made))
}

fn date<'a>(days: i32) -> Result<Value<'a>, Fault> {
    let why = match days {
        i32::MAX => "infinity",
        i32::MIN => "-infinity",
        _ if i64::from(days) < FIRST_DAY => "a year before Christ",
        _ if i64::from(days) > LAST_DAY => "a year past 9999",
        _ => {
            let mut made = Inline::new();
            push_day(&mut made, i64::from(days));
            return Ok(Value::Made(made));
        }
    };
    Err(Fault::Refused(format!("{why} has no place in YYYY-MM-DD")))
}

fn time<'a>(micros: i64, short: bool) -> Result<Value<'a>, Fault> {
    if micros == DAY {
        return refused("24:00:00 is no time of day to other readers");
    }
    if !(0..DAY).contains(&micros) {
        return malformed("no time of day");
    }
    let mut made = Inline::new();
    push_time(&mut made, micros, short);
    Ok(Value::Made(made))
}

fn timestamp<'a>(micros: i64, short: bool) -> Result<Value<'a>, Fault> {
    let (day, rest) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    let why = match micros {
        i64::MAX => "infinity",
        i64::MIN => "-infinity",
        _ if day < FIRST_DAY => "a year before Christ",
        _ if day > LAST_DAY => "a year past 9999",
        _ => {
            let mut made = Inline::new();
            push_day(&mut made, day);
            made.push(b' ');
            push_time(&mut made, rest, short);
            return Ok(Value::Made(made));
        }
    };
    Err(Fault::Refused(format!("{why} has no place in YYYY-MM-DD HH:MM:SS.ffffff")))
}

/// The civil date of a day (after Howard Hinnant's `civil_from_days`, in years that begin in March).
fn push_day(made: &mut Inline, day: i64) {
    let shifted = day + EPOCH + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    made.two((year / 100) as u32);
    made.two((year % 100) as u32);
    made.push(b'-');
    made.two(month as u32);
    made.push(b'-');
    made.two(of_month as u32);
}

fn push_time(made: &mut Inline, micros: i64, short: bool) {
    let (seconds, fraction) = ((micros / 1_000_000) as u32, (micros % 1_000_000) as u32);
    made.two(seconds / 3600);
    made.push(b':');
    made.two(seconds / 60 % 60);
    made.push(b':');
    made.two(seconds % 60);
    if !short || fraction != 0 {
        made.push(b'.');
        made.two(fraction / 10_000);
        made.two(fraction / 100 % 100);
        made.two(fraction % 100);
    }
}

fn numeric(field: &[u8]) -> Result<Value<'_>, Fault> {
    let Some((head, digits)) = field.split_first_chunk::<8>() else {
        return malformed("no numeric");
    };
    let [n0, n1, w0, w1, s0, s1, d0, d1] = *head;
    let weight = i64::from(i16::from_be_bytes([w0, w1]));
    let negative = match u16::from_be_bytes([s0, s1]) {
        0 => false,
        0x4000 => true,
        0xC000 => return refused("NaN is no number to SQLite's NUMERIC"),
        0xD000 => return refused("Infinity is no number to SQLite's NUMERIC"),
        0xF000 => return refused("-Infinity is no number to SQLite's NUMERIC"),
        _ => return malformed("a numeric with an unknown sign"),
    };
    let scale = i64::from(u16::from_be_bytes([d0, d1]));
    let count = usize::from(u16::from_be_bytes([n0, n1]));
    if digits.len() != 2 * count {
        return malformed("a numeric of another length than it says");
    }
    if count > 8 {
        return refused(TOO_LONG);
    }
    let mut mantissa: u128 = 0; // 8 groups of 4 digits are below 10^32
    for pair in digits.chunks_exact(2) {
        let group = u16::from_be_bytes([pair[0], pair[1]]);
        if group > 9999 {
            return malformed("a numeric with a digit above 9999");
        }
        mantissa = mantissa * 10_000 + u128::from(group);
    }
    // All digits that PostgreSQL prints, as one integer: the value is that by 10 to the power of -scale.
    let Some(printed) = shifted(mantissa, 4 * (weight - count as i64 + 1) + scale) else {
        return refused(TOO_LONG);
    };
    Ok(fraction(if negative { -printed } else { printed }, scale))
}

const TOO_LONG: &str = "a number of more than 15 digits, which a double does not hold";
const DIGITS: i64 = 1_000_000_000_000_000; // what 15 digits can't write

/// An integer by a power of ten; what that cuts off is zeros. None where it has more than 15 digits.
fn shifted(mut mantissa: u128, mut power: i64) -> Option<i64> {
    while power < 0 && mantissa != 0 {
        mantissa /= 10;
        power += 1;
    }
    while power > 0 && mantissa != 0 {
        if mantissa >= DIGITS as u128 {
            return None;
        }
        mantissa *= 10;
        power -= 1;
    }
    i64::try_from(mantissa).ok().filter(|found| *found < DIGITS)
}

/// An integer of at most 15 digits, and how many of them are after the point.
fn fraction<'a>(printed: i64, scale: i64) -> Value<'a> {
    const EXACT_POWERS: i64 = 22; // a double holds 10^22, and no higher power of ten
    if scale <= 18 {
        let unit = 10i64.pow(scale as u32);
        if printed % unit == 0 {
            return Value::Int(printed / unit);
        }
    } else if printed == 0 {
        return Value::Int(0);
    }
    if scale <= EXACT_POWERS {
        return Value::Fraction(printed as f64 / 10f64.powi(scale as i32)); // both exact, so rounded once
    }
    Value::Fraction(format!("{printed}e-{scale}").parse().unwrap_or(0.0))
}

/// A JSON column has NUMERIC affinity: see `_json_from_pg`.
pub fn json(text: &[u8]) -> Result<Value<'_>, Fault> {
    if !is_number(text) {
        return Ok(Value::Text(text));
    }
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.iter().all(u8::is_ascii_digit) {
        let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
        if let Some(number) = number {
            if number.to_string().as_bytes() == text {
                return Ok(Value::Int(number));
            }
        }
    }
    Ok(Value::Blob(text))
}

/// What PostgreSQL prints, in ASCII as Python's `json.dumps` writes it: see codec/jsonb.py.
pub fn escaped(text: &[u8]) -> Value<'_> {
    if text.iter().all(|byte| *byte < 0x7f) {
        return Value::Text(text);
    }
    let mut made = String::with_capacity(2 * text.len());
    let mut units = [0; 2];
    for letter in String::from_utf8_lossy(text).chars() {
        if letter < '\x7f' {
            made.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut units) {
                made.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    Value::OwnText(made.into_bytes())
}

/// Whether it matches `\s*-?\d+(\.\d+)?([eE][+-]?\d+)?\s*`.
fn is_number(text: &[u8]) -> bool {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let from = text.iter().position(|byte| !blank(byte)).unwrap_or(text.len());
    let to = text.iter().rposition(|byte| !blank(byte)).map_or(from, |at| at + 1);
    let rest = &text[from..to];
    let rest = rest.strip_prefix(b"-").unwrap_or(rest);
    let Some(mut rest) = digits(rest) else { return false };
    if let Some(fraction) = rest.strip_prefix(b".") {
        let Some(after) = digits(fraction) else { return false };
        rest = after;
    }
    if let Some((b'e' | b'E', power)) = rest.split_first() {
        let power = power.strip_prefix(b"+").or(power.strip_prefix(b"-")).unwrap_or(power);
        let Some(after) = digits(power) else { return false };
        rest = after;
    }
    rest.is_empty()
}

/// What comes after one digit or more.
fn digits(text: &[u8]) -> Option<&[u8]> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(value: Value<'_>) -> String {
        match value {
            Value::Made(text) => String::from_utf8(text.bytes().to_vec()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_and_the_last_day_of_the_contract() {
        assert_eq!(made(date(FIRST_DAY as i32).unwrap()), "0001-01-01");
        assert_eq!(made(date(LAST_DAY as i32).unwrap()), "9999-12-31");
        assert_eq!(made(date(0).unwrap()), "2000-01-01");
        assert!(date(FIRST_DAY as i32 - 1).is_err() && date(LAST_DAY as i32 + 1).is_err());
        assert_eq!(made(timestamp(FIRST_DAY * DAY, false).unwrap()), "0001-01-01 00:00:00.000000");
        assert_eq!(made(timestamp((LAST_DAY + 1) * DAY - 1, true).unwrap()), "9999-12-31 23:59:59.999999");
        assert!(timestamp(FIRST_DAY * DAY - 1, false).is_err() && timestamp((LAST_DAY + 1) * DAY, false).is_err());
    }

    #[test]
    fn every_short_field_is_answered_in_every_kind() {
        let forms = "integer boolean double real text bytea uuid date time time_short timestamp json numeric(2)";
        let mut state = 1u64;
        for form in forms.split(' ') {
            let kind = Kind::of(form).unwrap();
            for length in 0..40 {
                for _ in 0..200 {
                    let field: Vec<u8> = (0..length)
                        .map(|_| {
                            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                            let byte = (state >> 56) as u8;
                            if state >> 40 & 3 == 0 {
                                byte
                            } else {
                                byte & 3
                            }
                        })
                        .collect();
                    let _ = decode(kind, &field);
                }
            }
        }
    }

    #[test]
    fn what_is_a_number_to_json() {
        for text in ["1", "-1.5e3", " 1 ", "\n12\t", "0.0", "1E+5"] {
            assert!(is_number(text.as_bytes()), "{text}");
        }
        for text in ["", " ", "-", "1.", ".5", "1e", "1 2", "\"1\"", "null", "1e+", "--1"] {
            assert!(!is_number(text.as_bytes()), "{text}");
        }
    }
}
