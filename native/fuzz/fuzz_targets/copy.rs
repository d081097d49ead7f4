//! Any bytes as a whole COPY, cut in two: both readers of it give rows or an error, and the same rows wherever it is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use liteshift_native::decode::Kind;
use liteshift_native::digest::{Shape, Source};
use liteshift_native::encode::Form;
use liteshift_native::load::{nobody, Decoder, Row};
use liteshift_native::value::Fault;

const FORMS: [&str; 16] = [
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
    "json",
    "jsonb",
    "jsonb_text",
];

fn decoded(forms: &[&str], pieces: [&[u8]; 2]) -> Result<Vec<Row>, Fault> {
    let mut decoder = Decoder::new(forms.iter().filter_map(|form| Kind::of(form)).collect());
    let mut rows = Vec::new();
    for piece in pieces {
        decoder.feed(piece, &mut nobody, &mut rows)?;
    }
    decoder.finish()?;
    Ok(rows)
}

fuzz_target!(|input: (u8, Vec<u8>, u16, Vec<u8>)| {
    let (first, columns, cut, rows) = input;
    let forms: Vec<&str> = columns.iter().take(5).map(|at| FORMS[usize::from(at ^ first) % FORMS.len()]).collect();
    let data = [b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", rows.as_slice()].concat();
    let cut = data.split_at(usize::from(cut).min(data.len()));
    let (whole, parts) = (decoded(&forms, [&data, &[]]), decoded(&forms, [cut.0, cut.1]));
    assert_eq!(whole.is_ok(), parts.is_ok());
    if let (Ok(whole), Ok(parts)) = (whole, parts) {
        assert_eq!(format!("{whole:?}"), format!("{parts:?}"));
    }
    let mut source = Source::new(Shape::new(forms.iter().filter_map(|form| Form::of(form)).collect()));
    let _ = source.feed(cut.0).and_then(|_| source.feed(cut.1)).and_then(|_| source.finish());
});
