//! Reads pgoutput's messages and sorts their changes into runs of one statement each: the twin of `codec/pgoutput.py`
//! and of the common part of `stages/follow.py`. What is not common is handed on as it came, in its place.

use std::collections::HashMap;

use crate::decode::Kind;
use crate::text;
use crate::value::{malformed, Fault, Value};

/// A table's way into the file.
pub struct Route {
    /// By the columns of the log's description; None for one that SQLite computes.
    pub kinds: Vec<Option<Kind>>,
    /// The columns of a kind.
    pub stored: Vec<usize>,
    /// The columns that find a row; where there are none, the whole row does.
    pub identity: Vec<usize>,
    /// The columns whose texts are told of every changed row; none where they are of no use.
    pub touched: Vec<usize>,
}

/// Rows to run one statement with, one after the other in `values`.
pub struct Run<'a> {
    /// The kind of the change: `I`, `U` or `D`.
    pub kind: u8,
    /// The columns that an update sets.
    pub sent: Vec<usize>,
    pub count: usize,
    pub values: Vec<Value<'a>>,
}

pub struct Table<'a> {
    pub oid: u32,
    pub runs: Vec<Run<'a>>,
    /// The touched texts, row by row.
    pub keys: Vec<Option<&'a [u8]>>,
}

pub enum Item<'a> {
    Table(Table<'a>),
    /// A message for Python to read; all before it comes before it.
    Event(&'a [u8]),
}

/// What a piece of the log held.
#[derive(Default)]
pub struct Taken<'a> {
    pub items: Vec<Item<'a>>,
    /// Where to go on.
    pub at: usize,
    pub changes: u64,
    /// Transactions that ended, but for those whose Commit is an event.
    pub transactions: u64,
    pub end: Option<u64>,
    /// When the last transaction that began was committed, in microseconds since 2000.
    pub micros: Option<i64>,
    /// It stopped before a transaction that is not to be taken.
    pub held: bool,
    waiting: Vec<Table<'a>>,
}

#[derive(Clone, Copy)]
enum Field<'a> {
    Null,
    Same,
    Text(&'a [u8]),
}

pub type Ask<'f> = dyn FnMut(usize, &[u8]) -> Result<Value<'static>, Fault> + 'f;

/// What is remembered between two pieces of one stream.
#[derive(Default)]
pub struct Gatherer {
    pub routes: HashMap<u32, Route>,
    /// Whether a transaction has begun and not ended.
    pub inside: bool,
    /// Whether Python has been given a message of it.
    told: bool,
}

impl<'a> Taken<'a> {
    fn event(&mut self, message: &'a [u8]) {
        self.flush();
        self.items.push(Item::Event(message));
    }

    fn flush(&mut self) {
        self.items.extend(self.waiting.drain(..).map(Item::Table));
    }

    /// Drop what a change left that could not be carried.
    fn forget_empty(&mut self) {
        for table in &mut self.waiting {
            table.runs.retain(|run| run.count > 0);
        }
        self.waiting.retain(|table| !table.runs.is_empty() || !table.keys.is_empty());
    }

    fn table(&mut self, oid: u32) -> &mut Table<'a> {
        let place = self.waiting.iter().position(|table| table.oid == oid).unwrap_or_else(|| {
            self.waiting.push(Table { oid, runs: Vec::new(), keys: Vec::new() });
            self.waiting.len() - 1
        });
        &mut self.waiting[place]
    }
}

impl<'a> Table<'a> {
    /// The run that goes on with such a change.
    fn run(&mut self, kind: u8, sent: &[usize]) -> &mut Run<'a> {
        if self.runs.last().is_none_or(|run| run.kind != kind || run.sent != sent) {
            self.runs.push(Run { kind, sent: sent.to_vec(), count: 0, values: Vec::new() });
        }
        let last = self.runs.len() - 1;
        &mut self.runs[last]
    }
}

