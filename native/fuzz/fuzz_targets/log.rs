//! Any bytes as a piece of a slot's log: changes or an error, never a crash, and every row whole.
#![no_main]

#[path = "../../tests/follower/mod.rs"]
mod follower;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|piece: &[u8]| {
    let _ = follower::follow(piece);
});
