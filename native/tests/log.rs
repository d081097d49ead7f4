//! A server's log, spoilt, cut and mixed up, is an error or changes, and never a panic.

mod follower;
#[expect(dead_code, reason = "other tests use more of it")]
mod random;

use follower::{follow, Told};
use random::Random;

/// What a PostgreSQL has sent: see `tests/native/test_seeds.py`, which makes it.
const LOG: &[u8] = include_bytes!("../seeds/log/server");

/// The messages, each with its length.
fn messages() -> Vec<&'static [u8]> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < LOG.len() {
        let length = u32::from_be_bytes(LOG[at..at + 4].try_into().unwrap()) as usize;
        found.push(&LOG[at..at + 4 + length]);
        at += 4 + length;
    }
    found
}

#[test]
fn a_log_as_it_came() {
    let told = follow(LOG).unwrap();
    assert!(told.rows > 8 && told.events > 3 && told.transactions > 3, "{told:?}");
}

#[test]
fn spoilt_and_cut() {
    let mut random = Random(7);
    for _ in 0..60_000 {
        let mut data = LOG.to_vec();
        for _ in 0..=random.below(3) {
            let at = random.below(data.len() as u64) as usize;
            match random.below(4) {
                0 => data.truncate(at + 1),
                1 => data.insert(at, random.next() as u8),
                _ => data[at] = random.one_of(&[0, 1, 0x7f, 0x80, 0xfe, 0xff, b'n', b'u', b't', random.0 as u8]),
            }
        }
        let _ = follow(&data);
    }
}

#[test]
fn messages_in_any_order_and_each_cut_to_any_length_it_says() {
    let (messages, mut random) = (messages(), Random(11));
    for _ in 0..20_000 {
        let mut data = Vec::new();
        for _ in 0..random.below(30) {
            let message = messages[random.below(messages.len() as u64) as usize];
            let kept =
                if random.below(8) == 0 { random.below(message.len() as u64 - 3) as usize } else { message.len() - 4 };
            data.extend((kept as u32).to_be_bytes());
            data.extend(&message[4..4 + kept]);
        }
        let _ = follow(&data);
    }
    assert_eq!(follow(&[]).unwrap(), Told::default());
}
