//! A table whose parts were made apart has every row once, in order, and every page of the file is used once or free.

use std::fs::{remove_file, write};
use std::path::PathBuf;
use std::process::id;
use std::sync::Arc;

use liteshift_native::mark::Mark;
use liteshift_native::pages::{word, Pages};
use liteshift_native::place::{Part, Places};
use liteshift_native::scan::Scan;
use liteshift_native::tree::{Leaves, Tree};
use liteshift_native::value::Fault;
use liteshift_native::walk::{walk, Used};

#[expect(dead_code, reason = "other tests use more of it")]
mod random;
use random::Random;

const ROOT: u32 = 2;
const SIZES: [usize; 8] = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];

type Rows = Vec<(i64, Vec<u8>)>;

/// A database of one page for the schema and one empty table.
struct Base(PathBuf);

impl Base {
    fn new(name: &str, page_size: usize) -> Self {
        let mut bytes = vec![0; 2 * page_size];
        bytes[..16].copy_from_slice(b"SQLite format 3\0");
        bytes[16..18].copy_from_slice(&(page_size as u16 | u16::from(page_size == 65536)).to_be_bytes());
        bytes[18..24].copy_from_slice(&[1, 1, 0, 64, 32, 32]);
        for (at, number) in [(24, 1u32), (28, 2), (44, 4), (56, 1), (92, 1)] {
            bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
        }
        for at in [100, page_size] {
            bytes[at] = 0x0d;
            bytes[at + 5..at + 7].copy_from_slice(&(page_size as u16).to_be_bytes());
        }
        let path = std::env::temp_dir().join(format!("liteshift-parts-{name}-{}", id()));
        write(&path, bytes).unwrap();
        Self(path)
    }

    fn pages(&self) -> Arc<Pages> {
        Pages::open(&self.0).unwrap()
    }

    /// The rows, when the last builder has gone; no page may be lost.
    fn rows(&self, pages: &Arc<Pages>) -> Rows {
        pages.close().unwrap();
        let header = pages.read(1).unwrap();
        let count = word(&header, 28);
        let mut used = Used::new(count);
        walk(pages, 1, &mut used).unwrap();
        walk(pages, ROOT, &mut used).unwrap();
        let (mut trunk, mut free) = (word(&header, 32), Vec::new());
        while trunk != 0 {
            let page = pages.read(trunk).unwrap();
            free.push(trunk);
            free.extend((0..word(&page, 4) as usize).map(|at| word(&page, 8 + 4 * at)));
            trunk = word(&page, 0);
        }
        assert!(free.iter().all(|number| !used.has(*number)));
        assert_eq!(used.numbers().count() + free.len(), count as usize);
        let (mut scan, mut rows) = (Scan::new(pages, ROOT).unwrap(), Rows::new());
        while let Some((rowid, record)) = scan.step().unwrap() {
            rows.push((rowid, record.to_vec()));
        }
        rows
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        remove_file(&self.0).unwrap();
    }
}

fn record(random: &mut Random, longest: u64) -> Vec<u8> {
    let length = random.below(longest + 1) as usize;
    vec![random.next() as u8; length]
}

/// So many rows with rowids after one, most of them near each other.
fn some(random: &mut Random, count: u64, longest: u64, after: &mut i64) -> Rows {
    (0..count)
        .map(|_| {
            *after += random.one_of(&[1, 1, 1, 2, 1000]);
            (*after, record(random, longest))
        })
        .collect()
}

fn leaves(pages: &Arc<Pages>, rows: &Rows) -> Leaves {
    let mut tree = Tree::part(Arc::clone(pages));
    rows.iter().for_each(|(rowid, record)| tree.add(*rowid, record).unwrap());
    tree.leaves().unwrap()
}

#[test]
fn leaves_of_any_number_become_one_tree() {
    let mut random = Random(5);
    for turn in 0..600 {
        let page_size = SIZES[turn % SIZES.len()];
        let base = Base::new("leaves", page_size);
        let pages = base.pages();
        let longest = random.one_of(&[3, 40, page_size as u64 / 2, page_size as u64 * 3]);
        let (mut tree, mut all, mut after) = (Tree::new(Arc::clone(&pages), ROOT).unwrap(), Rows::new(), -50);
        for _ in 0..random.below(7) {
            let most = random.one_of(&[1, 2, 10, 400]);
            let count = random.below(most + 1);
            let rows = some(&mut random, count, longest, &mut after);
            match random.below(6) {
                0 => drop(leaves(&pages, &rows)),
                1 => {
                    rows.iter().for_each(|(rowid, record)| tree.add(*rowid, record).unwrap());
                    all.extend(rows);
                }
                _ => {
                    let part = leaves(&pages, &rows);
                    if random.below(4) == 0 {
                        drop(leaves(&pages, &some(&mut random, 30, longest, &mut 0)));
                    }
                    tree.join(part).unwrap();
                    all.extend(rows);
                }
            }
            if random.below(3) == 0 {
                let stem = tree.stem().unwrap();
                assert_eq!((stem.rows, stem.last), (all.len() as u64, all.last().map(|row| row.0)));
            }
        }
        if random.below(8) == 0 {
            tree.abandon();
            all.clear();
        } else {
            assert_eq!(tree.finish().unwrap(), all.len() as u64);
        }
        drop(tree);
        assert_eq!(base.rows(&pages), all, "turn {turn}");
    }
}

