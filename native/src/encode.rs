//! A value that SQLite holds to the field that COPY BINARY would send for it: the twin of `to_pg` in codec/values.py.
//!
//! It shares nothing with `decode.rs`, whose work it judges. It takes a value only in the very shape that `from_pg`
//! gives: for another that PostgreSQL may print alike (`1.10` as a text, a time without its zeros) the definition is
//! asked.

use crate::value::{malformed, Fault};

/// A value as SQLite's own interface gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stored<'a> {
    Null,
    Int(i64),
    Real(f64),
    Text(&'a [u8]),
    Blob(&'a [u8]),
}

/// How a column's values are stored, as a plan names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
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
    Numeric {
        scale: u16,
    },
    Json,
    Jsonb,
    /// A jsonb that is never stored as a number.
    JsonbText,
    /// The definition's own `to_pg` is asked; the number says which.
    Python(usize),
}

impl Form {
    /// None where only the definition knows it.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "integer" => Form::Integer,
            "boolean" => Form::Boolean,
            "double" => Form::Double,
            "real" => Form::Real,
            "text" | "decimal" => Form::Text,
            "bytea" => Form::Bytea,
            "uuid" => Form::Uuid,
            "date" => Form::Date,
            "time" => Form::Time { short: false },
            "time_short" => Form::Time { short: true },
            "timestamp" | "timestamptz" => Form::Timestamp { short: false },
            "timestamp_short" | "timestamptz_short" => Form::Timestamp { short: true },
            "json" => Form::Json,
            "jsonb" => Form::Jsonb,
            "jsonb_text" => Form::JsonbText,
            _ => {
                let (kind, argument) = name.strip_suffix(')')?.split_once('(')?;
                match kind {
                    "decimal" => Form::Text, // all digits of the scale stand in it
                    "numeric" => Form::Numeric { scale: argument.parse().ok()? },
                    _ => return None,
                }
            }
        })
    }
}

/// Asks the definition for a text: which column's, and the value.
pub type Ask<'a> = dyn FnMut(usize, Stored<'_>) -> Result<String, Fault> + 'a;

/// Add a field, with its length before it as COPY BINARY has it.
///
/// An integer's field is one of eight bytes, whatever its type's size.
pub fn field(out: &mut Vec<u8>, form: Form, value: Stored<'_>, ask: &mut Ask<'_>) -> Result<(), Fault> {
    if value == Stored::Null {
        out.extend_from_slice(&(-1i32).to_be_bytes());
        return Ok(());
    }
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    encode(out, form, value, ask)?;
    let Ok(length) = i32::try_from(out.len() - start - 4) else {
        return malformed("a field too long for PostgreSQL");
    };
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

fn encode(out: &mut Vec<u8>, form: Form, value: Stored<'_>, ask: &mut Ask<'_>) -> Result<(), Fault> {
    match (form, value) {
        (Form::Integer, Stored::Int(number)) => out.extend_from_slice(&number.to_be_bytes()),
        (Form::Boolean, Stored::Int(number @ (0 | 1))) => out.push(number as u8),
        (Form::Double, Stored::Real(number)) => out.extend_from_slice(&number.to_be_bytes()),
        (Form::Real, Stored::Real(number)) if f64::from(number as f32) == number => {
            out.extend_from_slice(&(number as f32).to_be_bytes());
        }
        (Form::Text, Stored::Text(bytes)) => out.extend_from_slice(text(bytes)?),
        (Form::Bytea, Stored::Blob(bytes)) => out.extend_from_slice(bytes),
        (Form::Uuid, Stored::Text(bytes)) => return uuid(out, bytes),
        (Form::Date, Stored::Text(bytes)) => {
            let day = i32::try_from(day(bytes)? - FIRST_OF_2000).or_else(|_| foreign())?;
            out.extend_from_slice(&day.to_be_bytes());
        }
        (Form::Time { short }, Stored::Text(bytes)) => {
            out.extend_from_slice(&time(bytes, short)?.to_be_bytes());
        }
        (Form::Timestamp { short }, Stored::Text(bytes)) => {
            let Some((date, [b' ', clock @ ..])) = bytes.split_at_checked(10) else { return foreign() };
            let micros = (day(date)? - FIRST_OF_2000) * DAY + time(clock, short)?;
            out.extend_from_slice(&micros.to_be_bytes());
        }
        (Form::Numeric { scale }, Stored::Int(number)) => numeric(out, number < 0, number.unsigned_abs(), 0, scale),
        (Form::Numeric { scale }, Stored::Real(number)) if number.fract() != 0.0 => {
            return fraction(out, number, scale)
        }
        (Form::Json, value) => return json(out, value),
        (Form::Jsonb, Stored::Text(bytes)) if is_numeric(bytes) => return foreign(),
        (Form::Jsonb | Form::JsonbText, Stored::Text(bytes)) => return unescaped(out, bytes),
        (Form::Jsonb, value) => return json(out, value), // a number is ASCII
        (Form::Python(which), value) => out.extend_from_slice(ask(which, value)?.as_bytes()),
        _ => return foreign(),
    }
    Ok(())
}

/// A value that its form never stores, or not in this shape.
fn foreign<T>() -> Result<T, Fault> {
    malformed("a value that its form never stores")
}

fn text(bytes: &[u8]) -> Result<&[u8], Fault> {
    match std::str::from_utf8(bytes) {
        Ok(_) => Ok(bytes),
        Err(_) => foreign(),
    }
}

fn uuid(out: &mut Vec<u8>, digits: &[u8]) -> Result<(), Fault> {
    if digits.len() != 32 {
        return foreign();
    }
    for pair in digits.chunks_exact(2) {
        let mut byte = 0;
        for digit in pair {
            byte = byte << 4
                | match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return foreign(),
                };
        }
        out.push(byte);
    }
    Ok(())
}

