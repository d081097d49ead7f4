//! Reads b-trees page by page (fileformat2.html, section 1.6): which pages they use, and what their cells hold.

use crate::pages::{unfit, word, Pages};
use crate::value::Fault;

pub const TABLE_LEAF: u8 = 0x0d;
pub const TABLE_INTERIOR: u8 = 0x05;
pub const INDEX_LEAF: u8 = 0x0a;
pub const INDEX_INTERIOR: u8 = 0x02;
pub const LEAF_HEAD: usize = 8;
pub const INTERIOR_HEAD: usize = 12;

/// A b-tree page as it was read.
#[derive(Debug)]
pub struct Node {
    bytes: Vec<u8>,
    usable: usize,
    start: usize,
    pub kind: u8,
    pub cells: usize,
}

/// A cell's payload: how long it is, the part in the page, and the first overflow page (0 for none).
#[derive(Debug)]
pub struct Payload<'a> {
    pub rowid: i64,
    pub length: usize,
    pub local: &'a [u8],
    pub overflow: u32,
    /// Where the cell ends in its page.
    end: usize,
}

impl Node {
    pub fn read(pages: &Pages, number: u32) -> Result<Self, Fault> {
        let mut node = Self { bytes: vec![0; pages.page_size], usable: pages.usable, start: 0, kind: 0, cells: 0 };
        node.read_again(pages, number)?;
        Ok(node)
    }

    /// Read another page into the same memory.
    pub fn read_again(&mut self, pages: &Pages, number: u32) -> Result<(), Fault> {
        pages.read_into(number, &mut self.bytes)?;
        self.start = if number == 1 { 100 } else { 0 };
        self.kind = self.bytes[self.start];
        self.cells = usize::from(u16::from_be_bytes([self.bytes[self.start + 3], self.bytes[self.start + 4]]));
        if !matches!(self.kind, TABLE_LEAF | TABLE_INTERIOR | INDEX_LEAF | INDEX_INTERIOR) {
            return unfit(format!("page {number} is no part of a b-tree"));
        }
        if self.start + self.head() + 2 * self.cells > self.usable {
            return unfit(format!("page {number} says that it has {} cells", self.cells));
        }
        Ok(())
    }

    pub fn is_leaf(&self) -> bool {
        self.kind & 8 != 0
    }

    pub fn is_table(&self) -> bool {
        self.kind & 1 != 0
    }

    fn head(&self) -> usize {
        if self.is_leaf() {
            LEAF_HEAD
        } else {
            INTERIOR_HEAD
        }
    }

    fn cell(&self, at: usize) -> usize {
        let pointer = self.start + self.head() + 2 * at;
        usize::from(u16::from_be_bytes([self.bytes[pointer], self.bytes[pointer + 1]]))
    }

    /// The page under a cell of an interior page; that after the last cell is the right-most.
    pub fn child(&self, at: usize) -> u32 {
        if at == self.cells {
            word(&self.bytes, self.start + 8)
        } else {
            word(&self.bytes, self.cell(at))
        }
    }

    /// The payload of a cell; those of a table's interior pages have none.
    pub fn payload(&self, at: usize) -> Result<Payload<'_>, Fault> {
        let mut place = self.cell(at) + if self.is_leaf() { 0 } else { 4 };
        let (length, size) = varint(&self.bytes[..self.usable], place)?;
        place += size;
        let mut rowid = 0;
        if self.is_table() {
            let (found, size) = varint(&self.bytes[..self.usable], place)?;
            rowid = found as i64;
            place += size;
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > LONGEST {
            return unfit("a cell is longer than SQLite's limit");
        }
        let local = local_size(length, self.usable, self.is_table());
        let Some(bytes) = self.bytes[..self.usable].get(place..place + local) else {
            return unfit("a cell ends after its page");
        };
        let mut end = place + local;
        let mut overflow = 0;
        if local < length {
            overflow = word(&self.bytes[..self.usable], end);
            end += 4;
        }
        Ok(Payload { rowid, length, local: bytes, overflow, end })
    }

    /// A cell of an index without the page under it.
    pub fn bare(&self, at: usize) -> Result<&[u8], Fault> {
        let end = self.payload(at)?.end;
        Ok(&self.bytes[self.cell(at) + if self.is_leaf() { 0 } else { 4 }..end])
    }
}

