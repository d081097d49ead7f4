//! The gatherer of a slot's log as Python sees it.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use crate::gather::{self, Item, Route, Table, Taken};
use crate::python::{ask, shown, Forms};
use crate::text;
use crate::value::Value;

#[pyclass]
#[derive(Default)]
pub struct Gatherer {
    inner: gather::Gatherer,
    /// What is asked for the columns of each table that only the definition reads.
    definitions: Vec<Py<PyAny>>,
}

#[pymethods]
impl Gatherer {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Take a table's changes from here on.
    ///
    /// Args: its oid in the log; its columns there (a form's name, a `from_pg`, or None for one that SQLite computes);
    /// those that find a row, none for the whole row; those whose texts to tell of every changed row.
    fn route(
        &mut self,
        oid: u32,
        columns: Vec<Option<Bound<'_, PyAny>>>,
        identity: Vec<usize>,
        touched: Vec<usize>,
    ) -> PyResult<()> {
        let known: Vec<_> = columns.iter().flatten().cloned().collect();
        let forms = Forms::new(&known, self.definitions.len())?;
        self.definitions.extend(forms.definitions);
        let mut kinds = forms.kinds.into_iter();
        let kinds: Vec<_> = columns.iter().map(|column| column.as_ref().and_then(|_| kinds.next())).collect();
        let stored = (0..kinds.len()).filter(|at| kinds[*at].is_some()).collect();
        if identity.iter().chain(&touched).any(|at| !matches!(kinds.get(*at), Some(Some(_)))) {
            return Err(pyo3::exceptions::PyValueError::new_err("a key of columns that are not stored"));
        }
        self.inner.routes.insert(oid, Route { kinds, stored, identity, touched });
        Ok(())
    }

    /// Leave a table's changes to Python from here on.
    fn leave(&mut self, oid: u32) {
        self.inner.routes.remove(&oid);
    }

    /// Whether a transaction has begun and not ended.
    #[getter]
    fn inside(&self) -> bool {
        self.inner.inside
    }

    /// Take messages from a place in a piece on: see `gather::Gatherer::take`.
    ///
    /// Returns: the items in their order, where to go on, how many rows were changed and how many transactions have
    /// ended; the end of the last of them, and when the last that began was committed, in microseconds since 2000; and
    /// whether it stopped at the limit. An item is a message for Python, or a table: its oid, its runs, and the touched
    /// texts. A run is `I`, `D`, or the tuple of the columns it sets, and its rows.
    #[pyo3(signature = (piece, at, limit=None))]
    fn take<'py>(
        &mut self,
        py: Python<'py>,
        piece: &Bound<'py, PyBytes>,
        at: usize,
        limit: Option<u64>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let (definitions, mut failed) = (&self.definitions, None);
        let taken = self
            .inner
            .take(piece.as_bytes(), at, limit, &mut |which, text| ask(py, definitions, which, text, &mut failed))?;
        told(py, &self.inner, taken)
    }
}

fn told<'py>(py: Python<'py>, gatherer: &gather::Gatherer, taken: Taken<'_>) -> PyResult<Bound<'py, PyTuple>> {
    let items = PyList::empty(py);
    for item in &taken.items {
        match item {
            Item::Event(message) => items.append(PyBytes::new(py, message))?,
            Item::Table(table) => {
                let width = gatherer.routes.get(&table.oid).map_or(0, |route| route.touched.len());
                items.append((table.oid, runs(py, table)?, keys(py, table, width)?))?;
            }
        }
    }
    (items, taken.at, taken.changes, taken.transactions, taken.end, taken.micros, taken.held).into_pyobject(py)
}

fn runs<'py>(py: Python<'py>, table: &Table<'_>) -> PyResult<Bound<'py, PyList>> {
    let made = PyList::empty(py);
    for run in table.runs.iter().filter(|run| run.count > 0) {
        let op = match run.kind {
            b'I' => PyString::intern(py, "I").into_any(),
            b'D' => PyString::intern(py, "D").into_any(),
            _ => PyTuple::new(py, &run.sent)?.into_any(),
        };
        let rows = PyList::empty(py);
        for row in run.values.chunks_exact((run.values.len() / run.count).max(1)) {
            rows.append(PyTuple::new(py, row.iter().map(Shown))?)?;
        }
        made.append((op, rows))?;
    }
    Ok(made)
}

struct Shown<'a>(&'a Value<'a>);

impl<'py> IntoPyObject<'py> for Shown<'_> {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        shown(py, self.0)
    }
}

/// The touched texts, without those that are no UTF-8.
fn keys<'py>(py: Python<'py>, table: &Table<'_>, width: usize) -> PyResult<Bound<'py, PyList>> {
    let made = PyList::empty(py);
    if width > 0 {
        for key in table.keys.chunks_exact(width) {
            made.append(PyTuple::new(
                py,
                key.iter().map(|text| text.and_then(|text| std::str::from_utf8(text).ok())),
            )?)?;
        }
    }
    Ok(made)
}

/// A text of PostgreSQL's as SQLite would hold it.
#[pyfunction]
pub fn read<'py>(py: Python<'py>, form: Bound<'py, PyAny>, field: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyAny>> {
    let forms = Forms::new(&[form], 0)?;
    let kind = forms.kinds.first().copied().ok_or_else(|| pyo3::exceptions::PyValueError::new_err("no form"))?;
    shown(py, &text::read(kind, field.as_bytes())?)
}
