//! Limits over a whole file: how deep states may be nested, and how many values they may have in total.
//!
//! A level of nesting costs a hostile file three bytes, and the reader a stack frame. A value costs the file as little,
//! and the reader twenty times as much. So both are checked before anything is built from them.

use std::cell::Cell;

/// The maximum depth of nested states.
pub(crate) const MAX_DEPTH: usize = 8;

/// The maximum number of values of all states of a file together.
pub(crate) const MAX_VALUES: usize = 1 << 17;

#[derive(Clone, Copy)]
struct Reading {
    /// True while a file is being decoded. A state outside a file, for example from JSON, is counted separately.
    file: bool,
    depth: usize,
    values: usize,
}

thread_local! {
    static READING: Cell<Reading> = const { Cell::new(Reading { file: false, depth: 0, values: 0 }) };
}

/// Restores the previous limits on drop, even after a panic.
struct Before(Reading);

impl Drop for Before {
    fn drop(&mut self) {
        READING.set(self.0);
    }
}

/// Decodes a whole file; everything decoded inside it is counted together.
pub(super) fn in_file<T>(decode: impl FnOnce() -> T) -> T {
    let before = READING.get();
    let _before = (!before.file).then(|| {
        READING.set(Reading { file: true, depth: 0, values: 0 });
        Before(before)
    });
    decode()
}

/// Decodes a state, one level deeper than the current one.
pub(crate) fn in_state<T, E: serde::de::Error>(decode: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let reading = READING.get();
    if reading.depth == MAX_DEPTH {
        return Err(E::custom(format!("states nested more than {MAX_DEPTH} deep")));
    }
    let alone = reading.depth == 0 && !reading.file;
    READING.set(Reading {
        depth: reading.depth + 1,
        values: if alone { 0 } else { reading.values },
        ..reading
    });
    struct Up;
    impl Drop for Up {
        fn drop(&mut self) {
            let reading = READING.get();
            READING.set(Reading { depth: reading.depth - 1, ..reading });
        }
    }
    let _up = Up;
    decode()
}

/// Counts a value of a state.
pub(crate) fn count_value<E: serde::de::Error>() -> Result<(), E> {
    let reading = READING.get();
    if reading.values == MAX_VALUES {
        return Err(E::custom(format!("states of more than {MAX_VALUES} values")));
    }
    READING.set(Reading { values: reading.values + 1, ..reading });
    Ok(())
}
