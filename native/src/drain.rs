//! Empties a COPY out of libpq without a Python call per row.
//!
//! psycopg stays the one PostgreSQL client: it connects, starts the COPY and ends it. Between the two, its libpq is
//! asked for the rows here, by the very functions of the library that psycopg has loaded.

use std::ffi::{c_char, c_int, c_void};

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// `PQgetCopyData`, `PQconsumeInput`, `PQfreemem` and `PQsocket`, as libpq-fe.h declares them.
#[derive(Clone, Copy)]
struct Libpq {
    connection: usize,
    get_copy_data: unsafe extern "C" fn(*mut c_void, *mut *mut c_char, c_int) -> c_int,
    consume_input: unsafe extern "C" fn(*mut c_void) -> c_int,
    free: unsafe extern "C" fn(*mut c_void),
    socket: c_int,
}

#[derive(PartialEq)]
enum Pause {
    Full,
    /// Nothing has come for a while: time for Python to look at signals.
    Idle,
    /// PQgetCopyData's -1: the COPY has ended. Whether well, its result tells.
    Ended,
    Broken,
}

const LOOK: c_int = 100; // milliseconds
const LINGER: c_int = 1; // milliseconds

/// The next piece of the COPY that runs on a connection, at least so long unless it ends with it, and whether it does.
///
/// Args: psycopg's `pgconn_ptr`, the addresses of PQgetCopyData, PQconsumeInput and PQfreemem in the library that made
/// it, its socket, and a length. The caller vouches for the addresses and that nobody else uses the connection.
#[pyfunction]
pub fn drain(
    py: Python<'_>,
    connection: usize,
    functions: (usize, usize, usize),
    socket: c_int,
    length: usize,
) -> PyResult<(Py<PyBytes>, bool)> {
    let libpq = Libpq::new(connection, functions, socket)?;
    let mut piece = Vec::with_capacity(length + length / 8);
    loop {
        match py.detach(|| libpq.fill(&mut piece, length)) {
            end @ (Pause::Full | Pause::Ended) => {
                return Ok((PyBytes::new(py, &piece).unbind(), end == Pause::Ended));
            }
            Pause::Idle => py.check_signals()?,
            Pause::Broken => return Err(PyOSError::new_err("the connection broke")),
        }
    }
}

/// The next messages that the walsender on a connection has sent, each after its length in four bytes.
///
/// It returns at a keepalive, when nothing more is there, or after so many bytes; without any, after so many
/// milliseconds. Args: as `drain` has them.
///
/// Returns: the messages; a keepalive that came after them, as its position and whether it asks for an answer; and
/// whether the stream has ended.
#[pyfunction]
pub fn tail(
    py: Python<'_>,
    connection: usize,
    functions: (usize, usize, usize),
    socket: c_int,
    length: usize,
    milliseconds: c_int,
) -> PyResult<Piece> {
    let libpq = Libpq::new(connection, functions, socket)?;
    let mut heard = Heard::default();
    let ended = match py.detach(|| libpq.hear(&mut heard, length, milliseconds)) {
        Pause::Broken if heard.piece.is_empty() => return Err(PyOSError::new_err("the connection broke")),
        pause => pause == Pause::Ended,
    };
    Ok((PyBytes::new(py, &heard.piece).unbind(), heard.alive, ended))
}

type Piece = (Py<PyBytes>, Option<(u64, bool)>, bool);

#[derive(Default)]
struct Heard {
    piece: Vec<u8>,
    alive: Option<(u64, bool)>,
}

const HEADER: usize = 25; // of XLogData: its kind, two positions and a time

impl Heard {
    fn take(&mut self, message: &[u8]) {
        match message.first() {
            Some(b'w') if message.len() > HEADER => {
                let content = &message[HEADER..];
                self.piece.extend_from_slice(&(content.len() as u32).to_be_bytes());
                self.piece.extend_from_slice(content);
            }
            Some(b'k') => {
                if let Some((position, rest)) = message[1..].split_first_chunk::<8>() {
                    self.alive = Some((u64::from_be_bytes(*position), rest.last() == Some(&1)));
                }
            }
            _ => {}
        }
    }
}

