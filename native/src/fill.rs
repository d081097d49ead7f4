//! Fills an index from its table: reads the rows, sorts their keys, builds the tree.

use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;

use crate::index::IndexTree;
use crate::key::{columns, push_key, Part, Row};
use crate::pages::{unfit, Pages};
use crate::record::{integer, push_head, push_varint};
use crate::scan::Scan;
use crate::sort::Sorter;
use crate::value::{refused, Fault};

/// An index to fill.
#[derive(Clone, Debug)]
pub struct Index {
    pub root: u32,
    pub parts: Vec<Part>,
    pub unique: bool,
}

/// Told how far it is, and asked whether to go on.
#[derive(Debug, Default)]
pub struct Progress {
    pub rows: AtomicU64,
    pub stop: AtomicBool,
}

const LOOK: u64 = 1024; // rows

impl Progress {
    pub fn pass(&self, rows: u64) -> Result<(), Fault> {
        if rows % LOOK == 0 {
            self.rows.store(rows, Ordering::Relaxed);
            if self.stop.load(Ordering::Relaxed) {
                return refused("stopped");
            }
        }
        Ok(())
    }
}

/// Fill an index, whatever it held; how many entries it has.
///
/// Args: bytes of memory to sort in, and a file that nobody else has for what is more.
pub fn fill(
    pages: &Arc<Pages>,
    table: u32,
    index: &Index,
    memory: usize,
    file: File,
    progress: &Progress,
) -> Result<u64, Fault> {
    pages.clear(index.root)?;
    let mut sorter = Sorter::new(memory, file);
    let mut scan = Scan::new(pages, table)?;
    let (mut key, mut record, mut rows) = (Vec::new(), Vec::new(), 0);
    while let Some((rowid, bytes)) = scan.step()? {
        let mut row = Row::new();
        columns(bytes, &mut row)?;
        key.clear();
        let null = push_key(&index.parts, rowid, &row, &mut key)?;
        record.clear();
        record.push(u8::from(null));
        push_entry(&index.parts, rowid, &row, &mut record)?;
        sorter.push(&key, &record)?;
        rows += 1;
        progress.pass(rows)?;
    }
    let mut tree = IndexTree::new(Arc::clone(pages), index.root)?;
    let (mut last, mut done) = (None::<Vec<u8>>, 0);
    sorter.each(|key, entry| {
        if index.unique && entry.first() == Some(&0) {
            match &mut last {
                Some(last) if last == key => return refused("two rows have one key"),
                Some(last) => {
                    last.clear();
                    last.extend_from_slice(key);
                }
                none => *none = Some(key.to_vec()),
            }
        }
        tree.add(entry.get(1..).unwrap_or_default())?;
        done += 1;
        progress.pass(done)
    })?;
    if done != rows {
        return unfit("sorting lost rows");
    }
    tree.finish()?;
    Ok(rows)
}

/// The record of an index: the columns as the table stores them, and the rowid.
pub fn push_entry(parts: &[Part], rowid: i64, row: &Row<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let (kind, bytes) = integer(rowid);
    let whole = rowid.to_be_bytes();
    let own = (u64::from(kind), &whole[8 - bytes..]);
    let mut types = Vec::with_capacity(parts.len() + 1);
    for part in parts {
        push_varint(&mut types, part.of(row, own)?.0);
    }
    push_varint(&mut types, own.0);
    push_head(out, &types);
    for part in parts {
        out.extend_from_slice(part.of(row, own)?.1);
    }
    out.extend_from_slice(own.1);
    Ok(())
}
