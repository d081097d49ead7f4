//! An index's b-tree, built bottom up from its entries in order (fileformat2.html, section 1.6).
//!
//! Unlike a table's, its interior pages hold entries themselves: the one that stands between two pages is in neither.

use std::sync::Arc;

use crate::pages::{unfit, Pages, Writer};
use crate::record::push_varint;
use crate::tree::{overflow, Page};
use crate::value::Fault;
use crate::walk::{local_size, INDEX_INTERIOR, INDEX_LEAF, INTERIOR_HEAD, LEAF_HEAD};

/// A page whose cells are not written yet: a page must not be left without any, so the last one may yet move.
#[derive(Debug, Default)]
struct Open {
    /// The page under a cell, and the cell without that.
    cells: Vec<(u32, Vec<u8>)>,
    size: usize,
    /// The entry that stands after this full page: it goes up as soon as another one follows.
    held: Option<(u32, Vec<u8>)>,
}

#[derive(Debug)]
pub struct IndexTree {
    writer: Writer,
    root: u32,
    page: [Page; 2],
    /// The leaf, and above it the interior pages.
    levels: Vec<Open>,
}

impl IndexTree {
    /// Begin to fill the empty index whose root page this is.
    pub fn new(pages: Arc<Pages>, root: u32) -> Result<Self, Fault> {
        let page = pages.read(root)?;
        if root < 2 || page[0] != INDEX_LEAF || page[3..5] != [0, 0] {
            return unfit(format!("page {root} is no empty index"));
        }
        let (size, usable) = (pages.page_size, pages.usable);
        let page = [Page::new(size, usable, LEAF_HEAD), Page::new(size, usable, INTERIOR_HEAD)];
        Ok(Self { writer: Writer::new(pages), root, page, levels: vec![Open::default()] })
    }

    /// Add the next entry.
    pub fn add(&mut self, record: &[u8]) -> Result<(), Fault> {
        let mut cell = Vec::with_capacity(record.len().min(self.writer.pages.usable) + 9);
        push_varint(&mut cell, record.len() as u64);
        let (local, rest) = record.split_at(local_size(record.len(), self.writer.pages.usable, false));
        cell.extend_from_slice(local);
        if !rest.is_empty() {
            let first = overflow(&mut self.writer, rest)?;
            cell.extend_from_slice(&first.to_be_bytes());
        }
        self.put(0, (0, cell))
    }

    fn put(&mut self, at: usize, entry: (u32, Vec<u8>)) -> Result<(), Fault> {
        if self.levels.len() == at {
            self.levels.push(Open::default());
        }
        if let Some((child, cell)) = self.levels[at].held.take() {
            let number = self.write(at, child)?;
            self.put(at + 1, (number, cell))?;
        }
        let (head, more) = if at == 0 { (LEAF_HEAD, 0) } else { (INTERIOR_HEAD, 4) };
        let level = &mut self.levels[at];
        let size = level.size + 2 + more + entry.1.len();
        if head + size <= self.writer.pages.usable {
            level.size = size;
            level.cells.push(entry);
        } else {
            level.held = Some(entry);
        }
        Ok(())
    }

    /// Write a level's page, the right-most page under it being this one; its number.
    fn write(&mut self, at: usize, right: u32) -> Result<u32, Fault> {
        let bytes = close(&mut self.page, &mut self.levels[at], at, right);
        self.writer.append(bytes)
    }

    /// Write what is left, the root last, and then the file's header.
    pub fn finish(mut self) -> Result<(), Fault> {
        let (mut at, mut right) = (0, 0);
        loop {
            if let Some(held) = self.levels[at].held.take() {
                // It is the last of all: the one before it goes up, and it stands alone after that.
                let Some((child, cell)) = self.levels[at].cells.pop() else {
                    return unfit("an entry that leaves no room in its page for another");
                };
                let number = self.write(at, child)?;
                self.put(at + 1, (number, cell))?;
                self.levels[at].cells.push(held);
            }
            if at + 1 == self.levels.len() {
                break;
            }
            right = self.write(at, right)?;
            at += 1;
        }
        let bytes = close(&mut self.page, &mut self.levels[at], at, right);
        self.writer.commit(self.root, bytes)
    }
}

/// A level's page as bytes; it begins anew.
fn close<'a>(pages: &'a mut [Page; 2], level: &mut Open, at: usize, right: u32) -> &'a [u8] {
    let (page, kind) = match pages {
        [leaf, _] if at == 0 => (leaf, INDEX_LEAF),
        [_, interior] => (interior, INDEX_INTERIOR),
    };
    page.clear();
    let mut whole = Vec::new();
    for (child, cell) in level.cells.drain(..) {
        whole.clear();
        if at > 0 {
            whole.extend_from_slice(&child.to_be_bytes());
        }
        whole.extend_from_slice(&cell);
        page.add(&whole);
    }
    level.size = 0;
    page.close(kind, right)
}
