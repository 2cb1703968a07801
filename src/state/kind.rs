//! The name under which a state is saved.

use std::fmt;

/// The stable name under which the state of an update rule, a metric or a callback is saved.
///
/// A saved state is loaded only into something of the same kind. The crate's own names are single words ("adam"); a
/// name of yours holds a full stop, so that it can never be one of the crate's:
///
/// ```
/// use plywood::io::Kind;
///
/// const KIND: Kind = Kind::own("my_crate.lion");
/// assert_eq!(KIND.name(), "my_crate.lion");
/// ```
///
/// In a constant, a name without a full stop is an error of the compiler:
///
/// ```compile_fail,E0080
/// const KIND: plywood::io::Kind = plywood::io::Kind::own("lion");
/// ```
///
/// Keep the name when the type is renamed, and give another one when the meaning of its state changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind(&'static str);

impl Kind {
    /// A kind of your own: a name with a full stop in it, such as the crate's name, a full stop, and the type's.
    ///
    /// # Panics
    /// Where the name has no full stop between other characters. Use it in a constant, where the compiler says so.
    pub const fn own(name: &'static str) -> Self {
        let (bytes, mut at, mut found) = (name.as_bytes(), 1, false);
        while at + 1 < bytes.len() {
            found |= bytes[at] == b'.';
            at += 1;
        }
        assert!(found, "a kind of your own has a full stop in its name: `Kind::own(\"my_crate.name\")`");
        Self(name)
    }

    /// One of the crate's kinds.
    pub(crate) const fn builtin(name: &'static str) -> Self {
        Self(name)
    }

    /// The name, as it stands in files.
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
