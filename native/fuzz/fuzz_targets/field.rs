//! Any bytes as a field of any form: an error, or a value; and that value is encoded back, to what decodes to it again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use liteshift_native::decode::{decode, Kind};
use liteshift_native::encode::{field, Form, Stored};
use liteshift_native::value::{malformed, Value};

const FORMS: [&str; 19] = [
    "integer",
    "boolean",
    "double",
    "real",
    "text",
    "bytea",
    "uuid",
    "date",
    "time",
    "time_short",
    "timestamp",
    "timestamp_short",
    "numeric(0)",
    "numeric(2)",
    "numeric(15)",
    "numeric(300)",
    "json",
    "jsonb",
    "jsonb_text",
];

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

fuzz_target!(|input: (u8, Vec<u8>)| {
    let name = FORMS[usize::from(input.0) % FORMS.len()];
    let (Some(kind), Some(form)) = (Kind::of(name), Form::of(name)) else { unreachable!("both know {name}") };
    let Ok(value) = decode(kind, &input.1) else { return };
    let mut out = Vec::new();
    // Of JSON that is none, and of a numeric that PostgreSQL would have written otherwise, nothing is promised.
    if field(&mut out, form, stored(&value), &mut |_, _| malformed("nobody to ask")).is_err() {
        assert!(name.starts_with("json") || name.starts_with("numeric"), "{name} {value:?}");
        return;
    }
    let again = decode(kind, &out[4..]);
    assert!(name.starts_with("json") || again.is_ok_and(|again| again == value), "{name} {value:?}");
});