/// Room for one change, used again for the next.
#[derive(Default)]
struct Scratch<'a> {
    old: Vec<Field<'a>>,
    new: Vec<Field<'a>>,
    sent: Vec<usize>,
}

impl Gatherer {
    /// Take messages, each after its length in four bytes, from a place on.
    ///
    /// It stops after a message that may change how the next are to be read: a table's description, or a value that
    /// can't be carried; and before a transaction whose commit stands at the limit or after it.
    pub fn take<'a>(
        &mut self,
        piece: &'a [u8],
        at: usize,
        limit: Option<u64>,
        ask: &mut Ask<'_>,
    ) -> Result<Taken<'a>, Fault> {
        let mut taken = Taken { at, ..Taken::default() };
        let mut scratch = Scratch::default();
        while taken.at < piece.len() {
            let (message, next) = framed(piece, taken.at)?;
            let mut stop = false;
            match message.first() {
                Some(b'B') => {
                    let mut reader = Reader::new(message);
                    if limit.is_some_and(|limit| reader.long().is_ok_and(|end| end >= limit)) {
                        taken.held = true;
                        break;
                    }
                    reader.at = 9;
                    taken.micros = Some(reader.long()? as i64);
                    reader.at = 21;
                    reader.end()?;
                    (self.inside, self.told) = (true, false);
                }
                Some(b'C') => {
                    self.inside = false;
                    if self.told {
                        taken.event(message);
                    } else {
                        let mut reader = Reader::new(message);
                        reader.at = 10;
                        taken.end = Some(reader.long()?);
                        reader.at = 26;
                        reader.end()?;
                        taken.transactions += 1;
                    }
                }
                Some(b'I' | b'U' | b'D') => {
                    let oid = Reader::new(message).int()?;
                    match self.routes.get(&oid) {
                        None => {
                            taken.event(message);
                            self.told = true;
                        }
                        Some(route) => {
                            if !change(message, oid, route, &mut scratch, &mut taken, ask)? {
                                taken.event(message);
                                (self.told, stop) = (true, true);
                            }
                        }
                    }
                }
                Some(b'O' | b'Y') => {}
                _ => {
                    taken.event(message);
                    (self.told, stop) = (true, message.first() == Some(&b'R'));
                }
            }
            taken.at = next;
            if stop {
                break;
            }
        }
        taken.flush();
        Ok(taken)
    }
}

/// Take a change into its table's run; false where a value of it can't be carried.
fn change<'a>(
    message: &'a [u8],
    oid: u32,
    route: &Route,
    scratch: &mut Scratch<'a>,
    taken: &mut Taken<'a>,
    ask: &mut Ask<'_>,
) -> Result<bool, Fault> {
    let Scratch { old, new, sent } = scratch;
    let mut reader = Reader { message, at: 5 };
    let (kind, width) = (message[0], route.kinds.len());
    old.clear();
    new.clear();
    let mut mark = reader.byte()?;
    let before = kind != b'I' && matches!(mark, b'K' | b'O');
    if before {
        let whole = mark == b'O';
        reader.row(width, old)?;
        if kind == b'U' {
            mark = reader.byte()?;
        }
        if whole && kind == b'U' && mark == b'N' {
            reader.row(width, new)?;
            // The row before has every large value that the row after leaves out.
            for (was, now) in old.iter().zip(new.iter_mut()).filter(|(_, now)| matches!(now, Field::Same)) {
                *now = *was;
            }
        }
    }
    if kind != b'D' && new.is_empty() {
        if mark != b'N' {
            return malformed("a change without a new row");
        }
        reader.row(width, new)?;
    }
    reader.end()?;
    if kind != b'I' && !before && (kind == b'D' || route.identity.is_empty()) {
        return malformed("a changed row that is not told");
    }
    let by = if route.identity.is_empty() { &route.stored } else { &route.identity };
    let moved = kind == b'U' && before && (route.identity.is_empty() || by.iter().any(|at| !same(old[*at], new[*at])));
    sent.clear();
    if kind == b'U' {
        let set = |at: &usize| !matches!(new[*at], Field::Same) && (moved || !route.identity.contains(at));
        sent.extend(route.stored.iter().copied().filter(set));
    }
    let table = taken.table(oid);
    if kind != b'U' || !sent.is_empty() {
        let run = table.run(kind, sent);
        let start = run.values.len();
        let carried = match kind {
            b'I' => push(route, new, &route.stored, &mut run.values, ask)?,
            b'D' => push(route, old, by, &mut run.values, ask)?,
            _ => {
                push(route, new, sent, &mut run.values, ask)?
                    && push(route, if moved { old } else { new }, by, &mut run.values, ask)?
            }
        };
        if !carried {
            run.values.truncate(start);
            taken.forget_empty();
            return Ok(false);
        }
        run.count += 1;
    }
    for fields in [old, new].into_iter().filter(|fields| !fields.is_empty()) {
        table.keys.extend(route.touched.iter().map(|at| match fields[*at] {
            Field::Text(text) => Some(text),
            _ => None,
        }));
    }
    taken.changes += 1;
    Ok(true)
}

