//! The two codecs judge each other: they share no code, and each is the other's inverse.

use liteshift_native::decode::{decode, Kind};
use liteshift_native::encode::{field, Form, Stored};
use liteshift_native::value::{malformed, Fault, Value};

mod random;
use random::Random;

const DAY: i64 = 86_400_000_000;
const FIRST_DAY: i64 = -730_119; // 0001-01-01
const LAST_DAY: i64 = 2_921_939; // 9999-12-31

fn stored<'a>(value: &'a Value<'_>) -> Stored<'a> {
    match value {
        Value::Null => Stored::Null,
        Value::Int(number) => Stored::Int(*number),
        Value::Real(number) | Value::Fraction(number) => Stored::Real(*number),
        Value::Made(made) => Stored::Text(made.bytes()),
        Value::Text(text) => Stored::Text(text),
        Value::OwnText(text) => Stored::Text(text),
        Value::Blob(bytes) => Stored::Blob(bytes),
        Value::OwnBlob(bytes) => Stored::Blob(bytes),
    }
}

fn encoded(form: &str, value: Stored<'_>) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    field(&mut out, Form::of(form).unwrap(), value, &mut |_, _| malformed("nobody to ask"))?;
    let (length, bytes) = out.split_first_chunk::<4>().unwrap();
    assert_eq!(i32::from_be_bytes(*length), bytes.len() as i32);
    Ok(bytes.to_vec())
}

