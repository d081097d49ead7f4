//! What liteshift does faster than Python: decode PostgreSQL's binary COPY, build SQLite's table pages, and compare all
//! rows of both sides.
//!
//! `liteshift.codec.values` is the definition of every value; this is its twin, and the same tests judge both. The pure
//! part knows no Python; `python.rs` and `verify.rs` do, and `unsafe` is only where C libraries are called: in `drain.rs`
//! and `sqlite.rs`.

pub mod decode;
pub mod digest;
pub mod encode;
pub mod gather;
pub mod load;
pub mod record;
pub mod store;
pub mod stream;
pub mod text;
pub mod tree;
pub mod value;
pub mod window;

#[cfg(feature = "python")]
mod drain;
#[cfg(feature = "python")]
mod follow;
#[cfg(feature = "python")]
mod python;
#[cfg(feature = "python")]
mod sqlite;
#[cfg(feature = "python")]
mod verify;
