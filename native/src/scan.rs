//! Reads a tree's cells in order.

use std::sync::Arc;

use crate::pages::{unfit, Pages};
use crate::value::Fault;
use crate::walk::{copy, Node};

const DEEPEST: usize = 40; // pages; SQLite itself gives up at 20

/// A way through a tree: rows of a table by rowid, entries of an index in its order.
#[derive(Debug)]
pub struct Scan {
    pages: Arc<Pages>,
    /// From the root down, each with the cell to look at next.
    path: Vec<(Node, usize)>,
    spare: Vec<Node>,
    memory: Vec<u8>,
}

impl Scan {
    pub fn new(pages: &Arc<Pages>, root: u32) -> Result<Self, Fault> {
        let mut scan = Self { pages: Arc::clone(pages), path: Vec::new(), spare: Vec::new(), memory: Vec::new() };
        scan.descend(root)?;
        Ok(scan)
    }

    /// Go down to the left-most leaf under a page.
    fn descend(&mut self, mut number: u32) -> Result<(), Fault> {
        loop {
            if self.path.len() == DEEPEST {
                return unfit("a tree without end");
            }
            let node = match self.spare.pop() {
                Some(mut node) => {
                    node.read_again(&self.pages, number)?;
                    node
                }
                None => Node::read(&self.pages, number)?,
            };
            let leaf = node.is_leaf();
            number = if leaf { 0 } else { node.child(0) };
            self.path.push((node, 0));
            if leaf {
                return Ok(());
            }
        }
    }

    /// The next cell: a table's rowid (0 in an index), and the record.
    pub fn step(&mut self) -> Result<Option<(i64, &[u8])>, Fault> {
        loop {
            let Some((node, at)) = self.path.last_mut() else { return Ok(None) };
            let here = *at;
            *at += 1;
            if node.is_leaf() {
                if here < node.cells {
                    break;
                }
            } else if here < node.cells && !node.is_table() {
                // Its left page was read; the cell itself comes next, then the page after it.
                let child = node.child(here + 1);
                copy(&self.pages, &node.payload(here)?, &mut self.memory)?;
                self.descend(child)?;
                return Ok(Some((0, &self.memory)));
            } else if here < node.cells {
                let child = node.child(here + 1);
                self.descend(child)?;
                continue;
            }
            if let Some((node, _)) = self.path.pop() {
                self.spare.push(node);
            }
        }
        let Some((node, at)) = self.path.last() else { return Ok(None) };
        let payload = node.payload(at - 1)?;
        let rowid = payload.rowid;
        if payload.overflow == 0 {
            return Ok(Some((rowid, payload.local)));
        }
        copy(&self.pages, &payload, &mut self.memory)?;
        Ok(Some((rowid, &self.memory)))
    }
}
