//! The requirements for any bytes given as a file: an error, or something that works, in little memory.
//!
//! The tests and the fuzzer (fuzz/) call the same functions. The program must use [`Meter`] as its allocator.

pub mod file;
#[cfg(feature = "images")]
pub mod images;
pub mod kinds;
pub mod meter;
pub mod predictors;
pub mod run;
#[cfg(feature = "csv")]
pub mod tables;

pub use meter::Meter;
use meter::peak;
use plywood::Scalar;
use plywood::data::{IdxStream, idx};
use plywood::io::StateDict;
use plywood::prelude::*;
use std::io::Write;
use std::path::Path;

/// Returns the most memory that reading a file of this size may take.
pub fn bound(bytes: usize) -> usize {
    2 * bytes + (64 << 20)
}

/// The limit for unpacking compressed tables here. It is small, so that the memory bound holds for the unpacked data.
#[cfg(feature = "csv")]
const UNPACKED: usize = 1 << 20;

/// Runs `read`, and panics if it takes too much memory.
fn bounded<T>(bytes: usize, read: impl FnOnce() -> T) -> T {
    let (result, most) = peak(read);
    assert!(most <= bound(bytes), "{most} bytes of memory for {bytes} of a file");
    result
}

/// Loads, prints and uses a model's file.
pub fn model(bytes: &[u8]) {
    model_of::<f32>(bytes);
    model_of::<f64>(bytes);
    let _ = bounded(bytes.len(), || Metadata::read_from(bytes));
}

fn model_of<F: Scalar>(bytes: &[u8]) {
    let registry = Registry::<F>::builtin();
    let known = bounded(bytes.len(), || Sequential::from_bytes(bytes, &registry));
    let streamed = bounded(bytes.len(), || Sequential::read_from(bytes, &registry));
    assert_eq!(known.is_ok(), streamed.is_ok(), "a slice and a reader of the same bytes");
    let Ok(model) = known else { return };
    let summary = bounded(bytes.len(), || model.to_string());
    // A loaded model can be saved and loaded again.
    let saved = model.to_bytes().expect("a model that was loaded");
    let again = Sequential::from_bytes(&saved, &registry).expect("a model that was saved");
    assert_eq!(again.to_bytes().expect("the same"), saved);
    let weights = model.weights_to_bytes().expect("weights into memory");
    let unlike = |text: String| assert!(text.contains("the state dict must"), "{text}");
    let dict = StateDict::from_bytes(&weights).expect("weights that were written");
    let _ = again.clone().load_state_dict(&dict).map_err(|error| unlike(error.to_string()));
    // Inputs of other shapes are refused before anything is allocated.
    let axes = 1 + model.input_shape().len();
    for shape in [vec![1], vec![1; axes], vec![2; axes], vec![1; axes + 1]] {
        if shape[1..] != *model.input_shape() {
            let input = ndarray::ArrayD::from_elem(shape, F::one());
            assert!(bounded(bytes.len(), || model.predict(&input)).is_err(), "an input of another shape");
        }
    }
    // A model with large outputs needs the memory for them (docs/saving.md); other models stay within the bound.
    let shape = [&[2], model.input_shape()].concat();
    let possible = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
    if possible.is_some_and(|n| n <= MOST_NUMBERS) && most_numbers(&summary) <= MOST_NUMBERS {
        let input = ndarray::ArrayD::from_elem(shape, F::one());
        let _ = bounded(bytes.len(), || model.predict(&input));
    }
}

/// A batch of two samples of ones for each input.
fn ones<F: Scalar>(model: &dyn Model<F>) -> Vec<Option<Tensor<F>>> {
    let shape = |port: &plywood::nn::Port| [&[2], port.shape()].concat();
    model.inputs().iter().map(|port| Some(Tensor::from_elem(shape(port), F::one()))).collect()
}

/// Loads, prints, runs and trains a model of any kind, if its values are small enough for the memory bound.
pub fn any_model<F: Scalar>(bytes: &[u8]) -> bool {
    let registry = Registry::<F>::builtin();
    let Ok(mut model) = bounded(bytes.len(), || registry.from_bytes(bytes)) else { return false };
    let summary = bounded(bytes.len(), || model.to_string());
    let saved = model.to_bytes().expect("a model that was loaded");
    let again = registry.from_bytes(&saved).expect("a model that was saved");
    assert_eq!(again.to_bytes().expect("the same"), saved);
    if most_numbers(&summary) > MOST_NUMBERS {
        return true;
    }
    let count = model.outputs().len();
    bounded(bytes.len(), || {
        let mut views: Vec<_> = ones(&*model).into_iter().flatten().map(|x| Some(x.into())).collect();
        let mut outputs: Vec<_> = (0..count).map(|_| None).collect();
        let inferred = model.infer(&mut views, &vec![false; count], &mut outputs);
        let mut outputs: Vec<Option<Tensor<F>>> = (0..count).map(|_| None).collect();
        for logits in [false, true] {
            let (mut taken, mut at) = (ones(&*model), ones(&*model));
            if let Ok(cache) = model.train(&mut taken, &vec![logits; count], &mut outputs) {
                let _ = model.learn(cache, &mut outputs);
            }
            let mut taken = ones(&*model);
            if let Ok(cache) = model.eval(&mut taken, &vec![logits; count], &mut outputs) {
                let _ = model.input_gradients(cache, &mut outputs, &mut at);
            }
        }
        drop(inferred);
    });
    true
}