/// A numeric as PostgreSQL sends it, from its decimal digits.
fn numeric(negative: bool, mantissa: u64, scale: usize) -> Vec<u8> {
    let digits = format!("{mantissa:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let whole = format!("{whole:0>width$}", width = whole.len().next_multiple_of(4));
    let fraction = format!("{fraction:0<width$}", width = scale.next_multiple_of(4));
    let all: Vec<u16> =
        [whole.as_bytes(), fraction.as_bytes()].concat().chunks(4).map(|four| parse(four) as u16).collect();
    let Some(first) = all.iter().position(|group| *group != 0) else {
        return [[0, 0, 0, scale as u16].map(u16::to_be_bytes).concat()].concat();
    };
    let last = all.iter().rposition(|group| *group != 0).unwrap();
    let weight = (whole.len() / 4) as i16 - 1 - first as i16;
    let sign = if negative { 0x4000 } else { 0 };
    let mut field = [(last - first + 1) as u16, weight as u16, sign, scale as u16].map(u16::to_be_bytes).concat();
    field.extend(all[first..=last].iter().flat_map(|group| group.to_be_bytes()));
    field
}

fn parse(digits: &[u8]) -> i64 {
    std::str::from_utf8(digits).unwrap().parse().unwrap()
}

const LETTERS: [&str; 16] =
    ["a", "Z", "0", " ", "\t", "é", "\u{7f}", "€", "😀", "\\\\", "\\\"", "\\u0001", "\\n", "[", "{", "\u{ffff}"];
const NUMBERS: [&str; 12] =
    ["0", "-0", "1", "-1", "1.0", "1e5", "-1.5E-3", " 1", "1 ", "007", "9223372036854775807", "9223372036854775808"];

fn words(random: &mut Random) -> String {
    (0..random.below(12)).map(|_| random.one_of(&LETTERS)).collect()
}

/// A field as PostgreSQL would send it for a form, now and then of a value that can't be carried.
fn sent(random: &mut Random, form: &str) -> Vec<u8> {
    let signed = random.sized() as i64 * random.one_of(&[1, -1]);
    match form {
        "integer" => signed.to_be_bytes().to_vec(),
        "boolean" => vec![random.below(2) as u8],
        "double" => match random.below(3) {
            0 => random.next().to_be_bytes().to_vec(),
            1 => (signed as f64).to_be_bytes().to_vec(),
            _ => (signed as f64 / 100.0).to_be_bytes().to_vec(),
        },
        "real" => match random.below(2) {
            0 => (random.next() as u32).to_be_bytes().to_vec(),
            _ => (signed as f32 / 8.0).to_be_bytes().to_vec(),
        },
        "uuid" => [random.next().to_be_bytes(), random.next().to_be_bytes()].concat(),
        "date" => ((FIRST_DAY + random.below((LAST_DAY - FIRST_DAY + 2) as u64) as i64) as i32).to_be_bytes().to_vec(),
        "time" | "time_short" => {
            let second = random.below(86_401) as i64;
            (second * 1_000_000 + random.one_of(&[0, 0, 1, 500_000, 999_999])).to_be_bytes().to_vec()
        }
        "bytea" => (0..random.below(30)).map(|_| random.next() as u8).collect(),
        "json" | "jsonb" | "jsonb_text" if random.below(3) == 0 => random.one_of(&NUMBERS).as_bytes().to_vec(),
        "json" | "jsonb" | "jsonb_text" => format!("\"{}\"", words(random)).into_bytes(),
        "text" | "decimal(3)" => words(random).into_bytes(),
        _ if form.starts_with("timestamp") => {
            let day = FIRST_DAY - 1 + random.below((LAST_DAY - FIRST_DAY + 3) as u64) as i64;
            let second = random.below(86_400) as i64;
            let micros = random.one_of(&[0, 0, 1, 500_000, 999_999]);
            (day * DAY + second * 1_000_000 + micros).to_be_bytes().to_vec()
        }
        _ => {
            let scale = form.trim_start_matches("numeric(").trim_end_matches(')').parse().unwrap();
            let mantissa = random.sized() % 10u64.pow(random.below(17) as u32);
            numeric(random.below(2) == 0 && mantissa != 0, mantissa, scale)
        }
    }
}

const FORMS: [&str; 26] = [
    "integer",
    "boolean",
    "double",
    "real",
    "text",
    "decimal(3)",
    "bytea",
    "uuid",
    "date",
    "time",
    "time_short",
    "timestamp",
    "timestamptz",
    "timestamp_short",
    "timestamptz_short",
    "json",
    "jsonb",
    "jsonb_text",
    "numeric(0)",
    "numeric(1)",
    "numeric(2)",
    "numeric(4)",
    "numeric(7)",
    "numeric(15)",
    "numeric(22)",
    "numeric(40)",
];

#[test]
fn what_is_decoded_is_encoded_back() {
    let mut random = Random(1);
    for form in FORMS {
        let kind = Kind::of(form).unwrap();
        let mut carried = 0;
        for _ in 0..20_000 {
            let sent = sent(&mut random, form);
            if let Ok(value) = decode(kind, &sent) {
                carried += 1;
                let found = encoded(form, stored(&value)).unwrap_or_else(|fault| panic!("{form} {value:?}: {fault}"));
                assert_eq!(found, sent, "{form} {value:?}");
            }
        }
        assert!(carried > 10_000, "{form}: only {carried} of 20000 were carried");
    }
}

/// Spoilt values of a form, in the shape that SQLite might hold.
fn spoilt(random: &mut Random, value: Stored<'_>) -> (u8, Vec<u8>) {
    let (mut class, mut bytes) = match value {
        Stored::Text(text) => (0, text.to_vec()),
        Stored::Blob(bytes) => (1, bytes.to_vec()),
        Stored::Int(number) => (2, number.to_be_bytes().to_vec()),
        Stored::Real(number) => (3, number.to_be_bytes().to_vec()),
        Stored::Null => (0, Vec::new()),
    };
    match random.below(5) {
        0 => class = random.below(4) as u8,
        1 => bytes.truncate(random.below(bytes.len() as u64 + 1) as usize),
        2 => bytes.push(random.one_of(b"0 .9\0")),
        _ => {
            for _ in 0..=random.below(2) {
                if !bytes.is_empty() {
                    let at = random.below(bytes.len() as u64) as usize;
                    bytes[at] = random.one_of(b"0123459-: .fF\0\x7f\xff");
                }
            }
        }
    }
    (class, bytes)
}

fn shown(class: u8, bytes: &[u8]) -> Stored<'_> {
    let number = u64::from_be_bytes(bytes.get(..8).unwrap_or(&[0; 8]).try_into().unwrap());
    match class {
        0 => Stored::Text(bytes),
        1 => Stored::Blob(bytes),
        2 => Stored::Int(number as i64),
        _ => Stored::Real(f64::from_bits(number)),
    }
}

