//! Prefetched batches: the same bits, errors that reach the caller, and threads that end.

use plywood::ndarray;
use plywood::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A data set generated when it is read. It counts the reads, and fails or panics at one sample.
struct Made {
    samples: usize,
    fails_at: Option<usize>,
    panics_at: Option<usize>,
    reads: AtomicUsize,
    reading: AtomicUsize,
}

fn made(samples: usize) -> Made {
    Made {
        samples,
        fails_at: None,
        panics_at: None,
        reads: AtomicUsize::new(0),
        reading: AtomicUsize::new(0),
    }
}

impl Dataset for Made {
    type Target = Vec<usize>;
    fn len(&self) -> usize {
        self.samples
    }
    fn input_shapes(&self) -> InputShapes<'_> {
        InputShapes::One(&[3])
    }
    fn prefetch(&self) -> usize {
        2
    }
    fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<f32, Vec<usize>>) -> Result<()> {
        self.reading.fetch_add(1, Ordering::SeqCst);
        self.reads.fetch_add(1, Ordering::SeqCst);
        for (row, &i) in batch.input_mut(indices.len(), &[3]).chunks_exact_mut(3).zip(indices) {
            if Some(i) == self.panics_at {
                panic!("sample {i} is cursed");
            }
            if Some(i) == self.fails_at {
                self.reading.fetch_sub(1, Ordering::SeqCst);
                return Err(Error::custom("the disk is gone"));
            }
            let Pass::Train { epoch } = pass else { unreachable!("no validation here") };
            let mut draws = Random::seed(1).at(epoch, i as u64);
            row.fill_with(|| (i % 2) as f32 + draws.normal() as f32);
        }
        batch.target.clear();
        batch.target.extend(indices.iter().map(|i| i % 2));
        batch.weights = Some(indices.iter().map(|i| 1.0 + (i % 3) as f32).collect());
        self.reading.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
}

fn model() -> Sequential {
    Sequential::builder([3])
        .layer(Dense::units(8))
        .layer(ReLU)
        .layer(Dense::units(2))
        .layer(Softmax)
        .build()
        .unwrap()
}

fn trainer() -> Trainer<CrossEntropy> {
    Trainer::new(CrossEntropy::default(), Adam::default()).batch_size(8).epochs(3).progress(Progress::Silent)
}

fn run(data: &Made, trainer: Trainer<CrossEntropy>) -> (Vec<u32>, Vec<f64>) {
    let (mut model, mut trainer) = (model(), trainer.metric(Accuracy::default()));
    let history = trainer.fit(&mut model, data).unwrap();
    let mut bits = Vec::new();
    model.visit_params(&mut |_, param| bits.extend(param.as_slice().iter().map(|v| v.to_bits())));
    (bits, [history.get("loss"), history.get("accuracy")].concat())
}

#[test]
fn the_bits_are_the_same_however_far_ahead() {
    let _threads = crate::take_threads(2);
    let data = made(77); // the last batch is smaller
    let plain = run(&data, trainer().prefetch(0));
    for ahead in [1, 2, 7, 1000] {
        assert_eq!(run(&data, trainer().prefetch(ahead)), plain);
    }
    assert_eq!(run(&data, trainer()), plain, "as the data set says");
    let one_batch = trainer().batch_size(77).prefetch(4);
    assert_eq!(run(&data, one_batch), run(&data, trainer().batch_size(77).prefetch(0)));
}

#[test]
fn an_error_of_the_reader_is_the_error_of_fit() {
    let _threads = crate::take_threads(2);
    for ahead in [0, 1, 5] {
        let data = Made { fails_at: Some(40), ..made(77) };
        let mut trainer = trainer().prefetch(ahead).shuffle(false);
        let error = trainer.fit(&mut model(), &data).unwrap_err();
        assert_eq!(error.to_string(), "fit: the disk is gone");
        assert_eq!(trainer.optimizer().steps(), 5, "the batches before it were trained on");
        assert_eq!(data.reading.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn a_panic_of_the_reader_goes_on_in_fit() {
    let _threads = crate::take_threads(2);
    let data = Made { panics_at: Some(40), ..made(77) };
    let result = catch_unwind(AssertUnwindSafe(|| trainer().prefetch(2).fit(&mut model(), &data)));
    let panic = result.unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "sample 40 is cursed");
    run(&made(20), trainer().prefetch(2)); // the next run succeeds
}

/// A callback that stops, fails or panics at a step.
struct Ends(u64, &'static str);

impl Callback for Ends {
    fn on_batch_end(&mut self, context: &mut Context<'_>) -> Result<()> {
        match self.1 {
            _ if context.step() < self.0 => {}
            "error" => return Err(Error::custom("enough")),
            "panic" => panic!("enough"),
            _ => context.stop(),
        }
        Ok(())
    }
}

#[test]
fn training_that_ends_early_leaves_no_reader_behind() {
    let _threads = crate::take_threads(2);
    for how in ["break", "error", "panic"] {
        let data = made(4000);
        let mut trainer = trainer().prefetch(3).callback(Ends(2, how));
        let result = catch_unwind(AssertUnwindSafe(|| trainer.fit(&mut model(), &data)));
        match how {
            "break" => assert_eq!(result.unwrap().unwrap().epochs.len(), 1),
            "error" => assert_eq!(result.unwrap().unwrap_err().to_string(), "fit: enough"),
            _ => assert!(result.is_err()),
        }
        // The reader borrowed `data`, so it must have ended, or this would not compile. It has ended outside of `read`,
        // and has read no more than requested.
        let (reads, reading) = (data.reads.into_inner(), data.reading.into_inner());
        assert!(reads <= 2 + 3 + 2, "{how}: {reads}");
        assert_eq!(reading, 0, "{how}");
    }
}

#[test]
fn what_is_not_finite_is_found_in_the_same_sample() {
    let _threads = crate::take_threads(2);
    let mut inputs = ndarray::Array2::<f32>::ones((64, 3));
    inputs[[21, 1]] = f32::NAN;
    let data = ArrayDataset::new(inputs, vec![0; 64]).unwrap();
    let mut trainer = trainer().prefetch(4).shuffle(false);
    let text = trainer.fit(&mut model(), &data).unwrap_err().to_string();
    assert!(text.contains("the input of sample 21"), "{text}");
    assert_eq!(trainer.optimizer().steps(), 2);
}
