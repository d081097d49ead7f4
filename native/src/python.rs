//! The module `liteshift_native`: the pure parts as Python sees them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{sync_channel, SyncSender};
use std::sync::Arc;
use std::thread::JoinHandle;

use pyo3::create_exception;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyFloat, PyInt, PyString, PyTuple};

use crate::decode::Kind;
use crate::load::{nobody, Decoder, Loader, Row};
use crate::store::Store;
use crate::tree::Tree;
use crate::value::{malformed, Fault, Value};

create_exception!(liteshift_native, Refused, PyValueError, "A value that the contract has no place for.");
create_exception!(liteshift_native, Disordered, PyValueError, "Too many rows came out of their key's order.");
create_exception!(liteshift_native, Unfit, PyValueError, "A file, or a form, that this builder does not serve.");

impl From<Fault> for PyErr {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(why) => Refused::new_err(why),
            Fault::Malformed(why) => PyValueError::new_err(why),
            Fault::Unfit(why) => Unfit::new_err(why),
            Fault::Disordered => Disordered::new_err(fault.to_string()),
            Fault::Io(error) => PyOSError::new_err((error.raw_os_error(), error.to_string())),
        }
    }
}

/// Columns' kinds, and what to ask for those that only the definition knows.
pub struct Forms {
    pub kinds: Vec<Kind>,
    pub definitions: Vec<Py<PyAny>>,
}

impl Forms {
    /// Each column is a form's name, or the definition's own `from_pg`, whose field comes as text and which bears a
    /// number, counted from `first` on.
    pub fn new(columns: &[Bound<'_, PyAny>], first: usize) -> PyResult<Self> {
        let (mut kinds, mut definitions) = (Vec::new(), Vec::new());
        for column in columns {
            if column.is_callable() {
                kinds.push(Kind::Python(first + definitions.len()));
                definitions.push(column.clone().unbind());
            } else {
                let form: String = column.extract()?;
                kinds
                    .push(Kind::of(&form).ok_or_else(|| Unfit::new_err(format!("the form {form} is not known here")))?);
            }
        }
        Ok(Self { kinds, definitions })
    }
}

/// Ask the definition; its refusals are refusals here, and any other error goes to the caller as it is.
pub fn ask(
    py: Python<'_>,
    definitions: &[Py<PyAny>],
    which: usize,
    text: &[u8],
    failed: &mut Option<PyErr>,
) -> Result<Value<'static>, Fault> {
    let answer = || -> PyResult<Value<'static>> {
        let text = std::str::from_utf8(text).map_err(|_| Refused::new_err("its text is not UTF-8"))?;
        let definition = definitions.get(which).ok_or_else(|| PyValueError::new_err("no definition"))?;
        stored(definition.bind(py).call1((text,))?)
    };
    answer().map_err(|error| {
        *failed = Some(error);
        Fault::Refused(String::new())
    })
}

fn stored(value: Bound<'_, PyAny>) -> PyResult<Value<'static>> {
    if value.is_none() {
        Ok(Value::Null)
    } else if let Ok(text) = value.cast::<PyString>() {
        Ok(Value::OwnText(text.to_str()?.as_bytes().to_vec()))
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        Ok(Value::OwnBlob(bytes.as_bytes().to_vec()))
    } else if value.cast::<PyInt>().is_ok() {
        Ok(Value::Int(value.extract()?))
    } else {
        Err(Unfit::new_err("a definition gave a value that this builder does not store"))
    }
}

pub fn shown<'py>(py: Python<'py>, value: &Value<'_>) -> PyResult<Bound<'py, PyAny>> {
    let text = |bytes: &[u8]| -> PyResult<Bound<'py, PyAny>> {
        Ok(PyString::new(py, std::str::from_utf8(bytes).map_err(|_| Refused::new_err("its text is not UTF-8"))?)
            .into_any())
    };
    match value {
        Value::Null => Ok(py.None().into_bound(py)),
        Value::Int(number) => Ok(number.into_pyobject(py)?.into_any()),
        Value::Real(number) | Value::Fraction(number) => Ok(PyFloat::new(py, *number).into_any()),
        Value::Made(made) => text(made.bytes()),
        Value::Text(bytes) => text(bytes),
        Value::OwnText(bytes) => text(bytes),
        Value::Blob(bytes) => Ok(PyBytes::new(py, bytes).into_any()),
        Value::OwnBlob(bytes) => Ok(PyBytes::new(py, bytes).into_any()),
    }
}

fn shown_rows<'py>(py: Python<'py>, rows: &[Row]) -> PyResult<Vec<Bound<'py, PyTuple>>> {
    rows.iter()
        .map(|row| PyTuple::new(py, row.iter().map(|value| shown(py, value)).collect::<PyResult<Vec<_>>>()?))
        .collect()
}

/// The rows of a whole binary COPY as SQLite would hold them.
#[pyfunction]
fn decode(py: Python<'_>, columns: Vec<Bound<'_, PyAny>>, data: &Bound<'_, PyBytes>) -> PyResult<Vec<Py<PyTuple>>> {
    let forms = Forms::new(&columns, 0)?;
    let (mut decoder, mut rows, mut failed) = (Decoder::new(forms.kinds), Vec::new(), None);
    let told = decoder.feed(
        data.as_bytes(),
        &mut |which, text| ask(py, &forms.definitions, which, text, &mut failed),
        &mut rows,
    );
    if let Some(error) = failed {
        return Err(error);
    }
    told?;
    decoder.finish()?;
    Ok(shown_rows(py, &rows)?.into_iter().map(Bound::unbind).collect())
}

/// Builds one table of a database file that nobody has open.
#[pyclass]
struct TableBuilder {
    work: Work,
    definitions: Vec<Py<PyAny>>,
}

