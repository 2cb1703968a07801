//! The synthetic data set: balanced classes, the same images for the same seed, and bits that never change.

use plywood::data::synthetic::{CLASS_NAMES, garments};

#[test]
fn the_classes_are_balanced_shuffled_and_the_same_for_a_seed() {
    let (train, test) = garments(200, 50, 7).unwrap();
    assert_eq!((train.inputs().shape(), test.inputs().shape()), (&[200, 28, 28][..], &[50, 28, 28][..]));
    for class in 0..10 {
        assert_eq!(train.targets().iter().filter(|&&l| l == class).count(), 20);
    }
    assert_ne!(train.targets()[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(train.class_names(), CLASS_NAMES);
    let again = garments(200, 50, 7).unwrap();
    assert_eq!((train.inputs(), test.inputs()), (again.0.inputs(), again.1.inputs()));
    assert_ne!(train.inputs(), garments(200, 50, 8).unwrap().0.inputs());
    assert_ne!(train.inputs().slice(plywood::ndarray::s![..50, .., ..]).into_dyn(), test.inputs().view());
}

#[test]
fn every_picture_shows_something_on_a_dark_background() {
    let (train, _) = garments(1000, 0, 1).unwrap();
    for (image, label) in train.inputs().outer_iter().zip(train.targets()) {
        let mean = image.iter().map(|&p| f64::from(p)).sum::<f64>() / 784.0;
        let dark = image.iter().filter(|&&p| p < 20).count();
        assert!(mean > 2.0 && dark > 100, "class {label}: mean {mean}, {dark} dark pixels");
    }
}

/// A change to a drawing changes every result that was reported with it. Note such a change in the changelog.
#[test]
fn the_pictures_have_not_changed() {
    let (train, test) = garments(500, 100, 42).unwrap();
    let fnv = |hash: u64, &b: &u8| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
    let sums = [train, test].map(|set| set.inputs().iter().fold(0xcbf2_9ce4_8422_2325, fnv));
    assert_eq!(sums, [0x1ff9_780d_6d50_826c, 0xdb64_4f39_8b37_3832]);
}

#[test]
fn any_count_is_an_answer() {
    let (train, test) = garments(0, 3, 1).unwrap();
    assert_eq!((train.targets().len(), test.targets().len()), (0, 3));
    let text = garments(usize::MAX, 0, 1).unwrap_err().to_string();
    assert!(text.starts_with("the number of training images must be small enough for memory"), "{text}");
}
