//! Random changes of training images, class labels as probabilities, and mixing of samples.

use ndarray::{Array2, Array3, Array4, Axis, s};
use plywood::data::{Subset, Targets};
use plywood::ndarray;
use plywood::prelude::*;
use std::ops::RangeInclusive;

type Images<F> = ArrayDataset<F, Vec<usize>>;

/// Returns images whose pixels are above 0 and all different.
fn images(samples: usize, height: usize, width: usize) -> Array3<f32> {
    Array3::from_shape_fn((samples, height, width), |(i, y, x)| {
        (1 + x + width * y + 7 * (i % 3) * width * height) as f32
    })
}

fn data(images: Array3<f32>) -> Images<f32> {
    let labels = (0..images.len_of(Axis(0))).map(|i| i % 3).collect();
    ArrayDataset::new(images, labels).unwrap()
}

fn read<T: Default, D: Dataset<f32, Target = T>>(data: &D, indices: &[usize], pass: Pass) -> Batch<f32, T> {
    let mut batch = Batch::default();
    data.read(indices, pass, &mut batch).unwrap();
    batch
}

const FIRST: Pass = Pass::Train { epoch: 0 };

fn everything(seed: u64) -> Augment {
    let augment = Augment::seed(seed).flip_horizontal(true).flip_vertical(true).shift(1);
    augment.rotate(15.0).crop(0.5..=1.0).erase(0.5, 0.1..=0.3)
}

#[test]
fn every_shift_and_flip_is_a_window_of_the_padded_image() {
    let plain = images(200, 3, 5);
    let train = Augmented::new(data(plain.clone()), Augment::seed(9).flip_horizontal(true).shift(2)).unwrap();
    let batch = read(&train, &(0..200).collect::<Vec<_>>(), FIRST);
    let mut seen = std::collections::HashSet::new();
    for (image, plain) in batch.inputs[0].outer_iter().zip(plain.outer_iter()) {
        let mut candidates = Vec::new();
        for mirrored in [false, true] {
            let mut padded = Array2::zeros((7, 9));
            padded.slice_mut(s![2..5, 2..7]).assign(&plain.slice(s![.., ..;if mirrored { -1 } else { 1 }]));
            for (y, x) in (0..5).flat_map(|y| (0..5).map(move |x| (y, x))) {
                let window = padded.slice(s![y..y + 3, x..x + 5]).to_owned().into_dyn();
                candidates.push(((mirrored, y, x), window));
            }
        }
        let found = candidates.iter().find(|(_, window)| *window == image).expect("a window of the image");
        seen.insert(found.0);
    }
    assert!(seen.len() > 40, "of 50 ways, {} came up", seen.len());
}

#[test]
fn a_rotated_and_cropped_slope_is_a_slope() {
    // On a plane, bilinear interpolation is exact, so a rotated crop of a plane is a rotated plane.
    let plane = Array3::from_shape_fn((64, 21, 31), |(_, y, x)| 10.0 + 0.3 * y as f32 + 0.1 * x as f32);
    let slopes = |augment| {
        let batch =
            read(&Augmented::new(data(plane.clone()), augment).unwrap(), &(0..64).collect::<Vec<_>>(), FIRST);
        let slope = |image: ndarray::ArrayViewD<f32>| {
            let at = |y: usize, x: usize| f64::from(image[[y, x]]);
            for (y, x) in [(8, 12), (10, 15), (11, 17)] {
                assert!((at(y, x) + at(y + 1, x + 1) - at(y + 1, x) - at(y, x + 1)).abs() < 1e-4, "a plane");
            }
            (at(11, 15) - at(10, 15), at(10, 16) - at(10, 15))
        };
        batch.inputs[0].outer_iter().map(slope).collect::<Vec<_>>()
    };
    let (mut turned, mut sides) = (Vec::new(), Vec::new());
    for (down, right) in slopes(Augment::seed(1).rotate(25.0)) {
        assert!((down.hypot(right) - 0.3f64.hypot(0.1)).abs() < 1e-4);
        turned.push((right.atan2(down) - 0.1f64.atan2(0.3)).to_degrees());
    }
    for (down, right) in slopes(Augment::seed(1).crop(0.25..=0.81)) {
        assert!((down - 3.0 * right).abs() < 1e-4);
        sides.push(down / 0.3);
    }
    let range =
        |all: &[f64]| (all.iter().copied().fold(9e9, f64::min), all.iter().copied().fold(-9e9, f64::max));
    let ((left, right), (least, most)) = (range(&turned), range(&sides));
    assert!((-25.1..-20.0).contains(&left) && (20.0..25.1).contains(&right), "{left} to {right}");
    assert!((0.499..0.55).contains(&least) && (0.86..0.901).contains(&most), "{least} to {most}");
    // A crop contains nothing from outside of the image.
    let batch = read(
        &Augmented::new(data(plane.clone()), Augment::seed(2).crop(0.1..=1.0)).unwrap(),
        &[0, 5, 9],
        FIRST,
    );
    assert!(batch.inputs[0].iter().all(|x| (9.999..19.001).contains(x)));
}