enum Work {
    /// In the caller's thread, because definitions are asked, which needs Python's lock.
    Here(Box<Loader>),
    /// In a thread of its own, so that the next piece can be read meanwhile.
    There(Worker),
    Done,
}

struct Worker {
    pieces: SyncSender<PyBackedBytes>,
    thread: JoinHandle<Result<Box<Loader>, Fault>>,
    rows: Arc<AtomicU64>,
}

const AHEAD: usize = 4; // pieces that may wait for the worker

impl Worker {
    fn start(mut loader: Box<Loader>) -> std::io::Result<Self> {
        let (pieces, received) = sync_channel::<PyBackedBytes>(AHEAD);
        let rows = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&rows);
        let thread = std::thread::Builder::new().name("liteshift-native".into()).spawn(move || {
            for piece in received {
                count.store(loader.feed(&piece, &mut nobody)?, Ordering::Relaxed);
            }
            Ok(loader)
        })?;
        Ok(Self { pieces, thread, rows })
    }

    /// Let the worker finish what it was given; its table, or what went wrong.
    fn end(self) -> Result<Box<Loader>, Fault> {
        drop(self.pieces);
        self.thread.join().unwrap_or_else(|_| malformed("the builder failed"))
    }
}

impl TableBuilder {
    fn take(&mut self) -> Result<Box<Loader>, Fault> {
        match std::mem::replace(&mut self.work, Work::Done) {
            Work::Here(loader) => Ok(loader),
            Work::There(worker) => worker.end(),
            Work::Done => malformed("the table is finished"),
        }
    }
}

#[pymethods]
impl TableBuilder {
    /// Args: the file, the table's root page, its columns (a form's name, or a `from_pg`), and which one is the rowid.
    #[new]
    #[pyo3(signature = (path, root, columns, key=None))]
    fn new(path: PathBuf, root: u32, columns: Vec<Bound<'_, PyAny>>, key: Option<usize>) -> PyResult<Self> {
        let forms = Forms::new(&columns, 0)?;
        if key.is_some_and(|key| forms.kinds.get(key) != Some(&Kind::Integer)) {
            return Err(Unfit::new_err("the key is no integer"));
        }
        let tree = Tree::new(Store::open(&path)?, root)?;
        let loader = Box::new(Loader::new(tree, forms.kinds, key));
        let work = if forms.definitions.is_empty() {
            Work::There(Worker::start(loader).map_err(Fault::Io)?)
        } else {
            Work::Here(loader)
        };
        Ok(Self { work, definitions: forms.definitions })
    }

    /// Take the next piece of a binary COPY; how many rows have come so far. After an error, only `abandon`.
    fn feed(&mut self, py: Python<'_>, piece: PyBackedBytes) -> PyResult<u64> {
        match &mut self.work {
            Work::Done => Err(PyValueError::new_err("the table is finished")),
            Work::Here(loader) => {
                let (definitions, mut failed) = (&self.definitions, None);
                let told = loader.feed(&piece, &mut |which, text| ask(py, definitions, which, text, &mut failed));
                match failed {
                    Some(error) => Err(error),
                    None => Ok(told?),
                }
            }
            Work::There(worker) => {
                let (pieces, rows) = (&worker.pieces, &worker.rows);
                if py.detach(|| pieces.send(piece)).is_ok() {
                    return Ok(rows.load(Ordering::Relaxed));
                }
                match py.detach(|| self.take()) {
                    Ok(_) => Err(PyValueError::new_err("the builder ended early")),
                    Err(fault) => Err(fault.into()),
                }
            }
        }
    }

    /// Finish the table; how many rows came, and those out of order, which are still to be inserted.
    fn finish(&mut self, py: Python<'_>) -> PyResult<(u64, Vec<Py<PyTuple>>)> {
        let (rows, aside) = py.detach(|| self.take()?.finish())?;
        Ok((rows, shown_rows(py, &aside)?.into_iter().map(Bound::unbind).collect()))
    }

    /// Leave the file as it was.
    fn abandon(&mut self, py: Python<'_>) -> PyResult<()> {
        if matches!(self.work, Work::Done) {
            return Ok(());
        }
        // A worker that failed has dropped its table, and with it the pages.
        py.detach(|| self.take().map_or(Ok(()), |loader| loader.abandon()))?;
        Ok(())
    }
}

/// Whether a form is decoded here; the others take the definition's road.
#[pyfunction]
fn knows(form: &str) -> bool {
    Kind::of(form).is_some()
}

#[pymodule]
fn liteshift_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<TableBuilder>()?;
    module.add_function(wrap_pyfunction!(decode, module)?)?;
    module.add_function(wrap_pyfunction!(knows, module)?)?;
    module.add_function(wrap_pyfunction!(crate::drain::drain, module)?)?;
    module.add_class::<crate::verify::Digest>()?;
    module.add_function(wrap_pyfunction!(crate::verify::encodes, module)?)?;
    module.add_function(wrap_pyfunction!(crate::sqlite::sqlite_names, module)?)?;
    module.add_function(wrap_pyfunction!(crate::sqlite::offer, module)?)?;
    module.add_function(wrap_pyfunction!(crate::drain::tail, module)?)?;
    module.add_function(wrap_pyfunction!(crate::follow::read, module)?)?;
    module.add_class::<crate::follow::Gatherer>()?;
    for (name, exception) in [
        ("Refused", module.py().get_type::<Refused>()),
        ("Disordered", module.py().get_type::<Disordered>()),
        ("Unfit", module.py().get_type::<Unfit>()),
    ] {
        module.add(name, exception)?;
    }
    Ok(())
}
