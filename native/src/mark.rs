//! A table half built, as bytes: what another process needs to go on, besides the pages that are in the file.

use crate::record::push_varint;
use crate::tree::Stem;
use crate::value::{malformed, Fault};
use crate::walk::varint;
use crate::window::Rows;

const SIGNATURE: &[u8] = b"liteshift mark 1\n";

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mark {
    pub stem: Stem,
    /// How many rows have come, those below among them.
    pub rows: u64,
    /// Rows that wait to get into order.
    pub held: Rows,
    /// Rows that came too late to be put in order.
    pub aside: Rows,
}

impl Mark {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = SIGNATURE.to_vec();
        push_varint(&mut out, self.rows);
        push_varint(&mut out, self.stem.rows);
        push_varint(&mut out, u64::from(self.stem.last.is_some()));
        push_varint(&mut out, self.stem.last.unwrap_or(0) as u64);
        push_varint(&mut out, self.stem.levels.len() as u64);
        for level in &self.stem.levels {
            push_varint(&mut out, level.len() as u64);
            for (number, largest) in level {
                push_varint(&mut out, u64::from(*number));
                push_varint(&mut out, *largest as u64);
            }
        }
        for rows in [&self.held, &self.aside] {
            push_varint(&mut out, rows.len() as u64);
            for (rowid, record) in rows {
                push_varint(&mut out, *rowid as u64);
                push_varint(&mut out, record.len() as u64);
                out.extend_from_slice(record);
            }
        }
        out
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        if !bytes.starts_with(SIGNATURE) {
            return malformed("no mark");
        }
        let mut from = Reader { bytes, at: SIGNATURE.len() };
        let rows = from.number()?;
        let mut stem = Stem { rows: from.number()?, ..Stem::default() };
        let known = from.number()? != 0;
        let last = from.number()? as i64;
        stem.last = known.then_some(last);
        for _ in 0..from.number()? {
            let mut level = Vec::new();
            for _ in 0..from.number()? {
                let number = u32::try_from(from.number()?).unwrap_or(0);
                level.push((number, from.number()? as i64));
            }
            stem.levels.push(level);
        }
        let (held, aside) = (from.rows()?, from.rows()?);
        if from.at != bytes.len() {
            return malformed("bytes after a mark's end");
        }
        Ok(Self { stem, rows, held, aside })
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn number(&mut self) -> Result<u64, Fault> {
        let (number, size) = varint(self.bytes, self.at)?;
        self.at += size;
        Ok(number)
    }

    fn rows(&mut self) -> Result<Rows, Fault> {
        let mut rows = Rows::new();
        for _ in 0..self.number()? {
            let rowid = self.number()? as i64;
            let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
            let Some(record) = self.bytes.get(self.at..self.at.saturating_add(length)) else {
                return malformed("a mark ends in the middle");
            };
            rows.push((rowid, record.to_vec()));
            self.at += length;
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_and_never_when_it_is_cut() {
        let mark = Mark {
            stem: Stem { levels: vec![vec![(7, -3), (8, i64::MAX)], vec![(9, i64::MIN)]], last: Some(-3), rows: 12 },
            rows: 15,
            held: vec![(4, b"record".to_vec()), (-4, Vec::new())],
            aside: vec![(1, vec![0; 300])],
        };
        let bytes = mark.to_bytes();
        assert_eq!(Mark::from_bytes(&bytes).unwrap(), mark);
        for end in 0..bytes.len() {
            assert!(Mark::from_bytes(&bytes[..end]).is_err());
        }
        assert!(Mark::from_bytes(&[bytes, vec![0]].concat()).is_err());
        assert_eq!(Mark::from_bytes(&Mark::default().to_bytes()).unwrap(), Mark::default());
    }
}
