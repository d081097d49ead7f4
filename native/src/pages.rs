//! The pages of a database file that nobody has open: which are used, and who may write the others
//! (fileformat2.html, sections 1.3 and 1.5).
//!
//! Several builders share one file: each takes runs of pages that are only its own until its tree is committed. What is
//! not used in the end goes onto SQLite's freelist, or off the file's end.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::value::Fault;
use crate::walk::{walk, Used};

const HEADER: usize = 100;
const PENDING_BYTE: u64 = 0x4000_0000; // where SQLite takes its locks; the page that holds it is never used
const LAST_PAGE: u32 = u32::MAX - 2;

/// Pages from the first, up to but without the second.
pub type Run = (u32, u32);

#[derive(Debug)]
pub struct Pages {
    file: File,
    pub page_size: usize,
    pub usable: usize,
    lock_page: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    header: [u8; HEADER],
    /// The first page after all that were ever given out.
    next: u32,
    /// Free pages before it.
    free: Vec<Run>,
}

impl Pages {
    /// Open a database that is whole.
    pub fn open(path: &Path) -> Result<Arc<Self>, Fault> {
        let (mut pages, header, length) = Self::look(path)?;
        let count = word(&header, 28);
        if word(&header, 24) != word(&header, 92) || length != u64::from(count) * pages.page_size as u64 {
            return unfit("the number of its pages is not right");
        }
        pages.begin(header, count)?;
        let listed = pages.freelist()?;
        let state = pages.state();
        for number in listed {
            give_back(state, (number, number + 1));
        }
        // They may be written from here on, so they are listed nowhere until the end.
        state.header[32..40].fill(0);
        pages.write_header()?;
        Ok(Arc::new(pages))
    }

    /// Open a database whose builder was killed: what these trees use stays, every other page is free.
    ///
    /// Args: the roots of the trees to keep, those of trees to empty, and pages whose whole subtrees stay.
    pub fn recover(path: &Path, keep: &[u32], empty: &[u32], subtrees: &[u32]) -> Result<Arc<Self>, Fault> {
        let (mut pages, mut header, length) = Self::look(path)?;
        let count = u32::try_from(length / pages.page_size as u64).unwrap_or(0);
        header[32..40].fill(0);
        pages.begin(header, count)?;
        for root in empty {
            pages.make_empty(*root)?;
        }
        let mut used = Used::new(count);
        for root in keep.iter().chain(empty).chain(subtrees) {
            walk(&pages, *root, &mut used)?;
        }
        let lock_page = pages.lock_page;
        let state = pages.state();
        for number in 1..=count {
            if !used.has(number) && number != lock_page {
                give_back(state, (number, number + 1));
            }
        }
        pages.write_header()?;
        Ok(Arc::new(pages))
    }

