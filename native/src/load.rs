//! Rows of a COPY into a table: decoded, numbered, put into its tree.

use crate::decode::{decode, text, Kind};
use crate::mark::Mark;
use crate::place::{Part, Places};
use crate::record::Record;
use crate::stream::{Field, Framer};
use crate::tree::Tree;
use crate::value::{malformed, Fault, Value};
use crate::window::Rows;

pub type Row = Vec<Value<'static>>;

/// Asks the definition for a value: which column's, and the text.
pub type Ask<'a> = dyn FnMut(usize, &[u8]) -> Result<Value<'static>, Fault> + 'a;

/// For tables without such columns.
pub fn nobody(_: usize, _: &[u8]) -> Result<Value<'static>, Fault> {
    malformed("a form that only Python knows")
}

fn value<'a>(kind: Kind, data: &'a [u8], field: Field, ask: &mut Ask<'_>) -> Result<Value<'a>, Fault> {
    let Some((from, to)) = field else { return Ok(Value::Null) };
    let bytes = data.get(from..to).unwrap_or_default();
    match kind {
        Kind::Python(which) => ask(which, text(bytes)?),
        _ => decode(kind, bytes),
    }
}

/// Decodes rows and keeps them: for tests, and for whoever wants values.
#[derive(Debug)]
pub struct Decoder {
    framer: Framer,
    kinds: Vec<Kind>,
}

impl Decoder {
    pub fn new(kinds: Vec<Kind>) -> Self {
        Self { framer: Framer::new(kinds.len()), kinds }
    }

    pub fn feed(&mut self, piece: &[u8], ask: &mut Ask<'_>, rows: &mut Vec<Row>) -> Result<(), Fault> {
        let kinds = &self.kinds;
        self.framer.feed(piece, |data, fields| {
            let mut row = Row::with_capacity(kinds.len());
            for (kind, field) in kinds.iter().zip(fields) {
                row.push(value(*kind, data, *field, ask)?.owned());
            }
            rows.push(row);
            Ok(())
        })
    }

    pub fn finish(&self) -> Result<(), Fault> {
        self.framer.finish()
    }
}

/// Decodes rows and builds the table's tree of them.
#[derive(Debug)]
pub struct Loader {
    framer: Framer,
    columns: Columns,
}

#[derive(Debug)]
struct Columns {
    kinds: Vec<Kind>,
    /// The column that is the rowid; without one, rows are numbered.
    key: Option<usize>,
    /// The last row's number, where they are numbered.
    number: i64,
    record: Record,
    places: Places,
    rows: u64,
}

/// A part of a table, ready to be joined with those before it, and how many rows it has.
#[derive(Debug)]
pub struct Ended {
    part: Part,
    pub rows: u64,
}

impl Loader {
    /// Args: an empty tree, the columns, which of them is the rowid, and what a table half built goes on from.
    pub fn new(tree: Tree, kinds: Vec<Kind>, key: Option<usize>, mark: Option<Mark>) -> Self {
        let width = kinds.len();
        let framer = if mark.is_some() { Framer::between(width) } else { Framer::new(width) };
        let (rows, number) = (mark.as_ref().map_or(0, |mark| mark.rows), tree.last().unwrap_or(0));
        let places = Places::new(tree, mark);
        Self { framer, columns: Columns { kinds, key, number, record: Record::default(), places, rows } }
    }

    /// Args: the tree of a part, the columns, which of them is the rowid, and the number before the first row's.
    pub fn part(tree: Tree, kinds: Vec<Kind>, key: Option<usize>, number: i64) -> Self {
        let (framer, places) = (Framer::new(kinds.len()), Places::part(tree));
        Self { framer, columns: Columns { kinds, key, number, record: Record::default(), places, rows: 0 } }
    }

    /// Take the next piece of the stream; how many rows have come so far.
    pub fn feed(&mut self, piece: &[u8], ask: &mut Ask<'_>) -> Result<u64, Fault> {
        let columns = &mut self.columns;
        self.framer.feed(piece, |data, fields| columns.add(data, fields, ask))?;
        Ok(self.columns.rows)
    }

    /// Write all rows that came to the file; what to go on from. Where a COPY has ended, another may follow.
    pub fn mark(&mut self) -> Result<Mark, Fault> {
        self.framer.begin_again();
        let (stem, held, aside) = self.columns.places.mark()?;
        Ok(Mark { stem, rows: self.columns.rows, held, aside })
    }

    /// Finish the tree; how many rows came, and those out of order, which are still to be inserted.
    pub fn finish(&mut self) -> Result<(u64, Rows), Fault> {
        self.framer.finish()?;
        Ok((self.columns.rows, self.columns.places.finish()?))
    }

    /// All rows of a part have come.
    pub fn end(&mut self) -> Result<Ended, Fault> {
        self.framer.finish()?;
        Ok(Ended { part: self.columns.places.end()?, rows: self.columns.rows })
    }

    /// Put a part after all rows that came so far; how many these are now.
    pub fn join(&mut self, ended: Ended) -> Result<u64, Fault> {
        self.framer.rest()?;
        let columns = &mut self.columns;
        columns.places.join(ended.part)?;
        columns.number = columns.places.tree.last().unwrap_or(columns.number);
        columns.rows += ended.rows;
        Ok(columns.rows)
    }

    /// Give all pages back, when no record names them any more.
    pub fn abandon(&mut self) {
        self.columns.places.tree.abandon();
    }
}

impl Columns {
    fn add(&mut self, data: &[u8], fields: &[Field], ask: &mut Ask<'_>) -> Result<(), Fault> {
        self.rows += 1;
        let rowid = match self.key {
            None => self.number + 1,
            Some(at) => match fields.get(at).map(|field| value(self.kinds[at], data, *field, ask)) {
                Some(Ok(Value::Int(number))) => number,
                Some(Err(fault)) => return Err(fault),
                _ => return malformed("a key that is no integer"),
            },
        };
        self.record.begin();
        for (at, (kind, field)) in self.kinds.iter().zip(fields).enumerate() {
            if Some(at) == self.key {
                self.record.push(&Value::Null); // the rowid stands in its place
            } else {
                self.record.push(&value(*kind, data, *field, ask)?);
            }
        }
        if self.key.is_some() {
            return self.places.put(rowid, self.record.end());
        }
        self.number = rowid;
        self.places.tree.add(rowid, self.record.end())
    }
}
