//! Judges an index against its table, by rules of its own: it shares no code with what fills one but the reading.
//!
//! The entries must rise, by SQLite's comparison of each column; and they must be the table's rows, no more and no
//! less: the entry that each row asks for is summed up by hash on both sides.

use std::cmp::Ordering;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use crate::fill::{push_entry, Index, Progress};
use crate::key::{columns, Part, Row};
use crate::pages::Pages;
use crate::record::{stored, Columns};
use crate::scan::Scan;
use crate::value::{Fault, Value};

/// What is wrong with an index; None where nothing is.
pub fn audit(pages: &Arc<Pages>, table: u32, index: &Index, progress: &Progress) -> Result<Option<String>, Fault> {
    let hashes = RandomState::new(); // keyed by chance, so that no two rows can be chosen to hash alike
    let (mut wanted, mut rows, mut entry) = (0u128, 0u64, Vec::new());
    let mut scan = Scan::new(pages, table)?;
    while let Some((rowid, record)) = scan.step()? {
        let mut row = Row::new();
        columns(record, &mut row)?;
        entry.clear();
        push_entry(&index.parts, rowid, &row, &mut entry)?;
        wanted = wanted.wrapping_add(u128::from(hashes.hash_one(&entry)));
        rows += 1;
        progress.pass(rows)?;
    }
    let (mut found, mut entries, mut last) = (0u128, 0u64, Vec::new());
    let mut scan = Scan::new(pages, index.root)?;
    while let Some((_, record)) = scan.step()? {
        found = found.wrapping_add(u128::from(hashes.hash_one(record)));
        if entries > 0 {
            let (order, null) = compare(&index.parts, &last, record)?;
            if order == Ordering::Equal && index.unique && !null {
                return Ok(Some("two rows have one key".into()));
            }
            if order == Ordering::Greater || order == Ordering::Equal && rowid(&last)? >= rowid(record)? {
                return Ok(Some(format!("entry {} is out of order", entries + 1)));
            }
        }
        last.clear();
        last.extend_from_slice(record);
        entries += 1;
        progress.pass(entries)?;
    }
    if entries != rows {
        return Ok(Some(format!("it has {entries} entries for {rows} rows")));
    }
    Ok((found != wanted).then(|| "its entries are not its table's rows".into()))
}

/// How two entries compare by the index's columns, and whether the first has a NULL there.
fn compare(parts: &[Part], one: &[u8], other: &[u8]) -> Result<(Ordering, bool), Fault> {
    let (mut ours, mut theirs) = (Columns::of(one)?, Columns::of(other)?);
    let mut null = false;
    for part in parts {
        let (Some((kind, field)), Some((their_kind, their_field))) = (ours.take()?, theirs.take()?) else {
            return Err(Fault::Unfit("an entry is too short".into()));
        };
        let (value, their_value) = (stored(kind, field), stored(their_kind, their_field));
        null |= value == Value::Null;
        let order = by_value(&value, &their_value, part.nocase);
        if order != Ordering::Equal {
            return Ok((if part.descending { order.reverse() } else { order }, null));
        }
    }
    Ok((Ordering::Equal, null))
}

fn rowid(entry: &[u8]) -> Result<i64, Fault> {
    let (mut columns, mut last) = (Columns::of(entry)?, Value::Null);
    while let Some((kind, field)) = columns.take()? {
        last = stored(kind, field);
    }
    match last {
        Value::Int(number) => Ok(number),
        _ => Err(Fault::Unfit("an entry without a rowid".into())),
    }
}

/// NULL, then numbers, then texts, then blobs.
fn by_value(one: &Value<'_>, other: &Value<'_>, nocase: bool) -> Ordering {
    match (one, other) {
        (Value::Int(one), Value::Int(other)) => one.cmp(other),
        (Value::Fraction(one), Value::Fraction(other)) => one.partial_cmp(other).unwrap_or(Ordering::Equal),
        (Value::Int(one), Value::Fraction(other)) => with_real(*one, *other),
        (Value::Fraction(one), Value::Int(other)) => with_real(*other, *one).reverse(),
        (Value::Text(one), Value::Text(other)) if nocase => {
            let lower = |text: &[u8]| text.to_ascii_lowercase();
            lower(one).cmp(&lower(other))
        }
        (Value::Text(one), Value::Text(other)) | (Value::Blob(one), Value::Blob(other)) => one.cmp(other),
        _ => class(one).cmp(&class(other)),
    }
}

fn class(value: &Value<'_>) -> u8 {
    match value {
        Value::Null => 0,
        Value::Text(_) => 2,
        Value::Blob(_) => 3,
        _ => 1,
    }
}

/// An integer and a real, exactly.
fn with_real(one: i64, other: f64) -> Ordering {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0; // 2^63
    if other >= LIMIT {
        return Ordering::Less;
    }
    if other < -LIMIT {
        return Ordering::Greater;
    }
    let whole = other.trunc();
    one.cmp(&(whole as i64)).then(0f64.partial_cmp(&(other - whole)).unwrap_or(Ordering::Equal))
}