    fn look(path: &Path) -> Result<(Self, [u8; HEADER], u64), Fault> {
        let file = File::options().read(true).write(true).open(path)?;
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0)?;
        let page_size = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65536,
            size => usize::from(size),
        };
        let usable = page_size.saturating_sub(usize::from(header[20]));
        let fit = header.starts_with(b"SQLite format 3\0")
            && page_size.is_power_of_two()
            && page_size >= 512
            && usable >= 480
            && header[18..20] == [1, 1] // no write-ahead log
            && word(&header, 44) == 4 // integers 0 and 1 take no room
            && word(&header, 52) == 0 // no auto-vacuum, which would need pointer maps
            && word(&header, 56) == 1; // UTF-8
        if !fit {
            return unfit("the file is no SQLite database that pages can be added to");
        }
        let length = file.metadata()?.len();
        let lock_page = (PENDING_BYTE / page_size as u64) as u32 + 1;
        let state = Mutex::new(State { header, next: 1, free: Vec::new() });
        Ok((Self { file, page_size, usable, lock_page, state }, header, length))
    }

    fn begin(&mut self, header: [u8; HEADER], count: u32) -> Result<(), Fault> {
        if count == 0 {
            return unfit("the file has no pages");
        }
        let next = count + 1;
        *self.state() = State { header, next, free: Vec::new() };
        Ok(())
    }

    /// Without a lock: nobody else has it yet.
    fn state(&mut self) -> &mut State {
        self.state.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn read(&self, number: u32) -> Result<Vec<u8>, Fault> {
        let mut page = vec![0; self.page_size];
        self.read_into(number, &mut page)?;
        Ok(page)
    }

    pub fn read_into(&self, number: u32, page: &mut [u8]) -> Result<(), Fault> {
        if number == 0 || number > LAST_PAGE {
            return unfit(format!("there is no page {number}"));
        }
        match self.file.read_exact_at(page, self.place(number)) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                unfit(format!("there is no page {number}"))
            }
            other => Ok(other?),
        }
    }

    fn write(&self, number: u32, bytes: &[u8]) -> Result<(), Fault> {
        Ok(self.file.write_all_at(bytes, self.place(number))?)
    }

    fn place(&self, number: u32) -> u64 {
        u64::from(number.saturating_sub(1)) * self.page_size as u64
    }

    /// Make a tree's pages part of the database, all of them written: its root refers to them, the header counts them.
    pub fn commit(&self, root: u32, page: &[u8]) -> Result<(), Fault> {
        self.write(root, page)?;
        self.write_header()
    }

    /// Make what was written durable.
    pub fn sync(&self) -> Result<(), Fault> {
        Ok(self.file.sync_data()?)
    }

    /// Let a root have no rows; its pages stay where they are.
    fn make_empty(&self, root: u32) -> Result<u8, Fault> {
        let mut page = self.read(root)?;
        let kind = match page[0] {
            0x05 | 0x0d => 0x0d,
            0x02 | 0x0a => 0x0a,
            _ => return unfit(format!("page {root} is no root")),
        };
        if root == 1 {
            return unfit("page 1 is never emptied");
        }
        page.fill(0);
        page[0] = kind;
        page[5..7].copy_from_slice(&(self.usable as u16).to_be_bytes());
        self.write(root, &page)?;
        Ok(kind)
    }

    /// Empty a tree, and free its pages.
    pub fn clear(&self, root: u32) -> Result<(), Fault> {
        let mut used = Used::new(self.lock().next - 1);
        walk(self, root, &mut used)?;
        self.make_empty(root)?;
        let mut state = self.lock();
        for number in used.numbers().filter(|number| *number != root) {
            give_back(&mut state, (number, number + 1));
        }
        Ok(())
    }

    /// Pages for one builder alone, at most so many.
    fn take(&self, most: u32) -> Result<Run, Fault> {
        let mut state = self.lock();
        if let Some((from, to)) = state.free.pop() {
            let end = to.min(from + most);
            if end < to {
                state.free.push((end, to));
            }
            return Ok((from, end));
        }
        if state.next == self.lock_page {
            state.next += 1;
        }
        let from = state.next;
        let mut to = from.saturating_add(most).min(LAST_PAGE);
        if (from..to).contains(&self.lock_page) {
            to = self.lock_page;
        }
        if from >= to {
            return unfit("the file has as many pages as SQLite can count");
        }
        state.next = to;
        Ok((from, to))
    }

    pub fn give(&self, runs: impl IntoIterator<Item = Run>) {
        let mut state = self.lock();
        for run in runs {
            give_back(&mut state, run);
        }
    }

    fn write_header(&self) -> Result<(), Fault> {
        let mut state = self.lock();
        // As many as there are: one that was given out but not written yet may be past the end.
        let count = (self.file.metadata()?.len() / self.page_size as u64) as u32;
        let counter = word(&state.header, 24).wrapping_add(1).to_be_bytes();
        state.header[24..28].copy_from_slice(&counter);
        state.header[92..96].copy_from_slice(&counter);
        let count = count.min(state.next - 1).to_be_bytes();
        state.header[28..32].copy_from_slice(&count);
        Ok(self.file.write_all_at(&state.header, 0)?)
    }

    /// Put the free pages onto the freelist or off the end, when no builder is left.
    pub fn close(&self) -> Result<(), Fault> {
        let free = {
            let mut state = self.lock();
            let mut free = std::mem::take(&mut state.free);
            free.sort_unstable();
            loop {
                if state.next == self.lock_page + 1 {
                    state.next = self.lock_page; // a file never ends with it
                }
                match free.last() {
                    Some((from, to)) if *to == state.next => state.next = *from,
                    _ => break,
                }
                free.pop();
            }
            self.file.set_len(u64::from(state.next - 1) * self.page_size as u64)?;
            free
        };
        let count: u32 = free.iter().map(|(from, to)| to - from).sum();
        let mut numbers: VecDeque<u32> = free.into_iter().flat_map(|(from, to)| from..to).collect();
        let room = self.usable / 4 - 8; // SQLite itself leaves the last six entries of a trunk unused
        let first = numbers.front().copied().unwrap_or(0);
        while let Some(trunk) = numbers.pop_front() {
            let leaves: Vec<u32> = numbers.drain(..numbers.len().min(room)).collect();
            let mut page = vec![0; self.page_size];
            page[..4].copy_from_slice(&numbers.front().copied().unwrap_or(0).to_be_bytes());
            page[4..8].copy_from_slice(&(leaves.len() as u32).to_be_bytes());
            for (place, leaf) in page[8..].chunks_exact_mut(4).zip(&leaves) {
                place.copy_from_slice(&leaf.to_be_bytes());
            }
            self.write(trunk, &page)?;
        }
        {
            let mut state = self.lock();
            state.header[32..36].copy_from_slice(&first.to_be_bytes());
            state.header[36..40].copy_from_slice(&count.to_be_bytes());
        }
        self.write_header()
    }

    /// The pages on SQLite's freelist.
    fn freelist(&mut self) -> Result<Vec<u32>, Fault> {
        let (header, most) = (self.state().header, self.state().next);
        let (mut trunk, expected) = (word(&header, 32), word(&header, 36) as usize);
        let mut found = Vec::new();
        while trunk != 0 && found.len() <= expected {
            let page = self.read(trunk)?;
            found.push(trunk);
            let leaves = word(&page, 4) as usize;
            found.extend(page[8..self.usable].chunks_exact(4).take(leaves).map(|place| word(place, 0)));
            trunk = word(&page, 0);
        }
        if found.len() != expected || found.iter().any(|number| *number < 2 || *number >= most) {
            return unfit("its freelist is not right");
        }
        found.sort_unstable();
        Ok(found)
    }
}

