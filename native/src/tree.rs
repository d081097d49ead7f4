//! A table's b-tree, built bottom up from rows in rowid order (fileformat2.html, section 1.6).

use crate::pages::{unfit, Pages, Run, Writer};
use crate::record::push_varint;
use crate::value::Fault;
use crate::walk::{local_size, INTERIOR_HEAD, LEAF_HEAD, LONGEST, TABLE_INTERIOR, TABLE_LEAF};
use std::sync::Arc;

/// A page being filled: cells from its end, pointers to them from its start.
#[derive(Debug)]
pub struct Page {
    bytes: Vec<u8>,
    usable: usize,
    head: usize,
    pub cells: usize,
    content: usize,
}

impl Page {
    pub fn new(size: usize, usable: usize, head: usize) -> Self {
        Self { bytes: vec![0; size], usable, head, cells: 0, content: usable }
    }

    pub fn clear(&mut self) {
        self.bytes.fill(0);
        self.cells = 0;
        self.content = self.usable;
    }

    pub fn fits(&self, cell: usize) -> bool {
        self.head + 2 * (self.cells + 1) + cell <= self.content
    }

    pub fn add(&mut self, cell: &[u8]) {
        self.content -= cell.len();
        self.bytes[self.content..self.content + cell.len()].copy_from_slice(cell);
        let pointer = self.head + 2 * self.cells;
        self.bytes[pointer..pointer + 2].copy_from_slice(&(self.content as u16).to_be_bytes());
        self.cells += 1;
    }

    pub fn close(&mut self, kind: u8, right: u32) -> &[u8] {
        self.bytes[0] = kind;
        self.bytes[3..5].copy_from_slice(&(self.cells as u16).to_be_bytes());
        // 65536 is written as 0, which is what is left of it in two bytes.
        self.bytes[5..7].copy_from_slice(&(self.content as u16).to_be_bytes());
        if self.head == INTERIOR_HEAD {
            self.bytes[8..12].copy_from_slice(&right.to_be_bytes());
        }
        &self.bytes
    }
}

/// A finished page: its number, and the largest rowid under it.
pub type Child = (u32, i64);

/// Children that have no parent yet. Two are always kept back, for a parent needs two.
#[derive(Debug, Default)]
struct Level {
    children: Vec<Child>,
    size: usize,
}

impl Level {
    fn push(&mut self, child: Child) {
        self.size += cell_size(child);
        self.children.push(child);
    }
}

#[derive(Debug)]
pub struct Tree {
    writer: Writer,
    /// None for a part of a table, whose leaves another tree takes.
    root: Option<u32>,
    leaf: Page,
    interior: Page,
    levels: Vec<Level>,
    first: Option<i64>,
    last: Option<i64>,
    cell: Vec<u8>,
    pub rows: u64,
}

/// The leaves of a part of a table, all of them written, with no page above them. Dropped, their pages are free.
#[derive(Debug)]
pub struct Leaves {
    pages: Arc<Pages>,
    children: Vec<Child>,
    /// The smallest rowid; None where there are no rows.
    pub first: Option<i64>,
    rows: u64,
    runs: Vec<Run>,
}

impl Drop for Leaves {
    fn drop(&mut self) {
        self.pages.give(std::mem::take(&mut self.runs).into_iter().rev());
    }
}

/// A tree half built, all of whose pages are written: what is left to know of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stem {
    /// The pages that have no parent yet, by level.
    pub levels: Vec<Vec<Child>>,
    pub last: Option<i64>,
    pub rows: u64,
}

impl Tree {
    /// Begin to fill the empty table whose root page this is.
    pub fn new(pages: Arc<Pages>, root: u32) -> Result<Self, Fault> {
        Self::resume(pages, root, Stem::default())
    }

    /// Go on where another process stopped.
    pub fn resume(pages: Arc<Pages>, root: u32, stem: Stem) -> Result<Self, Fault> {
        let page = pages.read(root)?;
        if root < 2 || page[0] != TABLE_LEAF || page[3..5] != [0, 0] {
            return unfit(format!("page {root} is no empty table"));
        }
        let mut levels = Vec::new();
        for children in stem.levels {
            let mut level = Level::default();
            children.into_iter().for_each(|child| level.push(child));
            levels.push(level);
        }
        Ok(Self { root: Some(root), levels, last: stem.last, rows: stem.rows, ..Self::part(pages) })
    }