/// What libpq answers when it is asked for the next row.
enum Next {
    Taken,
    Nothing,
    Ended,
    Broken,
}

impl Libpq {
    fn new(connection: usize, functions: (usize, usize, usize), socket: c_int) -> PyResult<Self> {
        let (get, consume, free) = functions;
        if [connection, get, consume, free].contains(&0) {
            return Err(PyOSError::new_err("no connection to copy from"));
        }
        // SAFETY: the caller vouches that these are the addresses of the three functions, whose C signatures are part
        // of libpq's stable interface, and the library is never unloaded. They are not null.
        Ok(unsafe {
            Self {
                connection,
                get_copy_data: std::mem::transmute::<
                    usize,
                    unsafe extern "C" fn(*mut c_void, *mut *mut c_char, c_int) -> c_int,
                >(get),
                consume_input: std::mem::transmute::<usize, unsafe extern "C" fn(*mut c_void) -> c_int>(consume),
                free: std::mem::transmute::<usize, unsafe extern "C" fn(*mut c_void)>(free),
                socket,
            }
        })
    }

    /// The next row that is there, if one is.
    fn next(self, take: impl FnOnce(&[u8])) -> Next {
        let mut row: *mut c_char = std::ptr::null_mut();
        // SAFETY: the connection is alive and ours for the length of this call; `row` is where libpq puts a buffer.
        match unsafe { (self.get_copy_data)(self.connection as *mut c_void, &raw mut row, 1) } {
            -1 => Next::Ended,
            0 => Next::Nothing,
            size if size > 0 && !row.is_null() => {
                // SAFETY: libpq has put `size` bytes there, ours until freed.
                take(unsafe { std::slice::from_raw_parts(row.cast::<u8>(), size as usize) });
                // SAFETY: PQgetCopyData's buffer is freed once, by PQfreemem.
                unsafe { (self.free)(row.cast()) };
                Next::Taken
            }
            _ => Next::Broken,
        }
    }

    /// Wait for bytes; whether some came, or the connection broke.
    fn wait(self, milliseconds: c_int) -> bool {
        let mut wait = libc::pollfd { fd: self.socket, events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd, alive during the call.
        unsafe { libc::poll(&raw mut wait, 1, milliseconds) > 0 }
    }

    /// Take bytes from the network; false where it is broken.
    fn consume(self) -> bool {
        // SAFETY: the connection is alive and ours for the length of this call.
        unsafe { (self.consume_input)(self.connection as *mut c_void) == 1 }
    }

    fn fill(self, piece: &mut Vec<u8>, length: usize) -> Pause {
        let mut dry = 0;
        while piece.len() < length {
            match self.next(|row| piece.extend_from_slice(row)) {
                Next::Taken => dry = 0,
                Next::Ended => return Pause::Ended,
                Next::Broken => return Pause::Broken,
                Next::Nothing => {
                    dry += 1;
                    // With TLS, bytes may wait inside the library while the socket is silent: ask thrice, then wait.
                    if dry > 3 {
                        dry = 0;
                        if !self.wait(LOOK) {
                            return Pause::Idle;
                        }
                    }
                    if !self.consume() {
                        return Pause::Broken;
                    }
                }
            }
        }
        Pause::Full
    }

    fn hear(self, heard: &mut Heard, length: usize, milliseconds: c_int) -> Pause {
        let mut dry = 0;
        while heard.piece.len() < length && heard.alive.is_none() {
            match self.next(|message| heard.take(message)) {
                Next::Taken => dry = 0,
                Next::Ended => return Pause::Ended,
                Next::Broken => return Pause::Broken,
                Next::Nothing => {
                    dry += 1;
                    // More may be on its way: a short wait makes few large pieces of many small ones.
                    let patience = if heard.piece.is_empty() { milliseconds } else { LINGER };
                    if dry > 3 && !self.wait(patience) {
                        return Pause::Idle;
                    }
                    if !self.consume() {
                        return Pause::Broken;
                    }
                }
            }
        }
        Pause::Full
    }
}
