//! Rows on their way to the tree, held back a little so that those nearly in order get into order.
//!
//! A table that was filled in its key's order is often not stored so to the page: PostgreSQL extends a table by many
//! pages at once, and may fill a later one first.

/// Bytes of rows held back; half of them are let go at a time.
const HELD: usize = 4 << 20;

#[derive(Debug)]
struct Held {
    rowid: i64,
    from: usize,
    to: usize,
}

#[derive(Debug, Default)]
pub struct Window {
    rows: Vec<Held>,
    records: Vec<u8>,
    spare: Vec<u8>,
    disordered: bool,
}

impl Window {
    pub fn push(&mut self, rowid: i64, record: &[u8]) {
        self.disordered |= self.rows.last().is_some_and(|last| last.rowid >= rowid);
        let from = self.records.len();
        self.records.extend_from_slice(record);
        self.rows.push(Held { rowid, from, to: self.records.len() });
    }

    pub fn is_full(&self) -> bool {
        self.records.len() + self.rows.len() * size_of::<Held>() > HELD
    }

    /// Let go of the smaller half of the rows, or of all, in order.
    pub fn release<E>(&mut self, all: bool, each: impl FnMut(i64, &[u8]) -> Result<(), E>) -> Result<(), E> {
        self.sort();
        let count = if all { self.rows.len() } else { self.rows.len().div_ceil(2) };
        self.let_go(count, each)
    }

    /// Let go of the rows from the smallest one on, in order, as long as they are so.
    pub fn release_while<E>(
        &mut self,
        so: impl Fn(i64) -> bool,
        each: impl FnMut(i64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.sort();
        let count = self.rows.partition_point(|row| so(row.rowid));
        if count == 0 {
            return Ok(());
        }
        self.let_go(count, each)
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Take no more memory than what it holds.
    pub fn shrink(&mut self) {
        self.spare = Vec::new();
        self.records.shrink_to_fit();
        self.rows.shrink_to_fit();
    }

    fn sort(&mut self) {
        if self.disordered {
            self.rows.sort_by_key(|row| row.rowid);
            self.disordered = false;
        }
    }

    fn let_go<E>(&mut self, count: usize, mut each: impl FnMut(i64, &[u8]) -> Result<(), E>) -> Result<(), E> {
        for row in self.rows.drain(..count) {
            each(row.rowid, &self.records[row.from..row.to])?;
        }
        self.spare.clear();
        for row in &mut self.rows {
            let from = self.spare.len();
            self.spare.extend_from_slice(&self.records[row.from..row.to]);
            (row.from, row.to) = (from, self.spare.len());
        }
        std::mem::swap(&mut self.records, &mut self.spare);
        Ok(())
    }
}

/// Rows kept in memory, each with its record.
pub type Rows = Vec<(i64, Vec<u8>)>;

impl Window {
    /// What it holds.
    pub fn rows(&self) -> impl Iterator<Item = (i64, &[u8])> {
        self.rows.iter().map(|row| (row.rowid, &self.records[row.from..row.to]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_leave_in_order_each_with_its_record() {
        let mut window = Window::default();
        let mut left = Vec::new();
        for step in 0..1000i64 {
            let rowid = step ^ 5; // groups of eight, each shuffled
            window.push(rowid, rowid.to_string().as_bytes());
            if step % 100 == 99 {
                let all = step == 999;
                let told: Result<(), ()> = window.release(all, |rowid, record| {
                    left.push((rowid, String::from_utf8(record.to_vec()).unwrap()));
                    Ok(())
                });
                told.unwrap();
            }
        }
        assert_eq!(left.len(), 1000);
        assert!(left.iter().enumerate().all(|(at, (rowid, text))| at as i64 == *rowid && *text == rowid.to_string()));
    }
}