#[test]
fn erased_is_one_rectangle() {
    let train = Augmented::new(data(images(300, 12, 10)), Augment::seed(4).erase(0.7, 0.05..=0.4).fill(-3.0))
        .unwrap();
    let batch = read(&train, &(0..300).collect::<Vec<_>>(), FIRST);
    let plain = read(train.data(), &(0..300).collect::<Vec<_>>(), FIRST);
    let mut erased = 0;
    for (image, plain) in batch.inputs[0].outer_iter().zip(plain.inputs[0].outer_iter()) {
        let holes: Vec<(usize, usize)> =
            image.indexed_iter().filter(|(_, x)| **x == -3.0).map(|(at, _)| (at[0], at[1])).collect();
        let kept = image.iter().zip(plain.iter()).filter(|(a, b)| a == b).count();
        assert_eq!(kept + holes.len(), 120, "the rest stays");
        if let (Some(first), Some(last)) = (holes.first(), holes.last()) {
            assert_eq!(holes.len(), (last.0 - first.0 + 1) * (last.1 - first.1 + 1));
            erased += 1;
        }
    }
    assert!((160..=250).contains(&erased), "{erased} of 300");
}

#[test]
fn channels_change_alike() {
    let grey = images(20, 6, 6);
    let both = ndarray::stack(Axis(1), &[grey.view(), grey.mapv(|x| 2.0 * x).view()]).unwrap();
    let (one, two) = (data(grey), ArrayDataset::new(both, vec![0; 20]).unwrap());
    let indices: Vec<usize> = (0..20).collect();
    let one = read(&Augmented::new(one, everything(8)).unwrap(), &indices, FIRST);
    let two = read(&Augmented::new(two, everything(8)).unwrap(), &indices, FIRST);
    assert_eq!(two.inputs[0].shape(), [20, 2, 6, 6]);
    assert_eq!(two.inputs[0].index_axis(Axis(1), 0), one.inputs[0]);
    assert_eq!(two.inputs[0].index_axis(Axis(1), 1), one.inputs[0].mapv(|x| 2.0 * x));
}

#[test]
fn a_sample_is_the_same_in_any_order_and_batch_and_another_in_each_epoch() {
    let soft = OneHot::new(Augmented::new(data(images(30, 8, 8)), everything(1)).unwrap(), 3).unwrap();
    let train = MixUp::new(soft.smoothing(0.1).unwrap(), 0.5, 3).unwrap();
    let all = read(&train, &(0..30).collect::<Vec<_>>(), FIRST);
    let some = read(&train, &[17, 3, 17, 29], FIRST);
    for (row, i) in [17, 3, 17, 29].into_iter().enumerate() {
        assert_eq!(some.inputs[0].index_axis(Axis(0), row), all.inputs[0].index_axis(Axis(0), i));
        assert_eq!(some.target.index_axis(Axis(0), row), all.target.index_axis(Axis(0), i));
    }
    let next = read(&train, &[17], Pass::Train { epoch: 1 });
    assert_ne!(next.inputs[0].index_axis(Axis(0), 0), all.inputs[0].index_axis(Axis(0), 17));
    // A subset uses the same random draws as the whole data set.
    let part = Subset::new::<f32>(&train, vec![29, 17]).unwrap();
    assert_eq!(read(&part, &[1], FIRST).inputs[0], read(&train, &[17], FIRST).inputs[0]);
}