/// Two values that SQLite tells apart never have one encoding, or a change could hide.
#[test]
fn what_is_encoded_is_decoded_back() {
    let mut random = Random(2);
    for form in FORMS.iter().filter(|form| !form.starts_with("json")) {
        let kind = Kind::of(form).unwrap();
        let mut taken = 0;
        for _ in 0..40_000 {
            let sent = sent(&mut random, form);
            let Ok(value) = decode(kind, &sent) else { continue };
            let (class, bytes) = spoilt(&mut random, stored(&value));
            let spoilt = shown(class, &bytes);
            let Ok(found) = encoded(form, spoilt) else { continue };
            taken += 1;
            match decode(kind, &found) {
                Ok(back) => assert_eq!(stored(&back), spoilt, "{form}"),
                Err(Fault::Refused(_)) => (), // more than its form takes, so that no row of the source has it
                Err(fault) => panic!("{form} {spoilt:?}: {fault}"),
            }
        }
        assert!(taken > 100, "{form}: only {taken} were taken");
    }
}

#[test]
fn json_is_taken_in_one_shape_only() {
    let text = |text: &'static str| Stored::Text(text.as_bytes());
    let blob = |text: &'static str| Stored::Blob(text.as_bytes());
    for form in ["json", "jsonb"] {
        for (value, printed) in [
            (Stored::Int(1), "1"),
            (blob("1.0"), "1.0"),
            (blob("-0"), "-0"),
            (text("\"1\""), "\"1\""),
            (text("null"), "null"),
            (text("[1]"), "[1]"),
        ] {
            assert_eq!(encoded(form, value).unwrap(), printed.as_bytes(), "{form}");
        }
        for value in [text("1"), text("1.0"), blob("1"), blob("\"a\""), text(" -1.5"), Stored::Real(1.5)] {
            assert!(encoded(form, value).is_err(), "{form} {value:?}");
        }
    }
    let escaped = text("\"\\u00e9\\ud83d\\ude00\\\\u00e9\\u0001\"");
    assert_eq!(encoded("jsonb", escaped).unwrap(), "\"é😀\\\\u00e9\\u0001\"".as_bytes());
    for value in [text("\"é\""), text("\"\\ud83d\""), text("\"\x7f\"")] {
        assert!(encoded("jsonb", value).is_err(), "{value:?}");
    }
}

#[test]
fn a_time_that_is_none_is_not_taken() {
    for (form, text) in [
        ("date", "2023-02-29"),
        ("date", "2023-00-01"),
        ("date", "2023-13-01"),
        ("date", "2023-04-31"),
        ("date", "0000-12-31"),
        ("date", "2023-1-01"),
        ("date", "2023-01-01 "),
        ("time", "24:00:00.000000"),
        ("time", "23:60:00.000000"),
        ("time", "23:59:60.000000"),
        ("time", "12:00:00"),
        ("time", "12:00:00.00000"),
        ("time_short", "12:00:00.000000"),
        ("timestamp", "2023-01-01T00:00:00.000000"),
        ("timestamp", "2023-01-01 00:00:00"),
        ("timestamptz", "2023-01-01 00:00:00.000000+00"),
    ] {
        assert!(encoded(form, Stored::Text(text.as_bytes())).is_err(), "{form} {text}");
    }
}

#[test]
fn a_double_beside_a_decimal_is_not_that_decimal() {
    assert!(encoded("numeric(2)", Stored::Real(1.1)).is_ok());
    for value in [1.1f64.next_up(), 1.1f64.next_down(), 1.111, f64::NAN, f64::INFINITY, 1e300] {
        assert!(encoded("numeric(2)", Stored::Real(value)).is_err(), "{value}");
    }
}
