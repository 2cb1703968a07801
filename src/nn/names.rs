//! Names of parameters in containers: the part's name, a full stop, and the layer's own name.

use std::cell::RefCell;
use std::fmt::{Display, Write};

thread_local! {
    /// Reusable buffers for names, because parameters are visited at every step. There are several if containers are
    /// nested.
    static NAMES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Takes a buffer for the names of a visit.
pub(in crate::nn) fn take() -> String {
    NAMES.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Returns a buffer for the next visit.
pub(in crate::nn) fn put(name: String) {
    NAMES.with_borrow_mut(|names| names.push(name));
}

/// Writes a parameter's full name.
pub(in crate::nn) fn write(full: &mut String, part: impl Display, name: &str) {
    full.clear();
    // Writing to a String cannot fail.
    let _ = write!(full, "{part}.{name}");
}