    /// Begin with a part of a table.
    pub fn part(pages: Arc<Pages>) -> Self {
        let (size, usable) = (pages.page_size, pages.usable);
        Self {
            writer: Writer::new(pages),
            root: None,
            leaf: Page::new(size, usable, LEAF_HEAD),
            interior: Page::new(size, usable, INTERIOR_HEAD),
            levels: Vec::new(),
            first: None,
            last: None,
            cell: Vec::new(),
            rows: 0,
        }
    }

    /// Write all that came so far; what to go on from.
    pub fn stem(&mut self) -> Result<Stem, Fault> {
        if self.leaf.cells > 0 {
            self.flush_leaf()?;
        }
        self.writer.keep()?;
        let levels = self.levels.iter().map(|level| level.children.clone()).collect();
        Ok(Stem { levels, last: self.last, rows: self.rows })
    }

    /// The leaves of a part, all of its rows having come.
    pub fn leaves(&mut self) -> Result<Leaves, Fault> {
        if self.leaf.cells > 0 {
            self.flush_leaf()?;
        }
        let children = self.levels.pop().unwrap_or_default().children;
        let pages = Arc::clone(&self.writer.pages);
        Ok(Leaves { pages, children, first: self.first, rows: self.rows, runs: self.writer.leave()? })
    }

    /// Put the leaves of a part after all rows that came so far.
    pub fn join(&mut self, mut leaves: Leaves) -> Result<(), Fault> {
        if leaves.first.is_some_and(|first| !self.in_order(first)) {
            return Err(Fault::Disordered);
        }
        if self.leaf.cells > 0 {
            self.flush_leaf()?;
        }
        self.writer.adopt(std::mem::take(&mut leaves.runs));
        self.rows += leaves.rows;
        for child in std::mem::take(&mut leaves.children) {
            self.last = Some(child.1);
            self.adopt(0, child)?;
        }
        Ok(())
    }

    /// Give all pages back, when no record names them any more; the table stays empty.
    pub fn abandon(&mut self) {
        self.writer.abandon();
    }

    /// The largest rowid so far.
    pub fn last(&self) -> Option<i64> {
        self.last
    }

    /// Whether a row of this rowid may come next.
    pub fn in_order(&self, rowid: i64) -> bool {
        self.last.is_none_or(|last| rowid > last)
    }

    pub fn add(&mut self, rowid: i64, record: &[u8]) -> Result<(), Fault> {
        debug_assert!(self.in_order(rowid));
        if record.len() > LONGEST {
            return Err(Fault::Refused("a row longer than SQLite's limit".into()));
        }
        self.cell.clear();
        push_varint(&mut self.cell, record.len() as u64);
        push_varint(&mut self.cell, rowid as u64);
        let local = local_size(record.len(), self.writer.pages.usable, true);
        let (local, rest) = record.split_at(local);
        self.cell.extend_from_slice(local);
        if !rest.is_empty() {
            let first = overflow(&mut self.writer, rest)?;
            self.cell.extend_from_slice(&first.to_be_bytes());
        }
        if !self.leaf.fits(self.cell.len()) {
            self.flush_leaf()?;
        }
        self.leaf.add(&self.cell);
        self.first.get_or_insert(rowid);
        self.last = Some(rowid);
        self.rows += 1;
        Ok(())
    }

    /// Write what is left, the root last, and then the file's header. What was there before stays as it was until then.
    pub fn finish(&mut self) -> Result<u64, Fault> {
        let Some(root) = self.root else { return unfit("a part of a table has no root") };
        if self.leaf.cells > 0 && !self.levels.is_empty() {
            self.flush_leaf()?;
        }
        let Some(lowest) = self.levels.first() else {
            self.writer.commit(root, self.leaf.close(TABLE_LEAF, 0))?;
            return Ok(self.rows);
        };
        if let ([only], 1) = (lowest.children.as_slice(), self.levels.len()) {
            // A leaf alone was written for a stem, and a parent needs two.
            self.writer.flush()?;
            let pages = Arc::clone(&self.writer.pages);
            self.writer.commit(root, &pages.read(only.0)?)?;
            pages.give([(only.0, only.0 + 1)]);
            return Ok(self.rows);
        }
        let mut at = 0;
        // The topmost level has never had a parent; when all of it fits in one page, that page is the root.
        while at + 1 < self.levels.len() || self.taken(at) < self.levels[at].children.len() {
            while !self.levels[at].children.is_empty() {
                self.flush_children(at)?;
            }
            at += 1;
        }
        let children = std::mem::take(&mut self.levels[at].children);
        let bytes = fill(&mut self.interior, &children);
        self.writer.commit(root, bytes)?;
        Ok(self.rows)
    }

