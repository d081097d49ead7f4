//! Sorts more entries than memory holds: runs are sorted in memory, written to a file, and merged.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;

use crate::value::Fault;

const AHEAD: usize = 256 << 10; // bytes of a run in memory while it is merged

/// An entry in memory: the next bytes of its key, and where it lies.
#[derive(Clone, Copy, Debug)]
struct Entry {
    prefix: u128,
    at: usize,
}

/// Takes keys with what belongs to them, and gives them back in the keys' order; equal keys as they came.
#[derive(Debug)]
pub struct Sorter {
    /// Each entry as lengths of key and payload, key, payload.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    memory: usize,
    file: Option<File>,
    end: u64,
    runs: Vec<(u64, u64)>,
}

const HEAD: usize = 8;

impl Sorter {
    /// Args: bytes of memory to use, and a file that nobody else has for what is more.
    pub fn new(memory: usize, file: File) -> Self {
        Self { bytes: Vec::new(), entries: Vec::new(), memory, file: Some(file), end: 0, runs: Vec::new() }
    }

    pub fn push(&mut self, key: &[u8], payload: &[u8]) -> Result<(), Fault> {
        let more = HEAD + key.len() + payload.len() + size_of::<Entry>();
        if !self.entries.is_empty() && self.taken() + more > self.memory {
            self.spill()?;
        }
        let at = self.bytes.len();
        self.bytes.extend_from_slice(&(key.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(payload);
        self.entries.push(Entry { prefix: 0, at });
        Ok(())
    }

    fn taken(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<Entry>()
    }

    fn spill(&mut self) -> Result<(), Fault> {
        let mut entries = std::mem::take(&mut self.entries);
        order(&mut entries, &self.bytes, 0);
        let start = self.end;
        if let Some(file) = &mut self.file {
            let mut out = BufWriter::with_capacity(1 << 20, file);
            for entry in &entries {
                let whole = whole(&self.bytes, entry.at);
                out.write_all(whole)?;
                self.end += whole.len() as u64;
            }
            out.flush()?;
        }
        self.runs.push((start, self.end));
        self.bytes.clear();
        entries.clear();
        self.entries = entries;
        Ok(())
    }

    /// Call for every entry, with its key and its payload.
    pub fn each(mut self, mut call: impl FnMut(&[u8], &[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        if self.runs.is_empty() {
            order(&mut self.entries, &self.bytes, 0);
            for entry in &self.entries {
                let (key, payload) = parts(&self.bytes, entry.at);
                call(key, payload)?;
            }
            return Ok(());
        }
        if !self.entries.is_empty() {
            self.spill()?;
        }
        (self.bytes, self.entries) = (Vec::new(), Vec::new());
        let Some(file) = self.file.take() else { return Ok(()) };
        let ahead = (self.memory / self.runs.len()).clamp(4096, AHEAD);
        let mut heap = BinaryHeap::new();
        for (number, (from, to)) in self.runs.iter().enumerate() {
            let mut run = Run { number, bytes: Vec::new(), at: 0, from: *from, to: *to, ahead };
            if run.fill(&file)? {
                heap.push(run);
            }
        }
        while let Some(mut first) = heap.peek_mut() {
            let (key, payload) = parts(&first.bytes, first.at);
            call(key, payload)?;
            first.at += HEAD + key.len() + payload.len();
            if !first.fill(&file)? {
                std::collections::binary_heap::PeekMut::pop(first);
            }
        }
        Ok(())
    }
}

fn lengths(bytes: &[u8], at: usize) -> (usize, usize) {
    let four =
        |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |four| u32::from_le_bytes(*four));
    (four(at) as usize, four(at + 4) as usize)
}

fn parts(bytes: &[u8], at: usize) -> (&[u8], &[u8]) {
    let (key, payload) = lengths(bytes, at);
    bytes[at + HEAD..at + HEAD + key + payload].split_at(key)
}

fn whole(bytes: &[u8], at: usize) -> &[u8] {
    let (key, payload) = lengths(bytes, at);
    &bytes[at..at + HEAD + key + payload]
}

const WIDTH: usize = size_of::<u128>();

/// Sort entries whose keys are the same up to a depth: by the bytes that come next, then those that are still equal.
fn order(entries: &mut [Entry], bytes: &[u8], depth: usize) {
    for entry in entries.iter_mut() {
        let key = parts(bytes, entry.at).0.get(depth..).unwrap_or_default();
        let mut next = [0; WIDTH];
        let length = key.len().min(WIDTH);
        next[..length].copy_from_slice(&key[..length]);
        entry.prefix = u128::from_be_bytes(next);
    }
    entries.sort_by_key(|entry| entry.prefix); // a stable sort
    for equal in entries.chunk_by_mut(|one, other| one.prefix == other.prefix) {
        // A key ends so that no other begins with the whole of it: where one ends, all do, and are equal.
        if equal.len() > 1 && parts(bytes, equal[0].at).0.len() > depth + WIDTH {
            order(equal, bytes, depth + WIDTH);
        }
    }
}

/// A sorted run in the file, some of it in memory.
#[derive(Debug)]
struct Run {
    number: usize,
    bytes: Vec<u8>,
    at: usize,
    from: u64,
    to: u64,
    ahead: usize,
}

impl Run {
    /// See that its next entry is in memory; whether there is one.
    fn fill(&mut self, file: &File) -> Result<bool, Fault> {
        let mut wanted = HEAD;
        if self.bytes.len() >= self.at + HEAD {
            let (key, payload) = lengths(&self.bytes, self.at);
            wanted += key + payload;
            if self.bytes.len() >= self.at + wanted {
                return Ok(true);
            }
        }
        self.bytes.drain(..self.at);
        self.at = 0;
        while self.bytes.len() < wanted {
            let had = self.bytes.len();
            let more = (self.to - self.from).min(self.ahead.max(wanted - had) as u64) as usize;
            if more == 0 {
                return Ok(false);
            }
            self.bytes.resize(had + more, 0);
            file.read_exact_at(&mut self.bytes[had..], self.from)?;
            self.from += more as u64;
            let (key, payload) = lengths(&self.bytes, 0);
            wanted = HEAD + key + payload;
        }
        Ok(true)
    }

    fn key(&self) -> &[u8] {
        parts(&self.bytes, self.at).0
    }
}

/// The greatest, to the heap, is the one whose entry comes first.
impl Ord for Run {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(self.key()).then(other.number.cmp(&self.number))
    }
}

impl PartialOrd for Run {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Run {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Run {}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(memory: usize, keys: &[Vec<u8>]) -> Vec<(Vec<u8>, usize)> {
        let name = format!("liteshift-sort-{}-{memory}-{}", std::process::id(), keys.len());
        let path = std::env::temp_dir().join(name);
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut sorter = Sorter::new(memory, file);
        for (number, key) in keys.iter().enumerate() {
            sorter.push(key, &vec![7; number]).unwrap();
        }
        let mut found = Vec::new();
        sorter
            .each(|key, payload| {
                found.push((key.to_vec(), payload.len()));
                Ok(())
            })
            .unwrap();
        found
    }

    #[test]
    fn keys_come_in_order_and_equal_ones_as_they_came() {
        let keys: Vec<Vec<u8>> = (0..2000u32)
            .map(|number| {
                let mut key = vec![b'x'; (number * 7 % 90) as usize];
                key.extend_from_slice(&(number * 7919 % 97).to_be_bytes());
                key.extend_from_slice(&[0, 0]);
                key
            })
            .collect();
        let mut expected: Vec<(Vec<u8>, usize)> = keys.iter().cloned().zip(0..).collect();
        expected.sort_by(|one, other| one.0.cmp(&other.0));
        for memory in [1, 10_000, 300_000, 1 << 30] {
            assert_eq!(sorted(memory, &keys), expected, "{memory}");
        }
        assert!(sorted(1, &[]).is_empty());
    }
}
