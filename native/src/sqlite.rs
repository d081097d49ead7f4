//! The SQL function `liteshift_digest(number, column, …)`: SQLite reads its own file, and hands every row over here.
//!
//! Which SQLite library serves is Python's choice, so its functions come as addresses, by the very library that Python's
//! connections use. `sqlite3_auto_extension` brings the function to each connection that is opened from then on.

use std::ffi::{c_char, c_int, c_void, CString};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::OnceLock;

use pyo3::prelude::*;

use crate::encode::Stored;
use crate::value::malformed;
use crate::verify::Work;

type Handle = *mut c_void; // a connection, a context, a value
type Begin = unsafe extern "C" fn(Handle, Handle, *const c_void) -> c_int;
type Step = unsafe extern "C" fn(Handle, c_int, *const Handle);
type Last = unsafe extern "C" fn(Handle);

/// Makes a struct of C functions of a table: what we call each, its name in the library, its signature there.
macro_rules! library {
    ($count:literal; $($function:ident = $name:literal: $signature:ty;)*) => {
        struct Library {
            $($function: $signature,)*
        }

        /// The functions that `offer` wants, in this order.
        const NAMES: [&str; $count] = [$($name),*];

        impl Library {
            /// # Safety
            ///
            /// The addresses are those of the functions of these names, none is null, and the library stays loaded.
            unsafe fn at(addresses: [usize; $count]) -> Self {
                let [$($function),*] = addresses;
                // SAFETY: the caller vouches for the addresses; the signatures are those of SQLite's stable interface.
                unsafe { Self { $($function: std::mem::transmute::<usize, $signature>($function),)* } }
            }
        }
    };
}

library! {
    10;
    auto_extension = "sqlite3_auto_extension": unsafe extern "C" fn(Begin) -> c_int;
    create_function = "sqlite3_create_function_v2":
        unsafe extern "C" fn(Handle, *const c_char, c_int, c_int, Handle, *const c_void, Step, Last, *const c_void) -> c_int;
    aggregate_context = "sqlite3_aggregate_context": unsafe extern "C" fn(Handle, c_int) -> *mut c_void;
    value_type = "sqlite3_value_type": unsafe extern "C" fn(Handle) -> c_int;
    value_int64 = "sqlite3_value_int64": unsafe extern "C" fn(Handle) -> i64;
    value_double = "sqlite3_value_double": unsafe extern "C" fn(Handle) -> f64;
    value_blob = "sqlite3_value_blob": unsafe extern "C" fn(Handle) -> *const c_void;
    value_bytes = "sqlite3_value_bytes": unsafe extern "C" fn(Handle) -> c_int;
    result_int64 = "sqlite3_result_int64": unsafe extern "C" fn(Handle, i64);
    result_error = "sqlite3_result_error": unsafe extern "C" fn(Handle, *const c_char, c_int);
}

static LIBRARY: OnceLock<([usize; NAMES.len()], Library)> = OnceLock::new();

const ANY_NUMBER: c_int = -1;
const UTF8_DIRECT_ONLY: c_int = 0x0000_0001 | 0x0008_0000; // no view or trigger of the file may call it
const OK: c_int = 0;

#[pyfunction]
pub fn sqlite_names() -> [&'static str; NAMES.len()] {
    NAMES
}

/// Offer the SQL function to every connection of a library that is opened from now on; whether the library agrees.
///
/// Args: where the library has the functions of `sqlite_names`. The caller vouches for the addresses.
#[pyfunction]
pub fn offer(addresses: [usize; NAMES.len()]) -> bool {
    if addresses.contains(&0) {
        return false;
    }
    let (known, library) = LIBRARY.get_or_init(|| {
        // SAFETY: the caller vouches that these are the functions of those names. None is null, and Python never unloads
        // the library of its connections.
        let library = unsafe { Library::at(addresses) };
        (addresses, library)
    });
    // SAFETY: `begin` has the signature of an extension's entry point, and lives as long as the process.
    *known == addresses && unsafe { (library.auto_extension)(begin) } == OK
}

