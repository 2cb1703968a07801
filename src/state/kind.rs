//! [`Kind`]: the name under which a state is saved.

use std::fmt;

/// The stable name under which a layer, or the state of an update rule, a metric or a callback, is
/// saved.
///
/// A saved state is loaded only into a value of the same kind. The crate's own names are single words ("adam"); your
/// names must contain a full stop, so that they never collide with the crate's:
///
/// ```
/// use plywood::io::Kind;
///
/// const KIND: Kind = Kind::own("my_crate.lion");
/// assert_eq!(KIND.name(), "my_crate.lion");
/// ```
///
/// In a constant, a name without a full stop is a compile-time error. (In a constant of a generic implementation or
/// function, `cargo build` reports it and `cargo check` does not.)
///
/// ```compile_fail,E0080
/// const KIND: plywood::io::Kind = plywood::io::Kind::own("lion");
/// ```
///
/// Keep the name when you rename the type, and change it when the meaning of its state changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind(&'static str);

impl Kind {
    /// Returns a custom kind. Its name must contain a full stop, for example between the crate's name and the type's.
    ///
    /// # Panics
    /// If the name has no full stop between other characters. In a constant this is a compile-time error.
    pub const fn own(name: &'static str) -> Self {
        let (bytes, mut at, mut found) = (name.as_bytes(), 1, false);
        while at + 1 < bytes.len() {
            found |= bytes[at] == b'.';
            at += 1;
        }
        assert!(found, "a kind of your own has a full stop in its name: `Kind::own(\"my_crate.name\")`");
        Self(name)
    }

    /// Returns one of the crate's kinds.
    pub(crate) const fn builtin(name: &'static str) -> Self {
        Self(name)
    }

    /// Returns the name, as stored in files.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// The name.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
