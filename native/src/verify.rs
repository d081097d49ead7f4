//! A table's digest as Python sees it: fed with a COPY from the source, and by SQLite with the target's rows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyFloat, PyString};

use crate::digest::{Shape, Source, Sum, Target};
use crate::encode::{Form, Stored};
use crate::value::{malformed, Fault};

/// What SQLite's side needs, from whatever thread it runs in.
#[derive(Debug)]
pub struct Shared {
    shape: Shape,
    definitions: Vec<Py<PyAny>>,
    target: Mutex<Sum>,
    ended: AtomicBool,
}

static LAST: AtomicI64 = AtomicI64::new(0);
/// SQL can hand no object to a function, so it says a number.
static DIGESTS: Mutex<BTreeMap<i64, Arc<Shared>>> = Mutex::new(BTreeMap::new());

fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner) // sums and a map: no panic leaves them half changed
}

/// One run of the SQL function: the rows of one statement.
#[derive(Debug)]
pub struct Work {
    shared: Arc<Shared>,
    target: Target,
}

impl Work {
    pub fn begin(number: i64, columns: usize) -> Result<Self, Fault> {
        let shared = locked(&DIGESTS).get(&number).cloned();
        match shared {
            Some(shared) if shared.shape.width() == columns => {
                Ok(Self { target: Target::new(shared.shape.clone()), shared })
            }
            _ => malformed("no such digest"),
        }
    }

    pub fn add<'a>(&mut self, value: impl FnMut(usize) -> Stored<'a>) -> Result<(), Fault> {
        if self.shared.ended.load(Ordering::Relaxed) {
            return malformed("the digest was ended");
        }
        let definitions = &self.shared.definitions;
        let told = self.target.add(value, &mut |which, value| ask(definitions, which, value));
        if told.is_err() {
            self.shared.ended.store(true, Ordering::Relaxed);
        }
        told
    }

    /// How many rows there were.
    pub fn end(self) -> u64 {
        let sum = self.target.sum();
        locked(&self.shared.target).merge(sum);
        sum.rows
    }
}

/// Whatever the definition's error is, it will be met again on the definition's road.
fn ask(definitions: &[Py<PyAny>], which: usize, value: Stored<'_>) -> Result<String, Fault> {
    let answer = Python::attach(|py| -> PyResult<Option<String>> {
        let value = match value {
            Stored::Null => py.None().into_bound(py),
            Stored::Int(number) => number.into_pyobject(py)?.into_any(),
            Stored::Real(number) => PyFloat::new(py, number).into_any(),
            Stored::Text(text) => PyString::from_bytes(py, text)?.into_any(),
            Stored::Blob(bytes) => PyBytes::new(py, bytes).into_any(),
        };
        definitions.get(which).map(|definition| definition.bind(py).call1((value,))?.extract()).transpose()
    });
    match answer {
        Ok(Some(text)) => Ok(text),
        _ => malformed("a value that its form never stores"),
    }
}

/// The digest of one table, for one comparison.
#[pyclass(frozen)]
pub struct Digest {
    #[pyo3(get)]
    number: i64,
    source: Mutex<Source>,
    shared: Arc<Shared>,
}

#[pymethods]
impl Digest {
    /// Args: each column's form by its name, or the definition's own `to_pg` where it is not known here.
    #[new]
    fn new(columns: Vec<Bound<'_, PyAny>>) -> PyResult<Self> {
        let (mut forms, mut definitions) = (Vec::new(), Vec::new());
        for column in columns {
            if column.is_callable() {
                forms.push(Form::Python(definitions.len()));
                definitions.push(column.unbind());
            } else {
                let name: String = column.extract()?;
                forms.push(Form::of(&name).ok_or(Fault::Unfit(format!("the form {name} is not known here")))?);
            }
        }
        let shape = Shape::new(forms);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let source = Mutex::new(Source::new(shape.clone()));
        let shared = Arc::new(Shared { shape, definitions, target: Mutex::default(), ended: AtomicBool::new(false) });
        locked(&DIGESTS).insert(number, Arc::clone(&shared));
        Ok(Self { number, source, shared })
    }

    /// Take the next piece of the source's COPY; how many rows have come so far.
    #[expect(clippy::needless_pass_by_value, reason = "Python's arguments come so")]
    fn feed(&self, py: Python<'_>, piece: PyBackedBytes) -> PyResult<u64> {
        Ok(py.detach(|| locked(&self.source).feed(&piece))?)
    }

    /// The source's COPY has ended, and so has the target's statement: the rows of each, and whether all are equal.
    fn finish(&self) -> PyResult<(u64, u64, bool)> {
        let (source, target) = (locked(&self.source).finish()?, *locked(&self.shared.target));
        Ok((source.rows, target.rows, source == target && !self.ended()))
    }

    /// Let the target's statement fail at its next row.
    fn end(&self) {
        self.shared.ended.store(true, Ordering::Relaxed);
    }

    /// Whether it was ended: by `end`, or by a value that its form never stores.
    #[getter]
    fn ended(&self) -> bool {
        self.shared.ended.load(Ordering::Relaxed)
    }
}

impl Drop for Digest {
    fn drop(&mut self) {
        locked(&DIGESTS).remove(&self.number);
    }
}

/// Whether a form is encoded here; the others take the definition's road.
#[pyfunction]
pub fn encodes(form: &str) -> bool {
    Form::of(form).is_some()
}
