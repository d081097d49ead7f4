//! Both sides' digests are equal just when their rows are.

use liteshift_native::digest::{Shape, Source, Sum, Target};
use liteshift_native::encode::{Form, Stored};
use liteshift_native::value::{malformed, Fault};

type Row = (Option<i64>, Option<&'static str>);

const ROWS: [Row; 5] = [(Some(1), Some("a ")), (Some(2), Some("")), (None, None), (Some(-1), Some("é")), (None, None)];

fn shape() -> Shape {
    Shape::new(vec![Form::Integer, Form::Text])
}

fn stream(rows: &[Row], size: usize) -> Vec<u8> {
    let mut data = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    let push = |data: &mut Vec<u8>, field: Option<&[u8]>| match field {
        None => data.extend((-1i32).to_be_bytes()),
        Some(bytes) => {
            data.extend((bytes.len() as i32).to_be_bytes());
            data.extend(bytes);
        }
    };
    for (number, text) in rows {
        data.extend(2i16.to_be_bytes());
        let bytes = number.map(i64::to_be_bytes);
        push(&mut data, bytes.as_ref().map(|bytes| &bytes[8 - size..]));
        push(&mut data, text.map(str::as_bytes));
    }
    data.extend((-1i16).to_be_bytes());
    data
}

fn source(shape: &Shape, pieces: &[&[u8]]) -> Result<Sum, Fault> {
    let mut source = Source::new(shape.clone());
    for piece in pieces {
        source.feed(piece)?;
    }
    source.finish()
}

fn target(shape: &Shape, rows: &[Row]) -> Sum {
    let mut target = Target::new(shape.clone());
    for (number, text) in rows {
        let values =
            [number.map_or(Stored::Null, Stored::Int), text.map_or(Stored::Null, |text| Stored::Text(text.as_bytes()))];
        target.add(|at| values[at], &mut |_, _| malformed("nobody to ask")).unwrap();
    }
    target.sum()
}

#[test]
fn equal_rows_in_any_order_and_of_any_integer_type() {
    let shape = shape();
    let mut turned = ROWS;
    turned.reverse();
    for size in [2, 4, 8] {
        let data = stream(&ROWS, size);
        assert_eq!(source(&shape, &[&data]).unwrap(), target(&shape, &turned));
        for cut in 0..data.len() {
            assert_eq!(source(&shape, &[&data[..cut], &data[cut..]]).unwrap(), target(&shape, &ROWS));
        }
    }
    assert_eq!(source(&shape, &[&stream(&[], 8)]).unwrap(), target(&shape, &[]));
}

#[test]
fn every_difference_is_another_sum() {
    let shape = shape();
    let right = source(&shape, &[&stream(&ROWS, 8)]).unwrap();
    let other: [&[Row]; 8] = [
        &ROWS[1..],
        &[ROWS[0], ROWS[0], ROWS[1], ROWS[2], ROWS[3]],
        &[ROWS[0], ROWS[1], ROWS[2], ROWS[3]],
        &[ROWS[0], ROWS[1], ROWS[3], ROWS[3], ROWS[3]],
        &[(Some(1), Some("a")), ROWS[1], ROWS[2], ROWS[3], ROWS[4]],
        &[ROWS[0], (Some(2), None), ROWS[2], ROWS[3], ROWS[4]],
        &[(Some(2), Some("a ")), (Some(1), Some("")), ROWS[2], ROWS[3], ROWS[4]],
        &[],
    ];
    for rows in other {
        assert_ne!(target(&shape, rows), right, "{rows:?}");
    }
}

#[test]
fn spoilt_bytes_are_an_error_or_another_sum() {
    let (shape, data) = (shape(), stream(&ROWS, 4));
    let right = source(&shape, &[&data]).unwrap();
    for at in 0..data.len() {
        assert!(source(&shape, &[&data[..at]]).is_err());
        for byte in 0..=255 {
            let mut spoilt = data.clone();
            spoilt[at] = byte;
            match source(&shape, &[&spoilt]) {
                Ok(sum) => assert_eq!(sum == right, byte == data[at], "{at} {byte}"),
                Err(fault) => assert!(matches!(fault, Fault::Malformed(_)), "{fault}"),
            }
        }
    }
}

#[test]
fn a_value_that_its_form_never_stores_is_an_error() {
    let mut target = Target::new(shape());
    for values in
        [[Stored::Text(b"1"), Stored::Null], [Stored::Null, Stored::Int(1)], [Stored::Real(1.0), Stored::Null]]
    {
        assert!(target.add(|at| values[at], &mut |_, _| malformed("nobody to ask")).is_err());
    }
    assert_eq!(target.sum(), Sum::default());
}