const DAY: i64 = 86_400_000_000; // microseconds
const FIRST_OF_2000: i64 = 730_119; // where PostgreSQL begins to count, in days after 0001-01-01

/// So many digits and nothing else, as a number.
fn digits(bytes: &[u8]) -> Result<i64, Fault> {
    let mut number = 0;
    for byte in bytes {
        if !byte.is_ascii_digit() {
            return foreign();
        }
        number = number * 10 + i64::from(byte - b'0');
    }
    Ok(number)
}

/// The days from 0001-01-01 to a `YYYY-MM-DD`.
fn day(date: &[u8]) -> Result<i64, Fault> {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    const LENGTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = *date else { return foreign() };
    let (year, month, of_month) = (digits(&[y0, y1, y2, y3])?, digits(&[m0, m1])?, digits(&[d0, d1])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if year < 1 || !(1..=12).contains(&month) {
        return foreign();
    }
    let at = month as usize - 1;
    if of_month < 1 || of_month > LENGTHS[at] + i64::from(leap && month == 2) {
        return foreign();
    }
    let past = year - 1;
    let years = past * 365 + past / 4 - past / 100 + past / 400;
    Ok(years + BEFORE[at] + i64::from(leap && month > 2) + of_month - 1)
}

/// The microseconds of an `HH:MM:SS.ffffff`; a short one has no fraction where that is zero.
fn time(clock: &[u8], short: bool) -> Result<i64, Fault> {
    let Some((&[h0, h1, b':', m0, m1, b':', s0, s1], rest)) = clock.split_first_chunk::<8>() else {
        return foreign();
    };
    let (hour, minute, second) = (digits(&[h0, h1])?, digits(&[m0, m1])?, digits(&[s0, s1])?);
    let fraction = match rest {
        [] if short => 0,
        [b'.', fraction @ ..] if fraction.len() == 6 => digits(fraction)?,
        _ => return foreign(),
    };
    if hour > 23 || minute > 59 || second > 59 || (short && fraction == 0 && !rest.is_empty()) {
        return foreign();
    }
    Ok(((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction)
}

/// A double as the decimal of at most fifteen digits that it stands for.
fn fraction(out: &mut Vec<u8>, number: f64, scale: u16) -> Result<(), Fault> {
    const LIMIT: f64 = 1e15; // what fifteen digits can't write
    const EXACT_POWERS: i32 = 22; // a double holds 10^22, and no higher power of ten
    let power = i32::from(scale);
    if power <= EXACT_POWERS {
        let unit = 10f64.powi(power);
        let units = (number * unit).round();
        if units.abs() < LIMIT && units / unit == number {
            numeric(out, units < 0.0, units.abs() as u64, scale, scale);
            return Ok(());
        }
    }
    // Fifteen digits do not come from that quotient where they do not reach the scale's end, or the scale is long.
    let printed = format!("{:.14e}", number.abs());
    let Some((mantissa, exponent)) = printed.split_once('e') else { return foreign() };
    let (Ok(mut mantissa), Ok(exponent)) = (mantissa.replace('.', "").parse::<u64>(), exponent.parse::<i32>()) else {
        return foreign();
    };
    let mut places = 14 - exponent;
    while places > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        places -= 1;
    }
    let Ok(places) = u16::try_from(places) else { return foreign() };
    if places > scale || format!("{mantissa}e-{places}").parse() != Ok(number.abs()) {
        return foreign();
    }
    numeric(out, number < 0.0, mantissa, places, scale);
    Ok(())
}

/// A numeric's bytes: its digits to the base 10,000 in groups that begin at the point, without zeros at both ends.
fn numeric(out: &mut Vec<u8>, negative: bool, mut mantissa: u64, mut places: u16, scale: u16) {
    while places > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        places -= if mantissa == 0 { places } else { 1 };
    }
    let odd = u32::from(places % 4);
    let mut rest = u128::from(mantissa) * 10u128.pow((4 - odd) % 4);
    let mut groups = Vec::with_capacity(8);
    let mut weight = -i32::from(places.div_ceil(4)); // of the last group
    while rest != 0 && rest % 10_000 == 0 {
        rest /= 10_000;
        weight += 1;
    }
    while rest != 0 {
        groups.push((rest % 10_000) as u16);
        rest /= 10_000;
    }
    weight += groups.len() as i32 - 1;
    let (weight, sign) = if groups.is_empty() { (0, 0) } else { (weight, if negative { 0x4000u16 } else { 0 }) };
    out.extend_from_slice(&(groups.len() as u16).to_be_bytes());
    out.extend_from_slice(&(weight as i16).to_be_bytes());
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&scale.to_be_bytes());
    for group in groups.iter().rev() {
        out.extend_from_slice(&group.to_be_bytes());
    }
}