#[test]
fn evaluation_sees_the_data_as_they_are() {
    let plain = data(images(12, 5, 4));
    let expected = read(&plain, &[4, 0, 11], Pass::Evaluate);
    let augmented = Augmented::new(&plain, everything(2)).unwrap();
    assert_eq!(read(&augmented, &[4, 0, 11], Pass::Evaluate).inputs[0], expected.inputs[0]);
    let mixed = MixUp::new(OneHot::new(&augmented, 3).unwrap().smoothing(0.3).unwrap(), 1.0, 0).unwrap();
    let found = read(&mixed, &[4, 0, 11], Pass::Evaluate);
    assert_eq!(found.inputs[0], expected.inputs[0]);
    assert_eq!(found.target, ndarray::array![[0., 1., 0.], [1., 0., 0.], [0., 0., 1.]].into_dyn());
    let names = Augmented::new(plain.with_class_names(["a", "b"]), Augment::seed(0)).unwrap();
    let names = MixUp::new(OneHot::new(names, 2).unwrap(), 1.0, 0).unwrap();
    assert_eq!(Dataset::<f32>::class_names(&names), ["a", "b"]);
    assert_eq!(
        (Dataset::<f32>::len(&names), Dataset::<f32>::input_shapes(&names).only()),
        (12, Some(&[5, 4][..]))
    );
}

#[test]
fn mixed_shares_have_the_beta_distribution() {
    // All pixels of an image equal its class, so the second column of the target is the mixed image.
    let images = Array3::from_shape_fn((4_000, 1, 1), |(i, _, _)| (i % 2) as f32);
    let labels: Vec<usize> = (0..4_000).map(|i| i % 2).collect();
    let plain = ArrayDataset::new(images, labels)
        .unwrap()
        .weights((0..4_000).map(|i| 1.0 + (i % 2) as f64).collect());
    let train = MixUp::new(OneHot::new(plain.unwrap(), 2).unwrap(), 0.4, 5).unwrap();
    let batch = read(&train, &(0..4_000).collect::<Vec<_>>(), FIRST);
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for (i, (x, t)) in batch.inputs[0].iter().zip(batch.target.rows()).enumerate() {
        assert!((t.sum() - 1.0).abs() < 1e-6 && (t[1] - x).abs() < 1e-6);
        assert!((batch.weights.as_ref().unwrap()[i] - (1.0 + x)).abs() < 1e-6);
        if t[i % 2] != 1.0 {
            // The sample is mixed with the other class: the remaining share of its own class is λ.
            let share = f64::from(t[i % 2]);
            (n, sum, squares) = (n + 1.0, sum + share, squares + (share - 0.5) * (share - 0.5));
        }
    }
    // Half of the partners are of the other class; a few λ round to 1. Var = 1 / (4 (2α + 1)).
    assert!((1_800.0..2_150.0).contains(&n), "{n}");
    assert!((sum / n - 0.5).abs() < 0.05, "{}", sum / n);
    assert!((squares / n - 1.0 / 7.2).abs() < 0.012, "{}", squares / n);
}

#[test]
fn training_that_goes_on_is_training_in_one_go() {
    let soft = OneHot::new(Augmented::new(data(images(24, 6, 6)), everything(3)).unwrap(), 3).unwrap();
    let train = MixUp::new(soft, 0.4, 3).unwrap();
    let run = |calls: usize, epochs: usize| {
        let mut model =
            Sequential::builder([6, 6]).layer(Flatten).layer(Dense::units(3)).layer(Softmax).build().unwrap();
        let mut trainer = Trainer::new(SoftCrossEntropy::default(), Adam::default())
            .epochs(epochs)
            .batch_size(7)
            .progress(Progress::Silent);
        for _ in 0..calls {
            trainer.fit(&mut model, &train).unwrap();
        }
        model.predict(&images(4, 6, 6)).unwrap()
    };
    assert_eq!(run(2, 2), run(1, 4));
    assert_ne!(run(1, 2), run(1, 4));
}

/// Returns the text of the error that these changes give, at construction or at the first batch.
fn error<T: Targets<Batch = Vec<usize>>>(data: &ArrayDataset<f32, T>, augment: Augment) -> String {
    let mut batch = Batch::<f32, Vec<usize>>::default();
    Augmented::new(data, augment)
        .and_then(|train| train.read(&[0], FIRST, &mut batch))
        .unwrap_err()
        .to_string()
}

