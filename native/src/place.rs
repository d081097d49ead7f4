//! Puts a table's rows in their place: into the tree those that come in order, or nearly so; the others aside.

use crate::mark::Mark;
use crate::tree::{Leaves, Stem, Tree};
use crate::value::{malformed, Fault};
use crate::window::{Rows, Window};

/// Bytes of rows out of order that are kept for later; beyond them, reading the table in order is cheaper.
const ASIDE: usize = 8 << 20;

/// Rows that came too late for the tree, which are still to be inserted.
#[derive(Debug, Default)]
struct Aside {
    rows: Rows,
    bytes: usize,
}

impl Aside {
    fn put(&mut self, rowid: i64, record: &[u8]) -> Result<(), Fault> {
        self.bytes += record.len() + size_of::<(i64, Vec<u8>)>();
        self.rows.push((rowid, record.to_vec()));
        if self.bytes > ASIDE {
            return Err(Fault::Disordered);
        }
        Ok(())
    }
}

/// A part of a table, all of whose rows have come, to be put after the parts before it.
#[derive(Debug)]
pub struct Part {
    /// The first rows, which may belong among those of the part before.
    head: Window,
    leaves: Leaves,
    /// The last rows, which may belong among those of the part after.
    tail: Window,
    aside: Rows,
}

/// A table's tree, and the rows on their way to it.
#[derive(Debug)]
pub struct Places {
    pub tree: Tree,
    /// Only in a part: its first rows.
    head: Option<Window>,
    /// The largest rowid of those: all leaves are above it.
    floor: Option<i64>,
    window: Window,
    aside: Aside,
    /// An earlier process has begun, at another moment: a row may come again that it has seen.
    resumed: bool,
}

impl Places {
    /// Args: the tree, and what a table half built goes on from, but for the tree's stem.
    pub fn new(tree: Tree, mark: Option<Mark>) -> Self {
        let resumed = mark.is_some();
        let mark = mark.unwrap_or_default();
        let mut window = Window::default();
        mark.held.iter().for_each(|(rowid, record)| window.push(*rowid, record));
        let bytes = mark.aside.iter().map(|(_, record)| record.len() + size_of::<(i64, Vec<u8>)>()).sum();
        Self { tree, head: None, floor: None, window, aside: Aside { rows: mark.aside, bytes }, resumed }
    }

    /// Args: the tree of a part.
    pub fn part(tree: Tree) -> Self {
        Self { head: Some(Window::default()), ..Self::new(tree, None) }
    }

    /// Put a row.
    pub fn put(&mut self, rowid: i64, record: &[u8]) -> Result<(), Fault> {
        if !self.tree.in_order(rowid) || self.floor.is_some_and(|floor| rowid <= floor) {
            return self.aside.put(rowid, record);
        }
        self.window.push(rowid, record);
        if self.window.is_full() {
            self.release(false)?;
        }
        Ok(())
    }

    /// Let half of the rows that wait go into the tree, or all.
    pub fn release(&mut self, all: bool) -> Result<(), Fault> {
        if let Some(head) = self.head.as_mut().filter(|head| head.is_empty()) {
            let floor = &mut self.floor;
            return self.window.release(all, |rowid, record| {
                head.push(rowid, record);
                *floor = Some(rowid);
                Ok(())
            });
        }
        let (tree, resumed) = (&mut self.tree, self.resumed);
        self.window.release(all, |rowid, record| add(tree, resumed, rowid, record))
    }

    /// Write all that came to the file; what to go on from: the stem, the rows that wait, and those aside.
    pub fn mark(&mut self) -> Result<(Stem, Rows, Rows), Fault> {
        let stem = self.tree.stem()?;
        let held = self.window.rows().map(|(rowid, record)| (rowid, record.to_vec())).collect();
        Ok((stem, held, self.aside.rows.clone()))
    }

    /// Finish the tree; the rows that are still to be inserted.
    pub fn finish(&mut self) -> Result<Rows, Fault> {
        self.release(true)?;
        self.tree.finish()?;
        Ok(std::mem::take(&mut self.aside.rows))
    }

    /// All rows of a part have come.
    pub fn end(&mut self) -> Result<Part, Fault> {
        let leaves = self.tree.leaves()?;
        let (mut head, mut tail) = (self.head.take().unwrap_or_default(), std::mem::take(&mut self.window));
        head.shrink();
        tail.shrink();
        Ok(Part { head, leaves, tail, aside: std::mem::take(&mut self.aside.rows) })
    }

    /// Put a part after all that came so far. Only its leaves' rows have to be above all that are in the tree.
    pub fn join(&mut self, part: Part) -> Result<(), Fault> {
        let Self { tree, window, aside, resumed, .. } = self;
        let others = part.aside.iter().map(|(rowid, record)| (*rowid, record.as_slice()));
        let first = part.leaves.first;
        for (rowid, record) in part.head.rows().chain(others) {
            // Before the leaves a row may yet get into order.
            if tree.in_order(rowid) && first.is_none_or(|first| rowid < first) {
                window.push(rowid, record);
            } else {
                aside.put(rowid, record)?;
            }
        }
        if let Some(first) = first {
            window.release_while(|rowid| rowid < first, |rowid, record| add(tree, *resumed, rowid, record))?;
            tree.join(part.leaves)?;
            let late = |rowid| !tree.in_order(rowid);
            window.release_while(late, |rowid, record| aside.put(rowid, record))?;
        }
        part.tail.rows().try_for_each(|(rowid, record)| self.put(rowid, record))
    }
}

fn add(tree: &mut Tree, resumed: bool, rowid: i64, record: &[u8]) -> Result<(), Fault> {
    if tree.in_order(rowid) {
        return tree.add(rowid, record);
    }
    if resumed {
        return Ok(()); // whoever goes on compares all rows in the end
    }
    malformed(format!("two rows have the key {rowid}"))
}
