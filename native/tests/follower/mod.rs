//! Takes a piece of a slot's log as Python does: a table is known from its description on, and a value can't be carried
//! now and then.

use liteshift_native::decode::Kind;
use liteshift_native::gather::{Gatherer, Item, Route, Taken};
use liteshift_native::value::{malformed, Fault, Value};

/// What a piece held.
#[derive(Debug, Default, PartialEq)]
pub struct Told {
    pub changes: u64,
    pub transactions: u64,
    /// Messages for Python.
    pub events: usize,
    /// Rows to run a statement with.
    pub rows: usize,
}

/// The forms of a table's columns, over and over where it has more; the values of the last but one are Python's to read,
/// and the last is computed by SQLite.
const FORMS: [&str; 12] =
    ["integer", "text", "double", "numeric(2)", "boolean", "timestamp", "bytea", "uuid", "date", "jsonb", "python", ""];

/// Take a whole piece, and stop at the first message that can't be read.
pub fn follow(piece: &[u8]) -> Result<Told, Fault> {
    let (mut gatherer, mut told, mut at) = (Gatherer::default(), Told::default(), 0);
    while at < piece.len() {
        let taken = gatherer.take(piece, at, None, &mut |_, text| carried(text))?;
        assert!(taken.at > at && taken.at <= piece.len(), "it goes on");
        at = taken.at;
        count(&taken, &mut told);
        let found: Vec<_> = taken.items.iter().filter_map(description).collect();
        for (oid, identity, columns) in found {
            gatherer.routes.insert(oid, route(identity, columns));
        }
    }
    Ok(told)
}

fn count(taken: &Taken<'_>, told: &mut Told) {
    told.changes += taken.changes;
    told.transactions += taken.transactions;
    for item in &taken.items {
        match item {
            Item::Event(_) => told.events += 1,
            Item::Table(table) => {
                for run in &table.runs {
                    assert!(run.count > 0 && run.values.len() % run.count == 0, "every row is whole");
                    told.rows += run.count;
                }
            }
        }
    }
}

/// A table's description: its oid, its identity, and how many columns it has.
fn description(item: &Item<'_>) -> Option<(u32, u8, usize)> {
    let Item::Event(message) = item else { return None };
    let oid = u32::from_be_bytes(message.get(1..5)?.try_into().ok()?);
    let mut names = message.get(5..)?.splitn(3, |byte| *byte == 0);
    let (_, _, rest) = (names.next()?, names.next()?, names.next()?);
    let columns = u16::from_be_bytes(rest.get(1..3)?.try_into().ok()?);
    (message.first() == Some(&b'R')).then_some((oid, rest[0], usize::from(columns % 64)))
}

/// A way into the file as `stages/routes.py` makes it: found by its first column, or by all where its identity is FULL.
fn route(identity: u8, columns: usize) -> Route {
    let kinds: Vec<Option<Kind>> = FORMS
        .iter()
        .cycle()
        .take(columns)
        .map(|form| Kind::of(form).or((*form == "python").then_some(Kind::Python(0))))
        .collect();
    let stored = (0..columns).filter(|at| kinds[*at].is_some()).collect();
    let key: Vec<usize> = if columns > 0 && identity != b'f' { vec![0] } else { Vec::new() };
    Route { kinds, stored, identity: key.clone(), touched: key }
}

fn carried(text: &[u8]) -> Result<Value<'static>, Fault> {
    match text.first() {
        Some(b'r') => Err(Fault::Refused(String::new())),
        Some(b'm') => malformed("a text that nobody reads"),
        _ => Ok(Value::OwnText(text.to_vec())),
    }
}
