//! The builders as Python sees them: the pages of a file, its tables, its indexes.

use std::fs::{remove_file, File};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{channel, sync_channel, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyTuple};

use crate::audit::audit;
use crate::decode::Kind;
use crate::fill::{fill, Index, Progress};
use crate::key::Part;
use crate::load::{nobody, Ended, Loader, Row};
use crate::mark::Mark;
use crate::pages::Pages as Shared;
use crate::python::{ask, shown_rows, Forms, Unfit};
use crate::record::{stored, Columns};
use crate::tree::Tree;
use crate::value::{malformed, Fault, Value};
use crate::window::Rows;

/// The pages of a database file that nobody else has open; several builders may work on it, each in its own thread.
#[pyclass(frozen)]
pub struct Pages {
    shared: Arc<Shared>,
}

/// An index's columns: each one's place in the table (None for the rowid), whether it descends, whether it is NOCASE.
type Parts = Vec<(Option<usize>, bool, bool)>;

const LOOK: Duration = Duration::from_millis(100);

#[pymethods]
impl Pages {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        Ok(Self { shared: py.detach(|| Shared::open(&path))? })
    }

    /// Open a file whose builder was killed: what these trees use stays, every other page is free.
    ///
    /// Args: roots of trees to keep, roots of trees to empty, pages whose whole subtrees stay.
    #[staticmethod]
    fn recover(py: Python<'_>, path: PathBuf, keep: Vec<u32>, empty: Vec<u32>, subtrees: Vec<u32>) -> PyResult<Self> {
        Ok(Self { shared: py.detach(|| Shared::recover(&path, &keep, &empty, &subtrees))? })
    }

    /// Begin to fill an empty table, or go on where a mark was made.
    ///
    /// Args: its root page, its columns (a form's name, or a `from_pg`), which one is the rowid, the mark.
    #[pyo3(signature = (root, columns, key=None, mark=None))]
    fn table(
        &self,
        root: u32,
        columns: Vec<Bound<'_, PyAny>>,
        key: Option<usize>,
        mark: Option<PyBackedBytes>,
    ) -> PyResult<TableBuilder> {
        let forms = Forms::new(&columns, 0)?;
        if key.is_some_and(|key| forms.kinds.get(key) != Some(&Kind::Integer)) {
            return Err(Unfit::new_err("the key is no integer"));
        }
        let mut mark = mark.map(|bytes| Mark::from_bytes(&bytes)).transpose()?;
        let stem = mark.as_mut().map(|mark| std::mem::take(&mut mark.stem)).unwrap_or_default();
        let tree = Tree::resume(Arc::clone(&self.shared), root, stem)?;
        TableBuilder::start(Loader::new(tree, forms.kinds, key, mark), forms.definitions)
    }

    /// Begin to build a part of a table, for its builder to join.
    ///
    /// Args: the columns and the rowid as above, and the number before the first row's, where rows are numbered.
    #[pyo3(signature = (columns, key, number))]
    fn part(&self, columns: Vec<Bound<'_, PyAny>>, key: Option<usize>, number: i64) -> PyResult<TableBuilder> {
        let forms = Forms::new(&columns, 0)?;
        let loader = Loader::part(Tree::part(Arc::clone(&self.shared)), forms.kinds, key, number);
        TableBuilder::start(loader, forms.definitions)
    }

    /// Fill an index, whatever it held; how many entries it has.
    ///
    /// Args: the roots of its table and its own, its columns, whether it is unique, bytes of memory to sort in, a
    /// folder for what is more, and what is told how many rows have passed.
    #[allow(clippy::too_many_arguments)] // each is one that Python names
    fn fill(
        &self,
        py: Python<'_>,
        table: u32,
        root: u32,
        parts: Parts,
        unique: bool,
        memory: usize,
        folder: PathBuf,
        tell: Bound<'_, PyAny>,
    ) -> PyResult<u64> {
        let (shared, index, file) = (Arc::clone(&self.shared), index(root, parts, unique), scratch(&folder)?);
        watched(py, &tell, move |progress| fill(&shared, table, &index, memory, file, progress))
    }

    /// What is wrong with an index; None where nothing is. The arguments are those of `fill`.
    fn audit(
        &self,
        py: Python<'_>,
        table: u32,
        root: u32,
        parts: Parts,
        unique: bool,
        tell: Bound<'_, PyAny>,
    ) -> PyResult<Option<String>> {
        let (shared, index) = (Arc::clone(&self.shared), index(root, parts, unique));
        watched(py, &tell, move |progress| audit(&shared, table, &index, progress))
    }

    /// Make what was written durable.
    fn sync(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.shared.sync())?)
    }

    /// Free what nobody uses, when no builder is left; SQLite may have the file again.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.shared.close())?)
    }
}