/// Runs that touch become one; those at the end of all are forgotten.
fn give_back(state: &mut State, (from, to): Run) {
    if from >= to {
        return;
    }
    if to == state.next {
        state.next = from;
        while let Some(last) = state.free.last().copied() {
            if last.1 != state.next {
                break;
            }
            state.free.pop();
            state.next = last.0;
        }
        return;
    }
    match state.free.last_mut() {
        Some(last) if last.1 == from => last.1 = to,
        Some(last) if last.0 == to => last.0 = from,
        _ => state.free.push((from, to)),
    }
}

const BUFFER: usize = 1 << 20;
const FIRST_GRANT: u32 = 4; // pages: many tables are small
const LARGEST_GRANT: u32 = 1024;

/// Writes one builder's pages.
#[derive(Debug)]
pub struct Writer {
    pub pages: Arc<Pages>,
    /// Pages to write next: the last of those it owns.
    ready: VecDeque<u32>,
    grant: u32,
    /// Pages that go back when the writer is dropped.
    owned: Vec<Run>,
    /// Pages that a record may name: who drops the writer must not let others write them.
    kept: Vec<Run>,
    buffer: Vec<u8>,
    /// The number of the buffer's first page.
    at: u32,
    count: u32,
}

impl Writer {
    pub fn new(pages: Arc<Pages>) -> Self {
        let buffer = Vec::with_capacity(BUFFER + pages.page_size);
        let ready = VecDeque::new();
        Self { pages, ready, grant: FIRST_GRANT, owned: Vec::new(), kept: Vec::new(), buffer, at: 0, count: 0 }
    }

