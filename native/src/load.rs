//! Rows of a COPY into a table: decoded, numbered, put into its tree.

use crate::decode::{decode, text, Kind};
use crate::mark::Mark;
use crate::record::Record;
use crate::stream::{Field, Framer};
use crate::tree::Tree;
use crate::value::{malformed, Fault, Value};
use crate::window::{Rows, Window};

/// Bytes of rows out of order that are kept for later; beyond them, reading the table in order is cheaper.
const ASIDE: usize = 8 << 20;

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
    /// The column that is the rowid; without one, rows are numbered from 1.
    key: Option<usize>,
    /// An earlier process has begun, at another moment: a row may come again that it has seen.
    resumed: bool,
    tree: Tree,
    window: Window,
    record: Record,
    aside: Rows,
    aside_bytes: usize,
    rows: u64,
}

impl Loader {
    /// Args: an empty tree, the columns, which of them is the rowid, and what a table half built goes on from.
    pub fn new(tree: Tree, kinds: Vec<Kind>, key: Option<usize>, mark: Option<Mark>) -> Self {
        let resumed = mark.is_some();
        let mark = mark.unwrap_or_default();
        let mut window = Window::default();
        mark.held.iter().for_each(|(rowid, record)| window.push(*rowid, record));
        let aside_bytes = mark.aside.iter().map(|(_, record)| kept(record)).sum();
        let columns = Columns {
            kinds,
            key,
            resumed,
            tree,
            window,
            record: Record::default(),
            aside: mark.aside,
            aside_bytes,
            rows: mark.rows,
        };
        let width = columns.kinds.len();
        Self { framer: if resumed { Framer::between(width) } else { Framer::new(width) }, columns }
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
        let columns = &mut self.columns;
        let stem = columns.tree.stem()?;
        let held = columns.window.rows().map(|(rowid, record)| (rowid, record.to_vec())).collect();
        Ok(Mark { stem, rows: columns.rows, held, aside: columns.aside.clone() })
    }

    /// Finish the tree; how many rows came, and those out of order, which are still to be inserted.
    pub fn finish(mut self) -> Result<(u64, Rows), Fault> {
        self.framer.finish()?; // else the tree is dropped, and its pages with it
        self.columns.release(true)?;
        self.columns.tree.finish()?;
        Ok((self.columns.rows, self.columns.aside))
    }
}

/// What a row kept for later takes in memory.
fn kept(record: &[u8]) -> usize {
    record.len() + size_of::<(i64, Vec<u8>)>()
}

impl Columns {
    fn add(&mut self, data: &[u8], fields: &[Field], ask: &mut Ask<'_>) -> Result<(), Fault> {
        self.rows += 1;
        let rowid = match self.key {
            None => self.rows as i64,
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
        let record = self.record.end();
        if self.key.is_none() {
            return self.tree.add(rowid, record);
        }
        if !self.tree.in_order(rowid) {
            self.aside_bytes += kept(record);
            self.aside.push((rowid, record.to_vec()));
            return if self.aside_bytes > ASIDE { Err(Fault::Disordered) } else { Ok(()) };
        }
        self.window.push(rowid, record);
        if self.window.is_full() {
            self.release(false)?;
        }
        Ok(())
    }

    fn release(&mut self, all: bool) -> Result<(), Fault> {
        let (tree, resumed) = (&mut self.tree, self.resumed);
        self.window.release(all, |rowid, record| {
            if !tree.in_order(rowid) {
                if resumed {
                    return Ok(()); // whoever goes on compares all rows in the end
                }
                return malformed(format!("two rows have the key {rowid}"));
            }
            tree.add(rowid, record)
        })
    }
}
