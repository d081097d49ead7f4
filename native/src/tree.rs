//! A table's b-tree, built bottom up from rows in rowid order (fileformat2.html, section 1.6).

use crate::record::push_varint;
use crate::store::Store;
use crate::value::Fault;

const LEAF: u8 = 0x0d;
const INTERIOR: u8 = 0x05;
const LEAF_HEAD: usize = 8;
const INTERIOR_HEAD: usize = 12;
const LONGEST: usize = 1_000_000_000; // SQLite's own limit of a row (SQLITE_MAX_LENGTH)

/// A page being filled: cells from its end, pointers to them from its start.
#[derive(Debug)]
struct Page {
    bytes: Vec<u8>,
    usable: usize,
    head: usize,
    cells: usize,
    content: usize,
}

impl Page {
    fn new(size: usize, usable: usize, head: usize) -> Self {
        Self { bytes: vec![0; size], usable, head, cells: 0, content: usable }
    }

    fn clear(&mut self) {
        self.bytes.fill(0);
        self.cells = 0;
        self.content = self.usable;
    }

    fn fits(&self, cell: usize) -> bool {
        self.head + 2 * (self.cells + 1) + cell <= self.content
    }

    fn add(&mut self, cell: &[u8]) {
        self.content -= cell.len();
        self.bytes[self.content..self.content + cell.len()].copy_from_slice(cell);
        let pointer = self.head + 2 * self.cells;
        self.bytes[pointer..pointer + 2].copy_from_slice(&(self.content as u16).to_be_bytes());
        self.cells += 1;
    }

    fn close(&mut self, kind: u8, right: u32) -> &[u8] {
        self.bytes[0] = kind;
        self.bytes[3..5].copy_from_slice(&(self.cells as u16).to_be_bytes());
        // 65536 is written as 0, which is what is left of it in two bytes.
        self.bytes[5..7].copy_from_slice(&(self.content as u16).to_be_bytes());
        if kind == INTERIOR {
            self.bytes[8..12].copy_from_slice(&right.to_be_bytes());
        }
        &self.bytes
    }
}

/// A finished page: its number, and the largest rowid under it.
type Child = (u32, i64);

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
    store: Store,
    root: u32,
    leaf: Page,
    interior: Page,
    levels: Vec<Level>,
    last: Option<i64>,
    cell: Vec<u8>,
    pub rows: u64,
}

impl Tree {
    /// Begin to fill the empty table whose root page this is.
    pub fn new(mut store: Store, root: u32) -> Result<Self, Fault> {
        let page = store.read(root)?;
        if page[0] != LEAF || page[3..5] != [0, 0] {
            return Err(Fault::Unfit(format!("page {root} is no empty table")));
        }
        let (size, usable) = (store.page_size, store.usable);
        Ok(Self {
            store,
            root,
            leaf: Page::new(size, usable, LEAF_HEAD),
            interior: Page::new(size, usable, INTERIOR_HEAD),
            levels: Vec::new(),
            last: None,
            cell: Vec::new(),
            rows: 0,
        })
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
        let local = local_size(record.len(), self.store.usable);
        let (local, rest) = record.split_at(local);
        self.cell.extend_from_slice(local);
        if !rest.is_empty() {
            let first = self.overflow(rest)?;
            self.cell.extend_from_slice(&first.to_be_bytes());
        }
        if !self.leaf.fits(self.cell.len()) {
            self.flush_leaf()?;
        }
        self.leaf.add(&self.cell);
        self.last = Some(rowid);
        self.rows += 1;
        Ok(())
    }

    /// Write what is left, the root last, and then the file's header. What was there before stays as it was until then.
    pub fn finish(mut self) -> Result<u64, Fault> {
        if self.rows == 0 {
            self.store.forget()?;
            return Ok(0);
        }
        if self.levels.is_empty() {
            self.store.commit(self.root, self.leaf.close(LEAF, 0))?;
            return Ok(self.rows);
        }
        self.flush_leaf()?;
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
        self.store.commit(self.root, bytes)?;
        Ok(self.rows)
    }

    /// Take back every page that was written.
    pub fn abandon(mut self) -> Result<(), Fault> {
        self.store.forget()
    }

    fn flush_leaf(&mut self) -> Result<(), Fault> {
        let number = self.store.append(self.leaf.close(LEAF, 0))?;
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
        let room = self.store.usable - INTERIOR_HEAD;
        // Only when there is certainly more than a page: counting each time would cost.
        while self.levels[at].size > room + 3 * LARGEST_CELL {
            self.flush_children(at)?;
        }
        Ok(())
    }

    /// How many of a level's children the next page takes: as many as fit, but never all but one.
    fn taken(&self, at: usize) -> usize {
        let children = &self.levels[at].children;
        let room = self.store.usable - INTERIOR_HEAD;
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
        let number = self.store.append(bytes)?;
        self.adopt(at + 1, (number, largest))
    }

    /// Write a chain of overflow pages; the first one's number.
    fn overflow(&mut self, mut rest: &[u8]) -> Result<u32, Fault> {
        let first = self.store.next();
        let room = self.store.usable - 4;
        let mut page = vec![0; self.store.page_size];
        while !rest.is_empty() {
            let (part, after) = rest.split_at(rest.len().min(room));
            page.fill(0);
            let next = if after.is_empty() { 0 } else { self.store.after_next() };
            page[..4].copy_from_slice(&next.to_be_bytes());
            page[4..4 + part.len()].copy_from_slice(part);
            self.store.append(&page)?;
            rest = after;
        }
        Ok(first)
    }
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
    page.close(INTERIOR, right)
}

/// How many bytes of a row stay in its leaf (fileformat2.html, section 1.6, "X", "M" and "K").
fn local_size(length: usize, usable: usize) -> usize {
    let most = usable - 35;
    if length <= most {
        return length;
    }
    let least = (usable - 12) * 32 / 255 - 23;
    let even = least + (length - least) % (usable - 4);
    if even <= most {
        even
    } else {
        least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_that_stay_local() {
        assert_eq!(local_size(4061, 4096), 4061);
        assert_eq!(local_size(4062, 4096), 489); // the least: what is left would not fill another overflow page
        assert_eq!(local_size(4096 + 489 + 4088, 4096), 4096 + 489 + 4088 - 2 * 4092);
    }

    #[test]
    fn sizes_of_varints() {
        for value in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, (1 << 56) - 1, 1 << 56, u64::MAX] {
            let mut out = Vec::new();
            push_varint(&mut out, value);
            assert_eq!(out.len(), varint_size(value), "{value}");
        }
    }
}
