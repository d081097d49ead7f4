//! What liteshift does faster than Python: decode PostgreSQL's binary COPY, and build SQLite's table pages.
//!
//! `liteshift.codec.values` is the definition of every value; this is its twin, and the same tests judge both. The pure
//! part knows no Python; `python.rs` is all that does, and the only place with `unsafe` is `drain.rs`.

pub mod decode;
pub mod load;
pub mod record;
pub mod store;
pub mod stream;
pub mod tree;
pub mod value;
pub mod window;

#[cfg(feature = "python")]
mod drain;
#[cfg(feature = "python")]
mod python;