/// A bare number is stored as an integer where that prints the same, else as a blob: see `_json_from_pg`.
fn json(out: &mut Vec<u8>, value: Stored<'_>) -> Result<(), Fault> {
    match value {
        Stored::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Stored::Text(bytes) if !is_numeric(bytes) => out.extend_from_slice(text(bytes)?),
        Stored::Blob(bytes) if is_numeric(bytes) && !is_integer(bytes) => out.extend_from_slice(text(bytes)?),
        _ => return foreign(),
    }
    Ok(())
}

/// Whether what is known to be JSON is a number.
fn is_numeric(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start(), [b'-' | b'0'..=b'9', ..])
}

fn is_integer(json: &[u8]) -> bool {
    let text = std::str::from_utf8(json).unwrap_or_default();
    text.parse::<i64>().is_ok_and(|number| number.to_string() == text)
}

/// What PostgreSQL prints for a jsonb that is stored in ASCII: see codec/jsonb.py.
fn unescaped(out: &mut Vec<u8>, stored: &[u8]) -> Result<(), Fault> {
    if !stored.iter().all(|byte| *byte < 0x7f) {
        return foreign();
    }
    let mut at = 0;
    while let Some(length) = stored[at..].iter().position(|byte| *byte == b'\\') {
        out.extend_from_slice(&stored[at..at + length]);
        at += length;
        let mut units = Vec::new();
        while let Some(unit) = unit(&stored[at + 6 * units.len()..]) {
            units.push(unit);
        }
        if units.is_empty() {
            let end = (at + 2).min(stored.len());
            out.extend_from_slice(&stored[at..end]);
            at = end;
            continue;
        }
        for letter in char::decode_utf16(units.iter().copied()) {
            match letter {
                Ok(letter) if letter < '\x7f' => out.extend_from_slice(format!("\\u{:04x}", letter as u32).as_bytes()),
                Ok(letter) => out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
                Err(_) => return foreign(),
            }
        }
        at += 6 * units.len();
    }
    out.extend_from_slice(&stored[at..]);
    Ok(())
}

/// The UTF-16 unit of a `\uxxxx` that begins here.
fn unit(text: &[u8]) -> Option<u16> {
    let [b'\\', b'u', digits @ ..] = *text.first_chunk::<6>()? else { return None };
    let lower = digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    lower.then(|| u16::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()).flatten()
}
