//! The file that gets new pages at its end; its header is written last (fileformat2.html, section 1.3).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use crate::value::Fault;

const HEADER: usize = 100;
const PENDING_BYTE: u64 = 0x4000_0000; // where SQLite takes its locks; the page that holds it is never used
const BUFFER: usize = 1 << 20;

#[derive(Debug)]
pub struct Store {
    file: File,
    pub page_size: usize,
    pub usable: usize,
    before: u32,
    next: u32,
    lock_page: u32,
    buffer: Vec<u8>,
    /// Where the buffer's first byte belongs in the file.
    at: u64,
    header: [u8; HEADER],
    done: bool,
}

impl Store {
    /// Open a database that nobody else has open.
    pub fn open(path: &std::path::Path) -> Result<Self, Fault> {
        let mut file = File::options().read(true).write(true).open(path)?;
        let mut header = [0; HEADER];
        file.read_exact(&mut header)?;
        let page_size = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65536,
            size => usize::from(size),
        };
        let usable = page_size.saturating_sub(usize::from(header[20]));
        let before = word(&header, 28);
        let length = file.metadata()?.len();
        let fit = header.starts_with(b"SQLite format 3\0")
            && page_size.is_power_of_two()
            && page_size >= 512
            && usable >= 480
            && header[18..20] == [1, 1] // no write-ahead log
            && word(&header, 24) == word(&header, 92) // so that the number of pages is right
            && length == u64::from(before) * page_size as u64
            && word(&header, 44) == 4 // integers 0 and 1 take no room
            && word(&header, 52) == 0 // no auto-vacuum, which would need pointer maps
            && word(&header, 56) == 1; // UTF-8
        if !fit || before == 0 {
            return Err(Fault::Unfit("the file is no SQLite database that pages can be added to".into()));
        }
        let lock_page = (PENDING_BYTE / page_size as u64) as u32 + 1;
        Ok(Self {
            file,
            page_size,
            usable,
            before,
            next: before + 1,
            lock_page,
            buffer: Vec::with_capacity(BUFFER + page_size),
            at: length,
            header,
            done: false,
        })
    }

    /// The number that the next page gets.
    pub fn next(&self) -> u32 {
        if self.next == self.lock_page {
            self.next + 1
        } else {
            self.next
        }
    }

    /// The number that the page after the next one gets.
    pub fn after_next(&self) -> u32 {
        let after = self.next() + 1;
        if after == self.lock_page {
            after + 1
        } else {
            after
        }
    }

    pub fn append(&mut self, page: &[u8]) -> Result<u32, Fault> {
        let number = self.next();
        if number >= u32::MAX - 2 {
            return Err(Fault::Unfit("the file has as many pages as SQLite can count".into()));
        }
        if number != self.next {
            self.buffer.resize(self.buffer.len() + self.page_size, 0);
        }
        self.next = number + 1;
        self.buffer.extend_from_slice(page);
        if self.buffer.len() >= BUFFER {
            self.flush()?;
        }
        Ok(number)
    }

    pub fn read(&mut self, number: u32) -> Result<Vec<u8>, Fault> {
        if number < 2 || number > self.before {
            return Err(Fault::Unfit(format!("there is no page {number}")));
        }
        let mut page = vec![0; self.page_size];
        self.file.seek(SeekFrom::Start(u64::from(number - 1) * self.page_size as u64))?;
        self.file.read_exact(&mut page)?;
        Ok(page)
    }

    /// Make the new pages part of the database: its root refers to them, its header counts them.
    pub fn commit(&mut self, root: u32, page: &[u8]) -> Result<(), Fault> {
        self.flush()?;
        self.file.seek(SeekFrom::Start(u64::from(root - 1) * self.page_size as u64))?;
        self.file.write_all(page)?;
        let counter = word(&self.header, 24).wrapping_add(1).to_be_bytes();
        self.header[24..28].copy_from_slice(&counter);
        self.header[92..96].copy_from_slice(&counter);
        self.header[28..32].copy_from_slice(&(self.next - 1).to_be_bytes());
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&self.header)?;
        self.done = true;
        Ok(())
    }

    /// Cut off what was appended.
    pub fn forget(&mut self) -> Result<(), Fault> {
        self.done = true;
        self.buffer.clear();
        self.file.set_len(u64::from(self.before) * self.page_size as u64)?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.file.seek(SeekFrom::Start(self.at))?;
        self.file.write_all(&self.buffer)?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if !self.done {
            let _ = self.forget(); // an error was told already
        }
    }
}

fn word(header: &[u8; HEADER], at: usize) -> u32 {
    u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}
