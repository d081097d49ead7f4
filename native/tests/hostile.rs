//! Spoilt, cut and random bytes are an error or rows to every reader of a COPY, and never a panic.

use liteshift_native::decode::Kind;
use liteshift_native::digest::{Shape, Source};
use liteshift_native::encode::Form;
use liteshift_native::load::{nobody, Decoder, Row};
use liteshift_native::value::Fault;

#[expect(dead_code, reason = "other tests use more of it")]
mod random;
use random::Random;

const FORMS: [&str; 15] = [
    "integer",
    "boolean",
    "double",
    "real",
    "text",
    "bytea",
    "uuid",
    "date",
    "time_short",
    "timestamp",
    "numeric(2)",
    "json",
    "jsonb",
    "jsonb_text",
    "decimal(2)",
];

/// A row with a field that suits each form.
fn row() -> Vec<u8> {
    let numeric = [1u16, 0, 0x4000, 2, 12].map(u16::to_be_bytes).concat();
    let fields: [&[u8]; 15] = [
        &7i32.to_be_bytes(),
        &[1],
        &1.5f64.to_be_bytes(),
        &1.5f32.to_be_bytes(),
        "é".as_bytes(),
        b"\0\xff",
        &[7; 16],
        &8000i32.to_be_bytes(),
        &1_000_000i64.to_be_bytes(),
        &(-5i64).to_be_bytes(),
        &numeric,
        b"{\"a\": 1}",
        "\"é\"".as_bytes(),
        b"1.0",
        b"1.00",
    ];
    let mut row = (fields.len() as i16).to_be_bytes().to_vec();
    for field in fields {
        row.extend((field.len() as i32).to_be_bytes());
        row.extend(field);
    }
    row
}

fn decoded(pieces: &[&[u8]]) -> Result<Vec<Row>, Fault> {
    let mut decoder = Decoder::new(FORMS.iter().map(|form| Kind::of(form).unwrap()).collect());
    let mut rows = Vec::new();
    for piece in pieces {
        decoder.feed(piece, &mut nobody, &mut rows)?;
    }
    decoder.finish()?;
    Ok(rows)
}

fn summed(pieces: &[&[u8]]) -> Result<u64, Fault> {
    let mut source = Source::new(Shape::new(FORMS.iter().map(|form| Form::of(form).unwrap()).collect()));
    for piece in pieces {
        source.feed(piece)?;
    }
    Ok(source.finish()?.rows)
}

#[test]
fn spoilt_copies_are_an_error_or_rows_wherever_they_are_cut() {
    let mut whole = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    whole.extend(row().repeat(3));
    whole.extend((-1i16).to_be_bytes());
    assert_eq!((decoded(&[&whole]).unwrap().len(), summed(&[&whole]).unwrap()), (3, 3));
    let mut random = Random(3);
    for _ in 0..60_000 {
        let mut data = whole.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(data.len() as u64) as usize;
            match random.below(4) {
                0 => data.truncate(at + 1),
                1 => data.insert(at, random.next() as u8),
                _ => data[at] = random.one_of(&[0, 1, 0x7f, 0x80, 0xfe, 0xff, random.0 as u8]),
            }
        }
        let (one, other) = data.split_at(random.below(data.len() as u64) as usize);
        let (rows, sum) = (decoded(&[&data]), summed(&[&data]));
        assert_eq!(rows.is_ok(), decoded(&[one, other]).is_ok());
        assert_eq!(sum.is_ok(), summed(&[one, other]).is_ok());
        if let Ok(rows) = rows {
            assert_eq!(rows.len() as u64, sum.unwrap()); // what decodes is a COPY to the digest, too
        }
    }
}
