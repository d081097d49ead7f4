//! The module `liteshift_native`: the pure parts as Python sees them.

use pyo3::create_exception;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyInt, PyString, PyTuple};

use crate::decode::Kind;
use crate::load::{Decoder, Row};
use crate::value::{Fault, Value};

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

pub fn shown_rows<'py>(py: Python<'py>, rows: &[Row]) -> PyResult<Vec<Bound<'py, PyTuple>>> {
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

/// Whether a form is decoded here; the others take the definition's road.
#[pyfunction]
fn knows(form: &str) -> bool {
    Kind::of(form).is_some()
}

#[pymodule]
fn liteshift_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("BUILD", 3)?; // as `liteshift.native` has it: raised with every change to what Python calls
    module.add_class::<crate::builder::Pages>()?;
    module.add_class::<crate::builder::TableBuilder>()?;
    module.add_function(wrap_pyfunction!(crate::builder::marked, module)?)?;
    module.add_function(wrap_pyfunction!(crate::builder::unpack, module)?)?;
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