/// The largest number of elements in an output for which `predict` stays within the bound.
const MOST_NUMBERS: usize = 1 << 16;

/// Returns the number of elements of the largest output in a summary.
fn most_numbers(summary: &str) -> usize {
    let shapes = summary.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
    let numbers = shapes.map(|(shape, _)| {
        shape.split(", ").try_fold(1usize, |product, n| product.checked_mul(n.parse().unwrap_or(1)))
    });
    numbers.map(|product| product.unwrap_or(usize::MAX)).max().unwrap_or(0)
}

/// Checks a checkpoint; `path` is where it is written. If it cannot be resumed, model and trainer stay unchanged. If it
/// can, training continues or returns an error.
pub fn checkpoint(bytes: &[u8], path: &Path) {
    std::fs::write(path, bytes).expect("a file to write");
    let _ = bounded(bytes.len(), || Sequential::from_bytes(bytes, &Registry::<f32>::builtin()));
    let (mut model, mut trainer) = run::begun(3);
    let before = model.to_bytes().expect("a model");
    match bounded(bytes.len(), || trainer.resume(&mut model, path)) {
        Ok(_) => drop(trainer.fit(&mut model, &run::data())),
        Err(_) => {
            assert_eq!(model.to_bytes().expect("a model"), before);
            trainer.fit(&mut model, &run::data()).expect("training from the beginning");
        }
    }
}

/// Checks a state dict.
pub fn safetensors(bytes: &[u8]) {
    let Ok(dict) = bounded(bytes.len(), || StateDict::from_bytes(bytes)) else { return };
    let names: Vec<&str> = dict.names().collect();
    for name in &names {
        let tensor: Option<Tensor<f32>> = bounded(bytes.len(), || dict.tensor(name));
        assert!(tensor.is_none_or(|tensor| Some(tensor.shape()) == dict.shape(name)));
    }
    let _ = format!("{dict:?}");
    let block = Sequential::block().layer(Dense::units(2)).layer(BatchNorm::new());
    let mut model = Sequential::builder([2, 4, 4])
        .layer(Conv2d::filters(2, 3))
        .layer(Flatten)
        .layer(Residual::around(Sequential::block().layer(Dense::units(8))))
        .layer(block)
        .build()
        .expect("a network");
    let report = bounded(bytes.len(), || model.load_matching(&dict));
    let strict = bounded(bytes.len(), || model.load_state_dict(&dict));
    assert_eq!(report.is_empty(), strict.is_ok());
    assert!(model.predict(&ndarray::Array4::<f32>::ones((2, 2, 4, 4))).is_ok());
    let renamed = dict.clone().rename(|name| name.chars().rev().collect());
    let _ = model.load_matching(&renamed).to_string();
}

/// Checks an IDX file, which may be compressed.
pub fn idx(bytes: &[u8]) {
    let array = bounded(bytes.len(), || idx::read_from(bytes, "a test"));
    if let Ok(array) = array {
        assert!(array.shape().iter().product::<usize>() <= idx::MAX_BYTES as usize);
        let _ = array.clone().into_labels();
        let _ = array.into_u8();
    }
}

/// Checks an IDX file that is read batch by batch; `path` is where it is written.
pub fn idx_stream(bytes: &[u8], path: &Path) {
    std::fs::File::create(path).and_then(|mut file| file.write_all(bytes)).expect("a file to write");
    let count = bytes.get(4..8).map_or(0, |n| u32::from_be_bytes([n[0], n[1], n[2], n[3]]) as usize);
    if count > 1 << 16 {
        return; // the labels alone would exceed the memory bound
    }
    let opened = bounded(bytes.len(), || IdxStream::open(path, vec![0; count]));
    if let Ok(stream) = opened {
        let last = count - 1;
        let (mut narrow, mut wide) = (Batch::<f32, _>::default(), Batch::<f64, _>::default());
        let read = bounded(bytes.len(), || stream.read(&[0, last, last / 2], Pass::Evaluate, &mut wide));
        read.expect("a file that was found whole");
        assert_eq!(wide.inputs[0].shape()[0], 3);
        let read = bounded(bytes.len(), || stream.read(&[0, last, last / 2], Pass::Evaluate, &mut narrow));
        if let Err(error) = read {
            assert!(error.to_string().contains("finite in f32"), "{error}");
        }
    }
}

/// Corrects the checksums in a model's file, as far as its lengths are possible.
pub fn mend(bytes: &mut [u8]) {
    let Some(head) = bytes.first_chunk::<40>() else { return };
    let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| head[at + i]));
    let (description, numbers) = (number(16), number(24));
    let sum = crc32fast::hash(&head[..32]).to_le_bytes();
    bytes[32..36].copy_from_slice(&sum);
    let end = 40u64.saturating_add(description).min(bytes.len() as u64) as usize;
    let sum = crc32fast::hash(&bytes[40..end]).to_le_bytes();
    bytes[36..40].copy_from_slice(&sum);
    let last = (end as u64).saturating_add(numbers).min(bytes.len() as u64) as usize;
    let sum = crc32fast::hash(&bytes[end..last]).to_le_bytes();
    if let Some(place) = bytes.get_mut(last..last + 4) {
        place.copy_from_slice(&sum);
    }
}