fn index(root: u32, parts: Parts, unique: bool) -> Index {
    let part = |(column, descending, nocase)| Part { column, descending, nocase };
    Index { root, parts: parts.into_iter().map(part).collect(), unique }
}

/// A file without a name.
fn scratch(folder: &Path) -> std::io::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let path = folder.join(format!("sort-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)));
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    remove_file(&path)?;
    Ok(file)
}

/// Run in a thread of its own, while the caller is told how it goes and hears signals.
fn watched<T: Send + 'static>(
    py: Python<'_>,
    tell: &Bound<'_, PyAny>,
    work: impl FnOnce(&Progress) -> Result<T, Fault> + Send + 'static,
) -> PyResult<T> {
    let progress = Arc::new(Progress::default());
    let (inner, (done, mut waiting)) = (Arc::clone(&progress), channel());
    let thread = std::thread::Builder::new()
        .name("liteshift-native".into())
        .spawn(move || done.send(work(&inner)).unwrap_or(()))
        .map_err(Fault::Io)?;
    let mut failed = None;
    loop {
        let (back, answer) = py.detach(move || {
            let answer = waiting.recv_timeout(LOOK);
            (waiting, answer)
        });
        waiting = back;
        match answer {
            Ok(answer) => {
                py.detach(|| thread.join()).map_err(|_| PyValueError::new_err("the builder failed"))?;
                return failed.map_or_else(|| Ok(answer?), Err);
            }
            Err(RecvTimeoutError::Disconnected) => return Err(PyValueError::new_err("the builder failed")),
            Err(RecvTimeoutError::Timeout) if failed.is_none() => {
                let rows = progress.rows.load(Ordering::Relaxed);
                if let Err(error) = py.check_signals().and_then(|()| tell.call1((rows,)).map(|_| ())) {
                    progress.stop.store(true, Ordering::Relaxed);
                    failed = Some(error);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// What a mark says: the pages that stay with all that is under them, how many rows had come, and the highest key.
#[pyfunction]
pub fn marked(mark: PyBackedBytes) -> PyResult<(Vec<u32>, u64, Option<i64>)> {
    let mark = Mark::from_bytes(&mark)?;
    let highest = mark.held.iter().map(|(rowid, _)| *rowid).chain(mark.stem.last).max();
    Ok((mark.stem.levels.into_iter().flatten().map(|(number, _)| number).collect(), mark.rows, highest))
}

/// The rows of such bytes as `TableBuilder.finish` gives.
///
/// Args: the bytes, and which column is the rowid.
#[pyfunction]
#[pyo3(signature = (bytes, key=None))]
pub fn unpack(py: Python<'_>, bytes: PyBackedBytes, key: Option<usize>) -> PyResult<Vec<Py<PyTuple>>> {
    let rows = values(&Mark::from_bytes(&bytes)?.aside, key)?;
    Ok(shown_rows(py, &rows)?.into_iter().map(Bound::unbind).collect())
}

/// Builds one table.
#[pyclass]
pub struct TableBuilder {
    work: Work,
    definitions: Vec<Py<PyAny>>,
}

enum Work {
    /// In the caller's thread, because definitions are asked, which needs Python's lock.
    Here(Box<Loader>),
    /// In a thread of its own, so that the next piece can be read meanwhile.
    There(Worker),
    /// It went wrong; the pages are still its own.
    Failed(Box<Loader>),
    /// A part that is ready to be joined.
    Ended(Box<Ended>),
    Done,
}

enum Order {
    Piece(PyBackedBytes),
    Join(Box<Ended>),
    Mark(Sender<Mark>),
}

struct Worker {
    orders: SyncSender<Order>,
    thread: JoinHandle<(Box<Loader>, Result<(), Fault>)>,
    rows: Arc<AtomicU64>,
}

const PACKED: usize = 1 << 20; // bytes
const AHEAD: usize = 4; // pieces that may wait for the worker

impl Worker {
    fn start(mut loader: Box<Loader>) -> std::io::Result<Self> {
        let (orders, received) = sync_channel(AHEAD);
        let rows = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&rows);
        let thread = std::thread::Builder::new().name("liteshift-native".into()).spawn(move || {
            let told = serve(&mut loader, received, &count);
            (loader, told)
        })?;
        Ok(Self { orders, thread, rows })
    }

    /// Let the worker finish what it was given; its table, and what went wrong.
    fn end(self) -> Result<(Box<Loader>, Result<(), Fault>), Fault> {
        drop(self.orders);
        self.thread.join().map_or_else(|_| malformed("the builder failed"), Ok)
    }
}

fn serve(loader: &mut Loader, orders: Receiver<Order>, rows: &AtomicU64) -> Result<(), Fault> {
    for order in orders {
        match order {
            Order::Piece(piece) => rows.store(loader.feed(&piece, &mut nobody)?, Ordering::Relaxed),
            Order::Join(part) => rows.store(loader.join(*part)?, Ordering::Relaxed),
            Order::Mark(answer) => answer.send(loader.mark()?).unwrap_or(()),
        }
    }
    Ok(())
}

impl TableBuilder {
    fn start(loader: Loader, definitions: Vec<Py<PyAny>>) -> PyResult<Self> {
        let loader = Box::new(loader);
        let work = if definitions.is_empty() {
            Work::There(Worker::start(loader).map_err(Fault::Io)?)
        } else {
            Work::Here(loader)
        };
        Ok(Self { work, definitions })
    }

    /// Its table, all that came being in its place.
    fn take(&mut self) -> Result<Box<Loader>, Fault> {
        match std::mem::replace(&mut self.work, Work::Done) {
            Work::Here(loader) => Ok(loader),
            Work::There(worker) => match worker.end()? {
                (loader, Ok(())) => Ok(loader),
                (loader, Err(fault)) => {
                    self.work = Work::Failed(loader);
                    Err(fault)
                }
            },
            other => {
                self.work = other;
                malformed("the table is finished")
            }
        }
    }

    /// The last that is done with a table; where that fails, its pages are still its own.
    fn complete<T>(&mut self, last: impl FnOnce(&mut Loader) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut loader = self.take()?;
        last(&mut loader).inspect_err(|_| self.work = Work::Failed(loader))
    }

    fn give_up(&mut self) {
        match std::mem::replace(&mut self.work, Work::Done) {
            Work::Here(mut loader) | Work::Failed(mut loader) => loader.abandon(),
            Work::There(worker) => {
                if let Ok((mut loader, _)) = worker.end() {
                    loader.abandon();
                }
            }
            Work::Ended(_) | Work::Done => {} // a part that nobody joins gives its pages back itself
        }
    }

    /// Why the worker takes no more.
    fn told(&mut self, py: Python<'_>) -> PyErr {
        match py.detach(|| self.take()) {
            Ok(_) => PyValueError::new_err("the builder ended early"),
            Err(fault) => fault.into(),
        }
    }
}

#[pymethods]
impl TableBuilder {
    /// Take the next piece of a binary COPY; how many rows have come so far. After an error, only `abandon`.
    fn feed(&mut self, py: Python<'_>, piece: PyBackedBytes) -> PyResult<u64> {
        match &mut self.work {
            Work::Here(loader) => {
                let (definitions, mut failed) = (&self.definitions, None);
                let told = loader.feed(&piece, &mut |which, text| ask(py, definitions, which, text, &mut failed));
                match failed {
                    Some(error) => Err(error),
                    None => Ok(told?),
                }
            }
            Work::There(worker) => {
                let (orders, rows) = (&worker.orders, &worker.rows);
                if py.detach(|| orders.send(Order::Piece(piece))).is_ok() {
                    return Ok(rows.load(Ordering::Relaxed));
                }
                Err(self.told(py))
            }
            _ => Err(PyValueError::new_err("the table is finished")),
        }
    }

    /// When a COPY has ended: write all its rows to the file; what another process needs to go on from there.
    fn mark(&mut self, py: Python<'_>) -> PyResult<Py<PyBytes>> {
        let mark = match &mut self.work {
            Work::Here(loader) => loader.mark()?,
            Work::There(worker) => {
                let orders = &worker.orders;
                let answer = py.detach(move || {
                    let (answer, waiting) = channel();
                    orders.send(Order::Mark(answer)).ok()?;
                    waiting.recv().ok()
                });
                match answer {
                    Some(mark) => mark,
                    None => return Err(self.told(py)),
                }
            }
            _ => return Err(PyValueError::new_err("the table is finished")),
        };
        let bytes = py.detach(|| mark.to_bytes());
        Ok(PyBytes::new(py, &bytes).unbind())
    }

    /// Finish the table; how many rows came, and those out of order, which are still to be inserted (see `unpack`).
    fn finish(&mut self, py: Python<'_>) -> PyResult<(u64, Vec<Py<PyBytes>>)> {
        let (rows, packed) = py.detach(|| {
            let (rows, mut aside) = self.complete(Loader::finish)?;
            let (mut packed, mut part, mut size) = (Vec::new(), Mark::default(), 0);
            for row in aside.drain(..) {
                size += row.1.len();
                part.aside.push(row);
                if size > PACKED {
                    packed.push(std::mem::take(&mut part).to_bytes());
                    size = 0;
                }
            }
            if !part.aside.is_empty() {
                packed.push(part.to_bytes());
            }
            Ok::<_, Fault>((rows, packed))
        })?;
        Ok((rows, packed.into_iter().map(|bytes| PyBytes::new(py, &bytes).unbind()).collect()))
    }

    /// When all rows of a part have come: write them; how many they are. From here on it can be joined.
    fn end(&mut self, py: Python<'_>) -> PyResult<u64> {
        let ended = py.detach(|| self.complete(Loader::end))?;
        let rows = ended.rows;
        self.work = Work::Ended(Box::new(ended));
        Ok(rows)
    }

    /// Put a part that has ended after all rows that came so far; after an error, only `abandon` both.
    fn join(&mut self, py: Python<'_>, mut part: PyRefMut<'_, Self>) -> PyResult<()> {
        let ended = match std::mem::replace(&mut part.work, Work::Done) {
            Work::Ended(ended) => ended,
            other => {
                part.work = other;
                return Err(PyValueError::new_err("the part has not ended"));
            }
        };
        match &mut self.work {
            Work::Here(loader) => Ok(py.detach(|| loader.join(*ended)).map(drop)?),
            Work::There(worker) => {
                let orders = &worker.orders;
                match py.detach(|| orders.send(Order::Join(ended))) {
                    Ok(()) => Ok(()),
                    Err(_) => Err(self.told(py)),
                }
            }
            _ => Err(PyValueError::new_err("the table is finished")),
        }
    }

    /// Leave the table empty, and its pages to others, when no record names them any more.
    fn abandon(&mut self, py: Python<'_>) {
        py.detach(|| self.give_up());
    }
}

/// Records as rows of values, the rowid in its column.
fn values(rows: &Rows, key: Option<usize>) -> Result<Vec<Row>, Fault> {
    let mut found = Vec::with_capacity(rows.len());
    for (rowid, record) in rows {
        let (mut columns, mut row) = (Columns::of(record)?, Row::new());
        while let Some((kind, field)) = columns.take()? {
            row.push(stored(kind, field).owned());
        }
        if let Some(place) = key.and_then(|at| row.get_mut(at)) {
            *place = Value::Int(*rowid);
        }
        found.push(row);
    }
    Ok(found)
}