/// An extension's entry point: SQLite calls it with each new connection.
unsafe extern "C" fn begin(connection: Handle, _message: Handle, _api: *const c_void) -> c_int {
    let Some((_, library)) = LIBRARY.get() else { return OK };
    let none = std::ptr::null();
    // SAFETY: SQLite gave the connection; the name ends with a zero; the two functions live as long as the process.
    unsafe {
        (library.create_function)(
            connection,
            c"liteshift_digest".as_ptr(),
            ANY_NUMBER,
            UTF8_DIRECT_ONLY,
            std::ptr::null_mut(),
            none,
            step,
            last,
            none,
        )
    }
}

/// SQLite calls it with every row.
unsafe extern "C" fn step(context: Handle, count: c_int, values: *const Handle) {
    let Some((_, library)) = LIBRARY.get() else { return };
    let told = catch_unwind(AssertUnwindSafe(|| {
        let Ok(count @ 1..) = usize::try_from(count) else { return malformed("no digest is named") };
        // SAFETY: SQLite gives so many values, alive during this call.
        let values = unsafe { std::slice::from_raw_parts(values, count) };
        let (number, columns) = (values[0], &values[1..]);
        // SAFETY: SQLite calls `step` in an aggregate only; the memory is zero at first, and ours until `last`.
        let place =
            unsafe { (library.aggregate_context)(context, size_of::<*mut Work>() as c_int) }.cast::<*mut Work>();
        if place.is_null() {
            return malformed("out of memory");
        }
        // SAFETY: SQLite's memory is aligned for a pointer and large enough for it.
        let work = unsafe { &mut *place };
        if work.is_null() {
            // SAFETY: a value of this call.
            let number = unsafe { (library.value_int64)(number) };
            *work = Box::into_raw(Box::new(Work::begin(number, columns.len())?));
        }
        // SAFETY: not null, so it is what the line above made for this statement; only `last` frees it.
        let work = unsafe { &mut **work };
        work.add(|at| columns.get(at).map_or(Stored::Null, |value| library.stored(*value)))
    }));
    let why = match told {
        Ok(Ok(())) => return,
        Ok(Err(fault)) => fault.to_string(),
        Err(_) => "the digest failed".into(),
    };
    library.fail(context, why);
}

/// SQLite calls it once after the rows, also where the statement has failed; a table without rows has no work.
unsafe extern "C" fn last(context: Handle) {
    let Some((_, library)) = LIBRARY.get() else { return };
    // SAFETY: as in `step`; with no size it only gives what `step` has taken.
    let place = unsafe { (library.aggregate_context)(context, 0) }.cast::<*mut Work>();
    let mut rows = 0;
    // SAFETY: as in `step`.
    if let Some(work) = unsafe { place.as_mut() }.filter(|work| !work.is_null()) {
        // SAFETY: `step` made it by `Box::into_raw`, and SQLite calls `last` once.
        let work = unsafe { Box::from_raw(std::mem::replace(work, std::ptr::null_mut())) };
        rows = catch_unwind(AssertUnwindSafe(|| work.end())).unwrap_or_default();
    }
    // SAFETY: SQLite gave the context.
    unsafe { (library.result_int64)(context, i64::try_from(rows).unwrap_or(i64::MAX)) };
}

impl Library {
    fn stored<'a>(&self, value: Handle) -> Stored<'a> {
        // SAFETY: a value that SQLite gave to `step`; its bytes are alive and unchanged during that call, and `Work::add`
        // keeps none of them. Of a text, in a database in UTF-8, `value_blob` gives the bytes as they are.
        unsafe {
            match (self.value_type)(value) {
                1 => Stored::Int((self.value_int64)(value)),
                2 => Stored::Real((self.value_double)(value)),
                kind @ (3 | 4) => {
                    let start = (self.value_blob)(value).cast::<u8>();
                    let length = usize::try_from((self.value_bytes)(value)).unwrap_or_default();
                    let bytes = if start.is_null() { &[] } else { std::slice::from_raw_parts(start, length) };
                    if kind == 3 {
                        Stored::Text(bytes)
                    } else {
                        Stored::Blob(bytes)
                    }
                }
                _ => Stored::Null,
            }
        }
    }

    fn fail(&self, context: Handle, why: String) {
        let why = CString::new(why).unwrap_or_default();
        // SAFETY: SQLite gave the context, and copies the text.
        unsafe { (self.result_error)(context, why.as_ptr(), -1) };
    }
}