    fn flush_leaf(&mut self) -> Result<(), Fault> {
        let number = self.writer.append(self.leaf.close(TABLE_LEAF, 0))?;
        self.leaf.clear();
        let last = self.last.unwrap_or(i64::MIN);
        self.adopt(0, (number, last))
    }

    /// Give a level one more child; a full page of them is written when two others stay.
    fn adopt(&mut self, at: usize, child: Child) -> Result<(), Fault> {
        if self.levels.len() == at {
            self.levels.push(Level::default());
        }
        self.levels[at].push(child);
        if self.root.is_none() {
            return Ok(());
        }
        let room = self.writer.pages.usable - INTERIOR_HEAD;
        // Only when there is certainly more than a page: counting each time would cost.
        while self.levels[at].size > room + 3 * LARGEST_CELL {
            self.flush_children(at)?;
        }
        Ok(())
    }

    /// How many of a level's children the next page takes: as many as fit, but never all but one.
    fn taken(&self, at: usize) -> usize {
        let children = &self.levels[at].children;
        let room = self.writer.pages.usable - INTERIOR_HEAD;
        let (mut used, mut count) = (0, 0);
        for child in children {
            if used > room {
                break;
            }
            count += 1; // as the right-most child it needs no cell
            used += cell_size(*child);
        }
        if children.len() - count == 1 {
            count -= 1;
        }
        count
    }

    fn flush_children(&mut self, at: usize) -> Result<(), Fault> {
        let count = self.taken(at);
        let level = &mut self.levels[at];
        let children: Vec<Child> = level.children.drain(..count).collect();
        level.size -= children.iter().map(|child| cell_size(*child)).sum::<usize>();
        let largest = children.last().map_or(i64::MIN, |child| child.1);
        let bytes = fill(&mut self.interior, &children);
        let number = self.writer.append(bytes)?;
        self.adopt(at + 1, (number, largest))
    }
}

/// Write a chain of overflow pages; the first one's number.
pub fn overflow(writer: &mut Writer, mut rest: &[u8]) -> Result<u32, Fault> {
    let first = writer.next_number()?;
    let room = writer.pages.usable - 4;
    let mut page = vec![0; writer.pages.page_size];
    while !rest.is_empty() {
        let (part, after) = rest.split_at(rest.len().min(room));
        page.fill(0);
        let next = if after.is_empty() { 0 } else { writer.after_next()? };
        page[..4].copy_from_slice(&next.to_be_bytes());
        page[4..4 + part.len()].copy_from_slice(part);
        writer.append(&page)?;
        rest = after;
    }
    Ok(first)
}

const LARGEST_CELL: usize = 2 + 4 + 9;

fn cell_size(child: Child) -> usize {
    2 + 4 + varint_size(child.1 as u64)
}

fn varint_size(value: u64) -> usize {
    match 64 - value.leading_zeros() as usize {
        bits @ 0..=56 => bits.div_ceil(7).max(1),
        _ => 9,
    }
}

/// An interior page with these children, the last one right-most.
fn fill<'a>(page: &'a mut Page, children: &[Child]) -> &'a [u8] {
    page.clear();
    let mut right = 0;
    if let Some(((last, _), others)) = children.split_last() {
        right = *last;
        let mut cell = Vec::with_capacity(LARGEST_CELL);
        for (number, largest) in others {
            cell.clear();
            cell.extend_from_slice(&number.to_be_bytes());
            push_varint(&mut cell, *largest as u64);
            page.add(&cell);
        }
    }
    page.close(TABLE_INTERIOR, right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_varints() {
        for value in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, (1 << 56) - 1, 1 << 56, u64::MAX] {
            let mut out = Vec::new();
            push_varint(&mut out, value);
            assert_eq!(out.len(), varint_size(value), "{value}");
        }
    }
}