/// Add some columns' values; false where one can't be carried.
fn push<'a>(
    route: &Route,
    fields: &[Field<'a>],
    columns: &[usize],
    values: &mut Vec<Value<'a>>,
    ask: &mut Ask<'_>,
) -> Result<bool, Fault> {
    for at in columns {
        let value = match (fields[*at], route.kinds[*at]) {
            (Field::Null, _) => Ok(Value::Null),
            (Field::Text(text), Some(Kind::Python(which))) => ask(which, text),
            (Field::Text(text), Some(kind)) => text::read(kind, text),
            _ => return malformed("a value that is not told, where it is needed"),
        };
        match value {
            Ok(value) => values.push(value),
            Err(Fault::Refused(_)) => return Ok(false),
            Err(fault) => return Err(fault),
        }
    }
    Ok(true)
}

fn same(one: Field<'_>, other: Field<'_>) -> bool {
    match (one, other) {
        (Field::Null, Field::Null) | (Field::Same, Field::Same) => true,
        (Field::Text(one), Field::Text(other)) => one == other,
        _ => false,
    }
}

/// The message at a place, and the place after it.
pub fn framed(piece: &[u8], at: usize) -> Result<(&[u8], usize), Fault> {
    let length = piece.get(at..at + 4).and_then(|head| head.try_into().ok()).map(u32::from_be_bytes);
    let found = length.and_then(|length| {
        let end = at + 4 + length as usize;
        Some((piece.get(at + 4..end)?, end))
    });
    match found {
        Some(found) => Ok(found),
        None => malformed("a piece of the log is cut off"),
    }
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Behind the message's kind.
    fn new(message: &'a [u8]) -> Self {
        Self { message, at: 1 }
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        match self.at.checked_add(count).and_then(|end| self.message.get(self.at..end)) {
            Some(found) => {
                self.at += count;
                Ok(found)
            }
            None => malformed("a message is cut off"),
        }
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.bytes(1)?[0])
    }

    fn int(&mut self) -> Result<u32, Fault> {
        let bytes = self.bytes(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn long(&mut self) -> Result<u64, Fault> {
        Ok(u64::from(self.int()?) << 32 | u64::from(self.int()?))
    }

    fn row(&mut self, width: usize, fields: &mut Vec<Field<'a>>) -> Result<(), Fault> {
        let count = self.bytes(2)?;
        if usize::from(u16::from_be_bytes([count[0], count[1]])) != width {
            return malformed("a row of another width than its table");
        }
        for _ in 0..width {
            fields.push(match self.byte()? {
                b'n' => Field::Null,
                b'u' => Field::Same,
                b't' => {
                    let length = self.int()? as usize;
                    Field::Text(self.bytes(length)?)
                }
                _ => return malformed("a value of an unknown kind"),
            });
        }
        Ok(())
    }

    fn end(&self) -> Result<(), Fault> {
        if self.at == self.message.len() {
            Ok(())
        } else {
            malformed("a message of another length than it says")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed_message(message: &[u8]) -> Vec<u8> {
        [&(message.len() as u32).to_be_bytes()[..], message].concat()
    }

    fn row(fields: &[Option<&str>]) -> Vec<u8> {
        let mut made = (fields.len() as u16).to_be_bytes().to_vec();
        for field in fields {
            match field {
                None => made.push(b'n'),
                Some("same") => made.push(b'u'),
                Some(text) => {
                    made.push(b't');
                    made.extend((text.len() as u32).to_be_bytes());
                    made.extend(text.as_bytes());
                }
            }
        }
        made
    }

    fn gatherer() -> Gatherer {
        let kinds = vec![Some(Kind::Integer), Some(Kind::Text), None, Some(Kind::Double)];
        let mut made = Gatherer::default();
        let stored = vec![0, 1, 3];
        made.routes
            .insert(7, Route { kinds: kinds.clone(), stored: stored.clone(), identity: vec![0], touched: vec![0] });
        made.routes.insert(8, Route { kinds, stored, identity: vec![], touched: vec![] });
        made
    }

    fn piece() -> Vec<u8> {
        let (plain, other) = ([Some("1"), Some("a"), None, Some("1.5")], [Some("2"), Some("same"), Some("9"), None]);
        let mut made = framed_message(&[&b"B"[..], &[0; 20]].concat());
        for oid in [7u32, 8, 9] {
            for parts in [
                vec![&b"N"[..], &row(&plain)],
                vec![&b"K"[..], &row(&plain), b"N", &row(&other)],
                vec![&b"O"[..], &row(&plain), b"N", &row(&other)],
                vec![&b"N"[..], &row(&other)],
                vec![&b"K"[..], &row(&plain)],
                vec![&b"O"[..], &row(&plain)],
            ] {
                for kind in [b'I', b'U', b'D'] {
                    let fits = matches!((kind, parts.len(), parts[0]), (b'I', 2, b"N") | (b'D', 2, b"K" | b"O"))
                        || (kind == b'U' && (parts.len() == 4 || (parts[0] == b"N" && oid != 8)));
                    if fits && !(kind == b'I' && parts[1] == row(&other)) {
                        made.extend(framed_message(&[&[kind][..], &oid.to_be_bytes(), &parts.concat()].concat()));
                    }
                }
            }
        }
        made.extend(framed_message(&[&b"C"[..], &[0; 25]].concat()));
        made
    }

    fn take_all(piece: &[u8]) -> Result<(u64, usize), Fault> {
        let mut gatherer = gatherer();
        let (mut at, mut changes, mut events) = (0, 0, 0);
        while at < piece.len() {
            let taken = gatherer.take(piece, at, None, &mut |_, _| refused_value())?;
            (at, changes) = (taken.at, changes + taken.changes);
            events += taken.items.iter().filter(|item| matches!(item, Item::Event(_))).count();
        }
        Ok((changes, events))
    }

    fn refused_value() -> Result<Value<'static>, Fault> {
        Err(Fault::Refused(String::new()))
    }

    #[test]
    fn every_change_of_a_known_table_is_taken_and_every_other_is_an_event() {
        assert_eq!(take_all(&piece()).unwrap(), (12, 8));
    }

    #[test]
    fn a_transaction_at_the_limit_is_held() {
        let piece = piece();
        let taken = gatherer().take(&piece, 0, Some(0), &mut |_, _| refused_value()).unwrap();
        assert!(taken.held && taken.at == 0);
    }

    #[test]
    fn damaged_bytes_are_answered() {
        let whole = piece();
        let mut state = 1u64;
        for _ in 0..20_000 {
            let mut damaged = whole.clone();
            for _ in 0..3 {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let place = (state >> 33) as usize % damaged.len();
                damaged[place] = (state >> 24) as u8;
            }
            let _ = take_all(&damaged);
        }
        for length in 0..whole.len() {
            let _ = take_all(&whole[..length]);
        }
    }
}
