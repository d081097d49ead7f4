//! What liteshift does faster than Python: decode PostgreSQL's binary COPY, build SQLite's table pages, and compare all
//! rows of both sides.
//!
//! `liteshift.codec.values` is the definition of every value; this is its twin, and the same tests judge both. The pure
//! part knows no Python; `python.rs`, `builder.rs` and `verify.rs` do, and `unsafe` is only where C libraries are called:
//! in `drain.rs` and `sqlite.rs`.

pub mod audit;
pub mod decode;
pub mod digest;
pub mod encode;
pub mod fill;
pub mod gather;
pub mod index;
pub mod key;
pub mod load;
pub mod mark;
pub mod pages;
pub mod place;
pub mod record;
pub mod scan;
pub mod sort;
pub mod stream;
pub mod text;
pub mod tree;
pub mod value;
pub mod walk;
pub mod window;

#[cfg(feature = "python")]
mod builder;
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