    /// The number that the next page gets.
    pub fn next_number(&mut self) -> Result<u32, Fault> {
        self.coming(0)
    }

    /// The number that the page after the next one gets.
    pub fn after_next(&mut self) -> Result<u32, Fault> {
        self.coming(1)
    }

    fn coming(&mut self, at: usize) -> Result<u32, Fault> {
        loop {
            if let Some(number) = self.ready.get(at) {
                return Ok(*number);
            }
            let (from, to) = self.pages.take(self.grant)?;
            self.grant = (self.grant * 2).min(LARGEST_GRANT);
            self.ready.extend(from..to);
            append(&mut self.owned, (from, to));
        }
    }

    pub fn append(&mut self, page: &[u8]) -> Result<u32, Fault> {
        let number = self.next_number()?;
        self.ready.pop_front();
        if self.buffer.len() >= BUFFER || self.at + self.count != number {
            self.flush()?;
            self.at = number;
        }
        self.buffer.extend_from_slice(page);
        self.count += 1;
        Ok(number)
    }

    /// Write what is still in memory.
    pub fn flush(&mut self) -> Result<(), Fault> {
        if self.count > 0 {
            self.pages.write(self.at, &self.buffer)?;
        }
        self.buffer.clear();
        self.count = 0;
        Ok(())
    }

    /// Make all that was appended part of the database, with its root; what was taken beyond that is given back.
    pub fn commit(&mut self, root: u32, page: &[u8]) -> Result<(), Fault> {
        self.flush()?;
        self.pages.commit(root, page)?;
        self.written();
        self.kept.clear();
        self.give_back();
        Ok(())
    }

    /// From here on only `abandon` gives back what was appended.
    pub fn keep(&mut self) -> Result<(), Fault> {
        self.flush()?;
        let written = self.written();
        self.kept.extend(written);
        Ok(())
    }

    /// Take over pages that another writer has left, to keep them.
    pub fn adopt(&mut self, runs: Vec<Run>) {
        self.kept.extend(runs);
    }

    /// Leave all that was appended to somebody else.
    pub fn leave(&mut self) -> Result<Vec<Run>, Fault> {
        self.keep()?;
        self.give_back();
        Ok(std::mem::take(&mut self.kept))
    }

    /// Give everything back, when no record names it any more.
    pub fn abandon(&mut self) {
        self.pages.give(std::mem::take(&mut self.kept).into_iter().rev());
        self.give_back();
    }

    /// What was appended, which is no longer among the pages that go back.
    fn written(&mut self) -> Vec<Run> {
        let mut written = std::mem::take(&mut self.owned);
        self.ready.iter().for_each(|number| append(&mut self.owned, (*number, number + 1)));
        let mut unused = self.ready.len() as u32;
        while let Some((from, to)) = written.pop() {
            let own = unused.min(to - from);
            unused -= own;
            if from < to - own {
                written.push((from, to - own));
                break;
            }
        }
        written
    }

    fn give_back(&mut self) {
        self.ready.clear();
        self.pages.give(std::mem::take(&mut self.owned).into_iter().rev());
    }
}

fn append(runs: &mut Vec<Run>, run: Run) {
    match runs.last_mut() {
        Some(last) if last.1 == run.0 => last.1 = run.1,
        _ => runs.push(run),
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.give_back();
    }
}

pub fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |four| u32::from_be_bytes(*four))
}

pub fn unfit<T>(why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Unfit(why.into()))
}