#[test]
fn numbers_outside_of_what_is_allowed_are_errors() {
    let plain = data(images(3, 4, 5));
    for (augment, text) in [
        (
            Augment::seed(0).shift(4),
            "augmentation: the shift must be smaller than both sides of the images, 4 x 5, got 4. It is in \
             pixels; 2 is usual.",
        ),
        (
            Augment::seed(0).shift(usize::MAX),
            "augmentation: the shift must be smaller than both sides of the images, 4 x 5, got \
             18446744073709551615. It is in pixels; 2 is usual.",
        ),
        (
            Augment::seed(0).rotate(-1.0),
            "the rotation must be from 0 to 180 degrees, got -1. It is how far images are turned at most, to \
             either side; 10 is usual.",
        ),
        (
            Augment::seed(0).erase(1.5, 0.0..=0.1),
            "the probability of erasing must be from 0 to 1, got 1.5. 0.5 erases a part of every second image.",
        ),
        (
            Augment::seed(0).erase(0.5, 0.3..=0.1),
            "the erased area must be a rising range within 0..=1, got 0.3..=0.1. 0.02..=0.33 erases up to a third \
             of the image.",
        ),
        (
            Augment::seed(0).fill(f64::NAN),
            "the fill must be a finite number, got NaN. It is the value of black in the data: 0, unless they have \
             an offset.",
        ),
    ] {
        assert_eq!(error(&plain, augment), text);
    }
    let areas: [RangeInclusive<f64>; 5] = [0.0..=0.5, 0.9..=0.5, 0.5..=1.1, f64::NAN..=1.0, -1.0..=1.0];
    for area in areas {
        assert!(error(&plain, Augment::seed(0).crop(area)).contains("the area of a crop"));
    }
    for angle in [f64::NAN, f64::INFINITY, 180.1] {
        assert!(error(&plain, Augment::seed(0).rotate(angle)).contains("the rotation"));
    }
    let flat = ArrayDataset::new(Array2::<f32>::zeros((3, 20)), vec![0; 3]).unwrap();
    assert_eq!(
        error(&flat, Augment::seed(0).flip_horizontal(true)),
        "augmentation: the input must have shape [height, width] or [channels, height, width], got [20]. \
         Augmentation takes images; shape the data so, and let the model flatten them."
    );
}

#[test]
fn small_and_empty_images_are_no_trouble() {
    let changes =
        || Augment::seed(0).flip_horizontal(true).rotate(180.0).crop(0.001..=1.0).erase(1.0, 0.0..=1.0);
    for shape in [(3, 1, 1), (3, 1, 5), (3, 2, 1), (3, 0, 4), (3, 4, 0)] {
        let train = Augmented::new(data(Array3::zeros(shape)), changes()).unwrap();
        assert_eq!(read(&train, &[2, 0, 1], FIRST).inputs[0].shape(), [3, shape.1, shape.2]);
        assert_eq!(read(&train, &[], FIRST).inputs[0].shape(), [0, shape.1, shape.2]);
    }
    let none = ArrayDataset::new(Array4::<f32>::zeros((2, 0, 1 << 20, 1 << 20)), vec![0, 1]).unwrap();
    assert_eq!(read(&Augmented::new(none, changes()).unwrap(), &[1], FIRST).inputs[0].len(), 0);
}

#[test]
fn classes_and_mixtures_that_cannot_be_are_errors() {
    let plain = data(images(3, 2, 2));
    let text = |result: Result<()>| result.unwrap_err().to_string();
    assert_eq!(
        text(OneHot::new(&plain, 0).map(drop)),
        "the number of classes must be from 1 to 4194304, got 0. Give as many as the model has outputs."
    );
    assert!(OneHot::new(&plain, usize::MAX).is_err());
    for share in [-0.1, 1.0, f64::NAN] {
        assert!(OneHot::new(&plain, 3).unwrap().smoothing(share).is_err());
    }
    let mut batch = Batch::<f32, Tensor>::default();
    assert_eq!(
        text(OneHot::new(&plain, 2).unwrap().read(&[0, 2], FIRST, &mut batch)),
        "the label of sample 1 in the batch must be below 2, the number of classes, got 2. Labels count from 0."
    );
    let soft = OneHot::new(&plain, 3).unwrap();
    assert_eq!(
        text(MixUp::new(&soft, 0.0, 1).map(drop)),
        "`alpha` must be from 0.01 to 100, got 0. It is how strongly samples are mixed; 0.2 is usual."
    );
    for alpha in [f64::NAN, f64::INFINITY, -1.0, 1e9] {
        assert!(MixUp::new(&soft, alpha, 1).is_err());
    }
    for alpha in [0.01, 100.0] {
        let batch = read(&MixUp::new(&soft, alpha, 1).unwrap(), &[0, 1, 2], FIRST);
        assert!(batch.inputs[0].iter().chain(&batch.target).all(|x| x.is_finite()));
    }
    assert!(MixUp::new(&soft, 0.2, 1).unwrap().read(&[3], FIRST, &mut batch).is_err());
}
