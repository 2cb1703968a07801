//! Stores the numbers of tensors apart from the rest of a value.
//!
//! A saved file has two parts: a small one that describes the content, and one with nothing but numbers. So numbers go
//! from memory to disk and back without passing through serde, and a nested container does not copy its content. While
//! one of the calls below runs in a thread, a tensor is serialized as its shape alone, and the call decides where its
//! numbers go:
//!
//! | call | a tensor's numbers |
//! |---|---|
//! | [`measure`] | are counted |
//! | [`write`] | are written to a [`Sink`], in the order of serialization |
//! | [`read`] | are the next of a list that was read before |
//! | none | follow the shape, as bytes |
//!
//! `Serialize` has no argument for a sink, so the call puts its state on a thread-local stack, as
//! [`Registry`](crate::nn::Registry) does. A value is serialized twice, first to measure and then to write; the result
//! must be the same both times.

use super::{decode, encode};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::shown::count;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;

/// The number of numbers in a tensor, and the width of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Array {
    /// In numbers, not in bytes.
    pub count: u64,
    /// Bytes per number: 1 for bytes, 4 or 8.
    pub width: u8,
}

impl Array {
    /// The total number of bytes; `None` on overflow.
    pub fn bytes(self) -> Option<u64> {
        self.count.checked_mul(u64::from(self.width))
    }
}

/// The destination of numbers: a file, or memory.
pub(crate) trait Sink: Any {
    /// Appends these bytes.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Lets the caller of [`write`] get its own type back.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// The numbers of one tensor, a `Vec<f32>` or a `Vec<f64>`, or bytes in a `Vec<u8>`.
pub(crate) type Numbers = Box<dyn Any>;

/// A running call.
enum NumbersCall {
    Measure(Vec<Array>),
    /// The first failure is kept, because serde would pass on only its text.
    Write(Box<dyn Sink>, Option<io::Error>),
    Read(VecDeque<Numbers>),
}

thread_local! {
    /// The running calls of this thread, the innermost last.
    static CALLS: RefCell<Vec<NumbersCall>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` during this call, and returns the call's final state. The call is removed from the stack even after a
/// panic.
fn within<T>(call: NumbersCall, f: impl FnOnce() -> T) -> (T, NumbersCall) {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            if std::thread::panicking() {
                CALLS.with_borrow_mut(Vec::pop);
            }
        }
    }
    CALLS.with_borrow_mut(|calls| calls.push(call));
    let _leave = Leave;
    let result = f();
    let call = CALLS.with_borrow_mut(Vec::pop);
    (result, call.expect("the call that was pushed"))
}

/// Returns the bytes of a value without its tensors' numbers, and how many numbers each tensor has.
pub(crate) fn measure<T: Serialize>(value: &T) -> Result<(Vec<u8>, Vec<Array>)> {
    let (bytes, call) = within(NumbersCall::Measure(Vec::new()), || encode(value));
    let arrays = if let NumbersCall::Measure(arrays) = call { arrays } else { Vec::new() };
    Ok((bytes?, arrays))
}

/// Writes the numbers of all tensors of a value to the sink. An outer error comes from the value, an inner one from the
/// sink.
pub(crate) fn write<T: Serialize, S: Sink>(value: &T, sink: S) -> Result<io::Result<S>> {
    let (bytes, call) = within(NumbersCall::Write(Box::new(sink), None), || encode(value));
    match call {
        NumbersCall::Write(_, Some(error)) => Ok(Err(error)),
        NumbersCall::Write(sink, None) => {
            bytes?;
            Ok(Ok(*sink.into_any().downcast().expect("the sink that was given")))
        }
        _ => Err(Error::custom("the sink must be that of this call")),
    }
}

/// Decodes a value from these bytes, with the numbers of its tensors in order. All of them must be used.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8], numbers: VecDeque<Numbers>, what: &str) -> Result<T> {
    let (value, call) = within(NumbersCall::Read(numbers), || decode(bytes, what));
    match call {
        NumbersCall::Read(left) if value.is_ok() && !left.is_empty() => {
            let found = format!("{} too many", count(left.len(), "tensor", "tensors"));
            Err(Error::format(what, "be whole and undamaged", found).help("Save it again."))
        }
        _ => value,
    }
}

/// The number of numbers that are encoded at once: few enough to stay in a core's cache.
const SOME: usize = 1 << 16;

/// Passes a tensor's numbers to the running call. Returns false if no running call takes numbers.
pub(super) fn take<F: Scalar>(values: &[F]) -> io::Result<bool> {
    CALLS.with_borrow_mut(|calls| match calls.last_mut() {
        Some(NumbersCall::Measure(arrays)) => {
            arrays.push(Array { count: values.len() as u64, width: size_of::<F>() as u8 });
            Ok(true)
        }
        Some(NumbersCall::Write(sink, failed)) => {
            let mut bytes = Vec::new();
            for some in values.chunks(SOME) {
                bytes.clear();
                F::write_bytes(some, &mut bytes);
                put(&mut **sink, failed, &bytes)?;
            }
            Ok(true)
        }
        Some(NumbersCall::Read(_)) | None => Ok(false),
    })
}

/// [`take`] for bytes.
pub(super) fn take_bytes(bytes: &[u8]) -> io::Result<bool> {
    CALLS.with_borrow_mut(|calls| match calls.last_mut() {
        Some(NumbersCall::Measure(arrays)) => {
            arrays.push(Array { count: bytes.len() as u64, width: 1 });
            Ok(true)
        }
        Some(NumbersCall::Write(sink, failed)) => put(&mut **sink, failed, bytes).map(|()| true),
        Some(NumbersCall::Read(_)) | None => Ok(false),
    })
}

/// Writes bytes to the sink and keeps its first failure.
fn put(sink: &mut dyn Sink, failed: &mut Option<io::Error>, bytes: &[u8]) -> io::Result<()> {
    sink.put(bytes).map_err(|error| {
        let text = io::Error::other(error.to_string());
        failed.get_or_insert(error);
        text
    })
}

/// Returns whether the numbers of the tensors being decoded are stored apart.
pub(super) fn apart() -> bool {
    CALLS.with_borrow(|calls| matches!(calls.last(), Some(NumbersCall::Read(_))))
}

/// Returns the next tensor's numbers, or the next bytes. The error says what was found instead: nothing, or numbers of another count or
/// type.
pub(super) fn give<T: 'static>(count: Option<usize>) -> std::result::Result<Vec<T>, String> {
    let next = CALLS.with_borrow_mut(|calls| match calls.last_mut() {
        Some(NumbersCall::Read(numbers)) => numbers.pop_front(),
        _ => None,
    });
    match next.map(|next| next.downcast::<Vec<T>>()) {
        Some(Ok(next)) if Some(next.len()) == count => Ok(*next),
        Some(Ok(next)) => Err(format!("{} numbers", next.len())),
        Some(Err(_)) => Err("numbers of another type".to_owned()),
        None => Err("no numbers left".to_owned()),
    }
}
