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
    let (get, consume, free) = functions;
    if [connection, get, consume, free].contains(&0) {
        return Err(PyOSError::new_err("no connection to copy from"));
    }
    // SAFETY: the caller vouches that these are the addresses of the three functions, whose C signatures are part of
    // libpq's stable interface, and the library is never unloaded. They are not null.
    let libpq = unsafe {
        Libpq {
            connection,
            get_copy_data: std::mem::transmute::<
                usize,
                unsafe extern "C" fn(*mut c_void, *mut *mut c_char, c_int) -> c_int,
            >(get),
            consume_input: std::mem::transmute::<usize, unsafe extern "C" fn(*mut c_void) -> c_int>(consume),
            free: std::mem::transmute::<usize, unsafe extern "C" fn(*mut c_void)>(free),
            socket,
        }
    };
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

impl Libpq {
    fn fill(self, piece: &mut Vec<u8>, length: usize) -> Pause {
        let connection = self.connection as *mut c_void;
        let mut dry = 0;
        while piece.len() < length {
            let mut row: *mut c_char = std::ptr::null_mut();
            // SAFETY: the connection is alive and ours for the length of this call; `row` is where libpq puts a buffer.
            match unsafe { (self.get_copy_data)(connection, &raw mut row, 1) } {
                -1 => return Pause::Ended,
                0 => {
                    dry += 1;
                    // With TLS, bytes may wait inside the library while the socket is silent: ask thrice, then wait.
                    if dry > 3 {
                        dry = 0;
                        let mut wait = libc::pollfd { fd: self.socket, events: libc::POLLIN, revents: 0 };
                        // SAFETY: one pollfd, alive during the call.
                        if unsafe { libc::poll(&raw mut wait, 1, LOOK) } <= 0 {
                            return Pause::Idle;
                        }
                    }
                    // SAFETY: as above.
                    if unsafe { (self.consume_input)(connection) } != 1 {
                        return Pause::Broken;
                    }
                }
                size if size > 0 && !row.is_null() => {
                    dry = 0;
                    // SAFETY: libpq has put `size` bytes there, ours until freed.
                    piece.extend_from_slice(unsafe { std::slice::from_raw_parts(row.cast::<u8>(), size as usize) });
                    // SAFETY: PQgetCopyData's buffer is freed once, by PQfreemem.
                    unsafe { (self.free)(row.cast()) };
                }
                _ => return Pause::Broken,
            }
        }
        Pause::Full
    }
}
