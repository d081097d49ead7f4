//! COPY BINARY's framing (PostgreSQL manual, COPY, "Binary Format"): a header, rows, a trailer, cut anywhere.

use crate::value::{malformed, Fault};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
const HEADER: usize = SIGNATURE.len() + 8;

/// Where a field lies in its row's bytes; None for NULL.
pub type Field = Option<(usize, usize)>;

#[derive(Debug, PartialEq)]
enum State {
    Header,
    Rows,
    Done,
    /// One stream has ended, another may begin.
    Between,
}

/// Takes the stream in pieces of any size and gives whole rows.
#[derive(Debug)]
pub struct Framer {
    width: usize,
    state: State,
    carry: Vec<u8>,
    fields: Vec<Field>,
}

impl Framer {
    pub fn new(width: usize) -> Self {
        Self { width, state: State::Header, carry: Vec::new(), fields: Vec::with_capacity(width) }
    }

    /// The same, an earlier stream having ended.
    pub fn between(width: usize) -> Self {
        Self { state: State::Between, ..Self::new(width) }
    }

    /// Take the next piece; `each` is called with every row that it completes: all bytes, and where the fields lie.
    pub fn feed<F>(&mut self, piece: &[u8], mut each: F) -> Result<(), Fault>
    where
        F: FnMut(&[u8], &[Field]) -> Result<(), Fault>,
    {
        let carry = std::mem::take(&mut self.carry);
        if carry.is_empty() {
            let used = self.whole(piece, &mut each)?;
            self.carry.extend_from_slice(piece.get(used..).unwrap_or_default());
        } else {
            let mut joined = carry;
            joined.extend_from_slice(piece);
            let used = self.whole(&joined, &mut each)?;
            joined.drain(..used);
            self.carry = joined;
        }
        Ok(())
    }

    /// The stream has ended.
    pub fn finish(&self) -> Result<(), Fault> {
        if !matches!(self.state, State::Done | State::Between) || !self.carry.is_empty() {
            return malformed("the copy ended in the middle");
        }
        Ok(())
    }

    /// Where no stream is under way, none need come any more.
    pub fn rest(&mut self) -> Result<(), Fault> {
        if self.state == State::Header && self.carry.is_empty() {
            self.state = State::Between;
        }
        self.finish()
    }

    /// Where a stream has ended, let another follow.
    pub fn begin_again(&mut self) {
        if self.state == State::Done {
            self.state = State::Between;
        }
    }

    fn whole<F>(&mut self, data: &[u8], each: &mut F) -> Result<usize, Fault>
    where
        F: FnMut(&[u8], &[Field]) -> Result<(), Fault>,
    {
        let mut at = 0;
        if matches!(self.state, State::Header | State::Between) {
            match header(data)? {
                None => return Ok(0),
                Some(length) => at = length,
            }
            self.state = State::Rows;
        }
        while self.state == State::Rows {
            let Some(count) = int16(data, at) else { return Ok(at) };
            if count == -1 {
                at += 2;
                self.state = State::Done;
                break;
            }
            if usize::try_from(count) != Ok(self.width) {
                return malformed(format!("a row of {count} fields, where {} were asked for", self.width));
            }
            let Some(end) = self.locate(data, at + 2)? else { return Ok(at) };
            each(data, &self.fields)?;
            at = end;
        }
        if at < data.len() {
            return malformed("bytes after the copy's end");
        }
        Ok(at)
    }

    /// Find a row's fields; None where the row is not whole yet.
    fn locate(&mut self, data: &[u8], mut at: usize) -> Result<Option<usize>, Fault> {
        self.fields.clear();
        for _ in 0..self.width {
            let Some(length) = int32(data, at) else { return Ok(None) };
            at += 4;
            if length == -1 {
                self.fields.push(None);
                continue;
            }
            let Ok(length) = usize::try_from(length) else {
                return malformed(format!("a field of {length} bytes"));
            };
            if data.len() - at < length {
                return Ok(None);
            }
            self.fields.push(Some((at, at + length)));
            at += length;
        }
        Ok(Some(at))
    }
}

fn header(data: &[u8]) -> Result<Option<usize>, Fault> {
    let seen = data.len().min(SIGNATURE.len());
    if data[..seen] != SIGNATURE[..seen] {
        return malformed("no binary copy: its signature is missing");
    }
    let (Some(flags), Some(extension)) = (int32(data, SIGNATURE.len()), int32(data, SIGNATURE.len() + 4)) else {
        return Ok(None);
    };
    if flags != 0 || extension != 0 {
        return malformed("a binary copy with flags that nobody knows");
    }
    Ok(Some(HEADER))
}

fn int16(data: &[u8], at: usize) -> Option<i16> {
    let bytes = data.get(at..)?.first_chunk()?;
    Some(i16::from_be_bytes(*bytes))
}

fn int32(data: &[u8], at: usize) -> Option<i32> {
    let bytes = data.get(at..)?.first_chunk()?;
    Some(i32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Vec<u8> {
        let mut data = SIGNATURE.to_vec();
        data.extend([0; 8]);
        for text in [&b"a"[..], b"", b"ccc"] {
            data.extend(2i16.to_be_bytes());
            data.extend((text.len() as i32).to_be_bytes());
            data.extend(text);
            data.extend((-1i32).to_be_bytes());
        }
        data.extend((-1i16).to_be_bytes());
        data
    }

    fn rows(pieces: &[&[u8]]) -> Result<Vec<Vec<Option<Vec<u8>>>>, Fault> {
        let (mut framer, mut found) = (Framer::new(2), Vec::new());
        for piece in pieces {
            framer.feed(piece, |data, fields| {
                found.push(fields.iter().map(|f| f.map(|(from, to)| data[from..to].to_vec())).collect());
                Ok(())
            })?;
        }
        framer.finish()?;
        Ok(found)
    }

    #[test]
    fn a_stream_cut_anywhere_gives_the_same_rows() {
        let data = stream();
        let whole = rows(&[&data]).unwrap();
        assert_eq!(whole.len(), 3);
        for cut in 0..data.len() {
            assert_eq!(rows(&[&data[..cut], &data[cut..]]).unwrap(), whole);
        }
        let single: Vec<&[u8]> = data.chunks(1).collect();
        assert_eq!(rows(&single).unwrap(), whole);
    }

    #[test]
    fn a_stream_that_ends_early_or_late_is_an_error() {
        let data = stream();
        for end in 0..data.len() {
            assert!(rows(&[&data[..end]]).is_err());
        }
        assert!(rows(&[&data, b"x"]).is_err());
        assert!(rows(&[&[data.clone(), vec![0]].concat()]).is_err());
    }

    #[test]
    fn spoilt_bytes_are_an_error_or_other_rows_but_never_a_panic() {
        let data = stream();
        for at in 0..data.len() {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut spoilt = data.clone();
                spoilt[at] = byte;
                let _ = rows(&[&spoilt]);
            }
        }
    }
}
