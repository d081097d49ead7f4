//! Any value that a file may hold, in a column of any form: an error or a field, never a crash.
#![no_main]

use libfuzzer_sys::fuzz_target;
use liteshift_native::encode::{field, Form, Stored};
use liteshift_native::value::malformed;

const FORMS: [&str; 17] = [
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
    "numeric(2)",
    "numeric(65535)",
    "json",
    "jsonb",
    "jsonb_text",
];

fuzz_target!(|input: (u8, u8, i64, Vec<u8>)| {
    let (name, class, number, bytes) = input;
    let value = match class % 4 {
        0 => Stored::Int(number),
        1 => Stored::Real(f64::from_bits(number as u64)),
        2 => Stored::Text(&bytes),
        _ => Stored::Blob(&bytes),
    };
    let Some(form) = Form::of(FORMS[usize::from(name) % FORMS.len()]) else { return };
    let _ = field(&mut Vec::new(), form, value, &mut |_, _| malformed("nobody to ask"));
});