pub const LONGEST: usize = 1_000_000_000; // SQLite's own limit of a row (SQLITE_MAX_LENGTH)

/// How many bytes of a payload stay in its page (fileformat2.html, section 1.6, "X", "M" and "K").
pub fn local_size(length: usize, usable: usize, table: bool) -> usize {
    let most = if table { usable - 35 } else { (usable - 12) * 64 / 255 - 23 };
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

/// A varint, and how many bytes it takes.
pub fn varint(bytes: &[u8], at: usize) -> Result<(u64, usize), Fault> {
    let mut value = 0;
    for count in 0..8 {
        let Some(byte) = bytes.get(at + count) else { return unfit("a number ends after its page") };
        value = value << 7 | u64::from(byte & 0x7f);
        if *byte < 0x80 {
            return Ok((value, count + 1));
        }
    }
    match bytes.get(at + 8) {
        Some(byte) => Ok((value << 8 | u64::from(*byte), 9)),
        None => unfit("a number ends after its page"),
    }
}

/// Put a whole payload into memory that is used again.
pub fn copy(pages: &Pages, payload: &Payload<'_>, memory: &mut Vec<u8>) -> Result<(), Fault> {
    memory.clear();
    memory.extend_from_slice(payload.local);
    if payload.overflow == 0 {
        return Ok(());
    }
    let (mut number, mut page) = (payload.overflow, vec![0; pages.page_size]);
    while memory.len() < payload.length {
        pages.read_into(number, &mut page)?;
        let part = (payload.length - memory.len()).min(pages.usable - 4);
        memory.extend_from_slice(&page[4..4 + part]);
        number = word(&page, 0);
    }
    Ok(())
}

/// The numbers of pages that are in use.
#[derive(Debug)]
pub struct Used {
    bits: Vec<u64>,
    count: u32,
}

impl Used {
    /// None yet, of so many pages.
    pub fn new(count: u32) -> Self {
        Self { bits: vec![0; count as usize / 64 + 1], count }
    }

    pub fn has(&self, number: u32) -> bool {
        self.bits.get(number as usize / 64).is_some_and(|bits| bits >> (number % 64) & 1 == 1)
    }

    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        (1..=self.count).filter(|number| self.has(*number))
    }

    fn add(&mut self, number: u32) -> Result<(), Fault> {
        if number == 0 || number > self.count {
            return unfit(format!("a tree refers to page {number}, which is not there"));
        }
        if self.has(number) {
            return unfit(format!("page {number} is used twice"));
        }
        self.bits[number as usize / 64] |= 1 << (number % 64);
        Ok(())
    }
}

/// Find all pages of a tree.
pub fn walk(pages: &Pages, root: u32, used: &mut Used) -> Result<(), Fault> {
    let mut waiting = vec![root];
    let mut node = Node { bytes: vec![0; pages.page_size], usable: pages.usable, start: 0, kind: 0, cells: 0 };
    let mut head = [0; 4];
    while let Some(number) = waiting.pop() {
        used.add(number)?;
        node.read_again(pages, number)?;
        if !node.is_leaf() {
            waiting.extend((0..=node.cells).map(|at| node.child(at)));
        }
        if node.kind == TABLE_INTERIOR {
            continue;
        }
        for at in 0..node.cells {
            let payload = node.payload(at)?;
            let (mut overflow, mut left) = (payload.overflow, payload.length - payload.local.len());
            while left > 0 {
                used.add(overflow)?;
                pages.read_into(overflow, &mut head)?;
                overflow = word(&head, 0);
                left = left.saturating_sub(pages.usable - 4);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_that_stay_local() {
        assert_eq!(local_size(4061, 4096, true), 4061);
        assert_eq!(local_size(4062, 4096, true), 489); // the least: what is left would not fill another overflow page
        assert_eq!(local_size(4096 + 489 + 4088, 4096, true), 4096 + 489 + 4088 - 2 * 4092);
        assert_eq!(local_size(1002, 4096, false), 1002);
        assert_eq!(local_size(1003, 4096, false), 489);
    }
}