#[test]
fn leaves_below_what_is_there_are_refused_and_their_pages_free() {
    let base = Base::new("below", 512);
    let pages = base.pages();
    let mut random = Random(6);
    let mut tree = Tree::new(Arc::clone(&pages), ROOT).unwrap();
    let rows = some(&mut random, 200, 90, &mut 0);
    tree.join(leaves(&pages, &rows)).unwrap();
    let below = rows.last().unwrap().0;
    for first in [below, 1] {
        let mut part = vec![(first, vec![7; 50])];
        part.extend(some(&mut random, 200, 90, &mut first.clone()));
        let part = leaves(&pages, &part);
        assert!(matches!(tree.join(part), Err(Fault::Disordered)));
    }
    assert_eq!(tree.finish().unwrap(), 200);
    drop(tree);
    assert_eq!(base.rows(&pages), rows);
}

/// The rows of a heap cut into parts; each is larger than what a builder holds back.
fn parted(random: &mut Random, parts: usize) -> Vec<Rows> {
    let mut after = 0;
    (0..parts).map(|_| some(random, 4000, 6000, &mut after)).collect()
}

fn placed(pages: &Arc<Pages>, rows: &Rows) -> Part {
    let mut places = Places::part(Tree::part(Arc::clone(pages)));
    rows.iter().for_each(|(rowid, record)| places.put(*rowid, record).unwrap());
    places.end().unwrap()
}

/// Join the parts, going on from a mark now and then; the rows that are still to be inserted.
fn joined(pages: &Arc<Pages>, parts: &[Rows], marks: bool) -> Result<Rows, Fault> {
    let mut places = Places::new(Tree::new(Arc::clone(pages), ROOT)?, None);
    let told = (|| {
        for rows in parts {
            places.join(placed(pages, rows))?;
            if marks {
                let (stem, held, aside) = places.mark()?;
                let mark = Mark { stem: stem.clone(), rows: 0, held, aside };
                places = Places::new(Tree::resume(Arc::clone(pages), ROOT, stem)?, Some(mark));
            }
        }
        places.finish()
    })();
    if told.is_err() {
        places.tree.abandon();
    }
    told
}

fn judged(parts: &[Rows], marks: bool, late: usize) {
    let base = Base::new(if marks { "marks" } else { "placed" }, 4096);
    let pages = base.pages();
    let aside = joined(&pages, parts, marks).unwrap();
    assert_eq!(aside.len(), late);
    let mut found = base.rows(&pages);
    assert!(found.is_sorted_by(|one, other| one.0 < other.0));
    found.extend(aside);
    let mut all = parts.concat();
    found.sort();
    all.sort();
    assert!(found == all);
}

#[test]
fn parts_in_order_leave_no_row_aside() {
    let mut random = Random(7);
    judged(&parted(&mut random, 3), false, 0);
    judged(&parted(&mut random, 3), true, 0);
}

#[test]
fn rows_swapped_across_a_border_get_into_order() {
    let mut parts = parted(&mut Random(8), 4);
    for at in 0..3 {
        for row in 0..300 {
            let (one, other) = parts.split_at_mut(at + 1);
            std::mem::swap(&mut one[at][3700 + row], &mut other[0][row]);
        }
    }
    judged(&parts, false, 0);
    judged(&parts, true, 0);
}

#[test]
fn single_rows_far_from_their_place_are_kept() {
    let mut parts = parted(&mut Random(9), 3);
    let low = parts[0].remove(2000);
    parts[2].insert(3000, low); // far too late
    let low = parts[0].remove(1999);
    parts[2].insert(1600, low); // before its part has a leaf
    let high = parts[2].remove(1500);
    parts[0].insert(500, high); // far too early: it waits
    let middle = parts[1].remove(2000);
    parts[0].insert(1000, middle); // too early: its place is among leaves that are made
    parts.insert(1, Rows::new());
    let alone = parts[0].remove(2500);
    parts.insert(1, vec![alone]);
    judged(&parts, false, 5);
}

#[test]
fn parts_that_overlap_are_refused() {
    let base = Base::new("overlap", 4096);
    let pages = base.pages();
    let mut random = Random(10);
    let mut parts = parted(&mut random, 2);
    parts[1] = some(&mut random, 8000, 6000, &mut 1000);
    let below: Vec<i64> = parts[0].iter().map(|row| row.0).collect();
    parts[1].retain(|(rowid, _)| below.binary_search(rowid).is_err());
    assert!(matches!(joined(&pages, &parts, false), Err(Fault::Disordered)));
    assert!(base.rows(&pages).is_empty());
    assert_eq!(word(&pages.read(1).unwrap(), 28), 2);
}
