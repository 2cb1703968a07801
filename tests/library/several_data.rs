//! Data with several inputs and targets: what wraps them hands all on, reports and pictures are of one output, and what
//! does not fit is an error before the first step.

use plywood::data::{Augmented, HoldOut, Subset, split_at};
use plywood::data::{Folds, StratifiedHoldOut};
use plywood::ndarray::{Array1, Array2, Array3, Array4, ArrayD, Axis, arr1, arr2};
use plywood::nn::OneOutput;
use plywood::prelude::*;

const SAMPLES: usize = 12;
const ALL: [usize; SAMPLES] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const TRAIN: Pass = Pass::Train { epoch: 0 };

fn images() -> Array3<f32> {
    Array3::from_shape_fn((SAMPLES, 4, 4), |(i, y, x)| (16 * i + 4 * y + x) as f32)
}

fn rows() -> Array2<f32> {
    Array2::from_shape_fn((SAMPLES, 2), |(i, j)| (i * (1 + j)) as f32)
}

/// The class of sample 3 is missing.
fn targets() -> TargetArrays {
    let classes = (0..SAMPLES).map(|i| (i != 3).then_some(i % 2)).collect::<Vec<_>>();
    TargetArrays::new()
        .classes("class", classes)
        .class_names(["even", "odd"])
        .numbers("size", rows())
        .weights((0..SAMPLES).map(|i| i as f64).collect())
}

fn data() -> Arrays<f32, TargetArrays> {
    let builder = Arrays::builder().input("image", images()).input("row", rows());
    builder.targets(targets()).unwrap().weights(vec![2.0; SAMPLES]).unwrap()
}

fn read<D: Dataset>(data: &D, indices: &[usize], pass: Pass) -> Batch<f32, D::Target> {
    let mut batch = Batch::default();
    data.read(indices, pass, &mut batch).unwrap();
    batch
}

fn refusal<D: Dataset>(data: &D, pass: Pass) -> String {
    data.read(&[0, 1], pass, &mut Batch::default()).unwrap_err().to_string()
}

/// The targets of these samples as they are in the arrays.
fn as_stored(batch: &Batch<f32, NamedTargets>, indices: &[usize]) {
    let classes = batch.target.classes("class").unwrap();
    for (at, &i) in indices.iter().enumerate() {
        assert!(i == 3 || classes[at] == i % 2);
        assert_eq!(batch.target.numbers("size").unwrap()[[at, 1]], 2.0 * i as f32);
        assert_eq!(batch.target.weights("class").unwrap()[at], f32::from(u8::from(i != 3)));
        assert_eq!(batch.target.weights("size").unwrap()[at], i as f32);
        assert_eq!(batch.weights.as_ref().unwrap()[at], 2.0);
    }
}

#[test]
fn arrays_read_all_by_position() {
    let batch = read(&data(), &[7, 3, 7], TRAIN);
    assert_eq!(batch.inputs[0].index_axis(Axis(0), 1), images().index_axis(Axis(0), 3).into_dyn());
    assert_eq!(batch.inputs[1], arr2(&[[7.0, 14.0], [3.0, 6.0], [7.0, 14.0]]).into_dyn());
    as_stored(&batch, &[7, 3, 7]);
    assert!(data().read(&[12], TRAIN, &mut Batch::default()).is_err());
    let ids = Arrays::builder().ids("words", arr2(&[[1, 2], [3, 4]])).ids("user", arr1(&[7, 9]));
    let ids = ids.targets(vec![0, 1]).unwrap();
    let batch = read(&ids, &[1], TRAIN);
    assert_eq!(batch.inputs, [arr2(&[[3.0, 4.0]]).into_dyn(), arr1(&[9.0]).into_dyn()]);
}

/// Parts, folds and references.
#[test]
fn parts_have_all_inputs_and_targets() {
    let data = data();
    let check = |part: &dyn Dataset<Target = NamedTargets>, of: &[usize]| {
        assert_eq!(part.input_shapes().to_string(), "image [4, 4], row [2]");
        assert_eq!(part.class_names_of("class"), ["even", "odd"]);
        let all: Vec<usize> = (0..part.len()).collect();
        let mut batch = Batch::default();
        part.read(&all, TRAIN, &mut batch).unwrap();
        let firsts: Vec<f32> = of.iter().map(|&i| i as f32).collect();
        assert_eq!(batch.inputs[1].index_axis(Axis(1), 0), Array1::from(firsts).into_dyn());
        as_stored(&batch, of);
        let mut targets = Batch::default();
        assert!(part.read_targets(&all, &mut targets).unwrap());
        as_stored(&targets, of);
    };
    check(&&data, &ALL);
    let turned = plywood::data::SomeInputs::of(["row", "image"], &data).unwrap();
    check(&plywood::data::SomeInputs::of(["image", "row"], &turned).unwrap(), &ALL);
    let row = plywood::data::SomeInputs::of(["row"], &data).unwrap();
    assert_eq!(read(&row, &[7], TRAIN).inputs, [arr2(&[[7.0, 14.0]]).into_dyn()]);
    for (names, text) in [
        (vec!["x"], "among those of the data, got \"x\""),
        (vec!["row", "row"], "once each"),
        (vec![], "at least one"),
    ] {
        let error = plywood::data::SomeInputs::of(names, &data).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    check(&Subset::new::<f32>(&data, vec![5, 3, 5]).unwrap(), &[5, 3, 5]);
    let (first, second) = split_at::<f32, _>(&data, 0.25).unwrap();
    check(&first, &ALL[..9]);
    check(&Subset::new::<f32>(&second, vec![2]).unwrap(), &[11]);
    let (a, b) = random_split::<f32, _>(&data, 0.25, 4).unwrap();
    [&a, &b].into_iter().for_each(|part| check(part, part.indices()));
    let mut folds = Folds::<f32, _>::folds(&KFold::new(3).seed(1), &data).unwrap();
    folds.extend(Folds::<f32, _>::folds(&HoldOut::share(0.5), &data).unwrap());
    folds.extend(Folds::<f32, _>::folds(&StratifiedKFold::new(4).on("class"), &data).unwrap());
    folds.extend(Folds::<f32, _>::folds(&StratifiedHoldOut::share(0.5).on("class"), &data).unwrap());
    for (train, test) in &folds {
        [train, test].into_iter().for_each(|part| check(part, part.indices()));
    }
    let array = ArrayDataset::new(rows(), targets()).unwrap().first(7);
    let batch = read(&array, &[6, 3], TRAIN);
    assert_eq!(batch.target.numbers("size").unwrap()[[0, 0]], 6.0);
    assert_eq!(batch.target.weights("class").unwrap(), [1.0, 0.0]);
}

/// Folds have the classes of one target in equal shares; those that are missing are a class of their own.
#[test]
fn strata_are_those_of_one_target() {
    let data = data();
    for (_, test) in Folds::<f32, _>::folds(&StratifiedKFold::new(5).on("class").seed(2), &data).unwrap() {
        let odd = test.indices().iter().filter(|&&i| i % 2 == 1 && i != 3).count();
        assert_eq!(odd, 1, "{:?}", test.indices());
    }
    // One target has classes, so it needs no name.
    let (folds, remarks) = Folds::<f32, _>::folds_and_remarks(&StratifiedKFold::new(5), &data).unwrap();
    assert_eq!(folds.len(), 5);
    assert_eq!(remarks, ["1 sample without a class for 5 folds: some folds have none of them"]);
    let two = TargetArrays::new().classes("a", vec![0, 1, 0, 1]).classes("b", vec![0, 0, 1, 1]);
    let two = ArrayDataset::new(Array2::<f32>::zeros((4, 1)), two).unwrap();
    let error = Folds::<f32, _>::folds(&StratifiedKFold::new(2), &two).unwrap_err().to_string();
    assert_eq!(
        error,
        "the target must be named, as the data have several, got a, b. Name one of those with classes by `on`."
    );
    let error = Folds::<f32, _>::folds(&StratifiedKFold::new(2).on("size"), &data).unwrap_err().to_string();
    assert!(error.starts_with("the targets of \"size\" must be class indices, got numbers."), "{error}");
    let error = Folds::<f32, _>::folds(&StratifiedKFold::new(2).on("c"), &data).unwrap_err().to_string();
    assert!(error.starts_with("the targets of the data must have \"c\", got class, size."), "{error}");
    let plain = ArrayDataset::new(rows(), vec![0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]).unwrap();
    let error = Folds::<f32, _>::folds(&StratifiedKFold::new(2).on("class"), &plain).unwrap_err().to_string();
    assert!(error.ends_with("targets without a name. Leave the name out."), "{error}");
}

#[test]
fn what_changes_an_input_changes_the_one_it_names() {
    let augmented = Augmented::on("image", data(), Augment::seed(5).flip_horizontal(true)).unwrap();
    let batch = read(&augmented, &ALL, TRAIN);
    assert_eq!(batch.inputs[1], rows().into_dyn());
    assert_ne!(batch.inputs[0], images().into_dyn());
    as_stored(&batch, &ALL);
    assert_eq!(read(&augmented, &ALL, Pass::Evaluate).inputs[0], images().into_dyn());
    let plain = Augmented::new(
        ArrayDataset::new(images(), vec![0; SAMPLES]).unwrap(),
        Augment::seed(5).flip_horizontal(true),
    );
    assert_eq!(batch.inputs[0], read(&plain.unwrap(), &ALL, TRAIN).inputs[0]);
    let error = refusal(&Augmented::new(data(), Augment::seed(5)).unwrap(), TRAIN);
    assert_eq!(
        error,
        "augmentation: the input must be named, as the data have several, got no name. Name one by `Augmented::on`: \
         the data have image [4, 4], row [2]."
    );
    let error = refusal(&Augmented::on("photo", data(), Augment::seed(5)).unwrap(), TRAIN);
    assert!(
        error.contains("the input \"photo\" must be one of the data's, got data with image [4, 4], row [2].")
    );
    let error = refusal(&Augmented::on("row", data(), Augment::seed(5)).unwrap(), TRAIN);
    assert!(error.contains("must have shape [height, width]"), "{error}");

    let normalizer = Normalizer::standard().fit_on::<f32, _>("row", &data()).unwrap();
    let batch = read(&normalizer.apply_on("row", data()), &ALL, TRAIN);
    assert_eq!(batch.inputs[0], images().into_dyn());
    assert!(batch.inputs[1].mean_axis(Axis(0)).unwrap().iter().all(|mean| mean.abs() < 1e-6));
    as_stored(&batch, &ALL);
    let error = refusal(&normalizer.apply(data()), TRAIN);
    assert!(error.starts_with("normalizer: the input must be named"), "{error}");
    let error = refusal(&normalizer.apply_on("image", data()), TRAIN);
    assert!(error.contains("A normalizer takes what it was fitted on."), "{error}");
    let ids = Arrays::builder().ids("user", arr1(&[3, 4])).targets(vec![0, 1]).unwrap();
    let error = Normalizer::standard().fit_on::<f32, _>("user", &ids).unwrap_err().to_string();
    assert_eq!(error, "fit a normalizer: the input \"user\" must be numbers, got ids. Ids are not changed.");
}

#[test]
fn one_hot_and_mixtures_are_of_all_targets() {
    let soft = OneHot::on("class", data(), 2).unwrap().smoothing(0.2).unwrap();
    let batch = read(&soft, &ALL, TRAIN);
    assert_eq!(batch.inputs[1], rows().into_dyn());
    let classes = batch.target.numbers("class").unwrap();
    assert!((classes[[2, 0]] - 0.9).abs() < 1e-6 && (classes[[5, 1]] - 0.9).abs() < 1e-6);
    assert_eq!(batch.target.weights("class").unwrap()[3], 0.0);
    assert_eq!(batch.target.numbers("size").unwrap(), &rows().into_dyn());
    let mut targets = Batch::default();
    assert!(soft.read_targets(&[4], &mut targets).unwrap());
    assert_eq!(targets.target.numbers("class").unwrap(), &arr2(&[[1.0f32, 0.0]]).into_dyn());
    // A second read into the same batch.
    soft.read(&[5, 4], Pass::Evaluate, &mut targets).unwrap();
    assert_eq!(targets.target.numbers("class").unwrap(), &arr2(&[[0.0f32, 1.0], [1.0, 0.0]]).into_dyn());

    let mixed = MixUp::new(soft, 0.4, 9).unwrap();
    let batch = read(&mixed, &ALL, TRAIN);
    let (image, row, size) = (&batch.inputs[0], &batch.inputs[1], batch.target.numbers("size").unwrap());
    let mut changed = 0;
    for i in ALL {
        // The pixel is 16 i, the row i and the size i: one share and one partner for all.
        assert!((image[[i, 0, 0]] - 16.0 * row[[i, 0]]).abs() < 1e-3);
        assert!((size[[i, 0]] - row[[i, 0]]).abs() < 1e-4);
        changed += usize::from((row[[i, 0]] - i as f32).abs() > 1e-3);
    }
    assert!(changed > 3);
    assert_eq!(batch.target.weights("class").unwrap()[3], 0.0);
    let hard = MixUp::new(data(), 0.4, 9).unwrap();
    let error = refusal(&hard, TRAIN);
    assert!(
        error.contains("the targets of \"class\" must be numbers to be mixed, got class indices."),
        "{error}"
    );
    let ids = Arrays::builder().ids("user", arr1(&[3, 4])).input("x", Array2::<f32>::zeros((2, 1)));
    let ids = MixUp::new(ids.targets(Array2::<f32>::zeros((2, 1))).unwrap(), 0.4, 9).unwrap();
    assert!(refusal(&ids, TRAIN).contains("the input \"user\" must be numbers to be mixed, got ids."));
}

/// A model whose class is that of the larger number of the row, and whose labels are those above 0.5.
fn model() -> Graph {
    let g = Graph::builder();
    let (image, row) = (g.input("image", [4, 4]), g.input("row", [2]));
    g.output("class", row.layer(Softmax));
    g.output("size", row + 0.0 * image.reshape([16]).sum_keepdim(-1));
    g.output("labels", row.layer(Sigmoid));
    g.build().unwrap()
}

#[test]
fn reports_and_pictures_are_of_one_output() {
    let labels = rows().mapv(|x| f32::from(u8::from(x > 3.0)));
    let builder = Arrays::builder().input("row", rows()).input("image", images());
    let data = builder.targets(targets().numbers("labels", labels)).unwrap();
    let model = model();
    let of_class: OneOutput<'_> = model.output("class").unwrap();
    let classes = OneTarget::classes("class", &data).unwrap();
    assert_eq!(classes.indices(), [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]);
    let report = evaluate::classification_report(&of_class, &classes).unwrap();
    assert_eq!((report.classes[1].name.as_str(), report.classes[1].recall), ("odd", 5.0 / 5.0));
    let matrix = evaluate::confusion_matrix(&of_class, &classes).unwrap();
    assert!(matrix.to_string().contains("even"), "{matrix}");
    let (truth, predicted) = evaluate::classes(&of_class, &classes).unwrap();
    assert_eq!((truth.len(), predicted[1..].iter().all(|&class| class == 1)), (SAMPLES - 1, true));
    evaluate::error_analysis(&of_class, &classes).unwrap();
    let of_labels = OneTarget::numbers("labels", &data).unwrap();
    let report = evaluate::multi_label_report(&model.output("labels").unwrap(), &of_labels, 0.5).unwrap();
    let of = |k: usize| (report.labels[k].precision, report.labels[k].recall);
    assert_eq!([of(0), of(1)], [(8.0 / 11.0, 1.0), (10.0 / 11.0, 1.0)]); // by hand
    plywood::plot::samples_of("image", &of_class, &classes, &[0, 5]).unwrap();
    let error = plywood::plot::samples(&of_class, &classes, &[0]).unwrap_err().to_string();
    assert!(error.contains("must be named, as the data have several"), "{error}");

    // A trainer of one output evaluates the view.
    let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default()).metric(Accuracy::default());
    let evaluation = trainer.evaluate(&of_class, &classes).unwrap();
    let predictions = model.predict_named(Inputs::of("row", rows()).and("image", images())).unwrap();
    let right = predictions.classes("class").unwrap();
    let right = ALL.iter().filter(|&&i| i != 3 && right[i] == i % 2).count();
    assert!((evaluation.get("accuracy").unwrap() - right as f64 / 11.0).abs() < 1e-12);
    assert!(predictions.labels("labels", 0.9).unwrap()[[3, 0]]);
    assert!(of_class.to_bytes().unwrap_err().to_string().contains("Save the model itself"));
    for error in [
        evaluate::classification_report(&model, &classes).unwrap_err(),
        evaluate::error_analysis(&model, &classes).map(drop).unwrap_err(),
        evaluate::multi_label_report(&model, &of_labels, 0.5).map(drop).unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(
            text.contains(
                "the model must have one output, got inputs image, row and outputs class, size, labels."
            ),
            "{text}"
        );
    }
    let error = evaluate::classes(&model.output("labels").unwrap(), &classes).unwrap_err().to_string();
    assert!(
        error.contains("must be of one name, got the output \"labels\" with the target \"class\"."),
        "{error}"
    );
    let other = model.with_outputs(&[("labels", "labels")]).unwrap();
    evaluate::classes(&other, &plywood::data::SomeInputs::of(["row"], &classes).unwrap()).unwrap();
    let error = OneTarget::classes("kind", &data).unwrap_err().to_string();
    assert!(error.starts_with("one target: the targets of the data must have \"kind\""), "{error}");
    let error = OneTarget::classes("size", &data).unwrap_err().to_string();
    assert!(error.starts_with("one target: the targets of \"size\" must be class indices"), "{error}");
    let error = model.output("kind").unwrap_err().to_string();
    assert_eq!(
        error,
        "the output \"kind\" must be one of the model's, got class, size, labels. Name one of these."
    );
    let error = predictions.classes("labels").unwrap_err().to_string();
    assert!(
        error.starts_with(
            "output labels: the outputs of the model must be for classes that exclude each other"
        ),
        "{error}"
    );
}

fn network() -> Graph {
    let g = Graph::builder();
    let (image, row) = (g.input("image", [4, 4]), g.input("row", [2]));
    let x = image.layer(Flatten).concat(&[row], -1).layer(Dense::units(4));
    g.output("class", x.layer(Dense::units(2)).layer(Softmax));
    g.output("size", x.layer(Dense::units(2)));
    g.build().unwrap()
}

fn losses() -> Losses {
    Losses::of("class", CrossEntropy::default()).and("size", MeanSquaredError, 0.5)
}

fn fit_error<D: Dataset>(losses: Losses, data: &D) -> String
where
    D::Target: plywood::losses::AsTarget<NamedTargets>,
{
    let mut model = network();
    let before = model.to_bytes().unwrap();
    let mut trainer = Trainer::new(losses, Adam::default()).progress(Progress::Silent);
    let text = trainer.fit(&mut model, data).unwrap_err().to_string();
    assert_eq!(trainer.optimizer().steps(), 0);
    assert_eq!(model.to_bytes().unwrap(), before);
    text
}

#[test]
fn inputs_that_do_not_fit_are_errors_before_the_first_step() {
    let with =
        |inputs: plywood::data::ArraysBuilder| fit_error(losses(), &inputs.targets(targets()).unwrap());
    let b = Arrays::builder;
    assert_eq!(
        with(b().input("image", images())),
        "fit: the inputs of the data must be those of the model: image, row, got image. Give row, too."
    );
    assert_eq!(
        with(b().input("image", images()).input("row", rows()).input("text", rows())),
        "fit: the inputs of the data must be those of the model: image, row, got image, row, text. Leave text out."
    );
    assert_eq!(
        with(b().input("photo", images()).input("row", rows())),
        "fit: the inputs of the data must be those of the model: image, row, got photo, row. Give image, and not photo."
    );
    assert_eq!(
        with(b().input("image", rows()).input("row", rows())),
        "fit: the samples of the input \"image\" must have shape [4, 4], got [2]. Build the model with \
         `g.input(\"image\", [2])`, or give the data that shape."
    );
    let build =
        |builder: plywood::data::ArraysBuilder| builder.targets(vec![0; SAMPLES]).unwrap_err().to_string();
    assert_eq!(build(b()), "the data must have an input, got none. Call `input` first.");
    assert!(
        build(b().scale(2.0)).starts_with("the scale must follow an input of numbers, got none before it.")
    );
    assert!(build(b().ids("a", arr1(&[1; SAMPLES])).offset(2.0)).starts_with("the offset must follow"));
    assert!(
        build(b().input("a", rows()).input("a", rows()))
            .contains("must have distinct names, got \"a\" twice")
    );
    assert!(build(b().input("a", Array2::<f32>::zeros((3, 1)))).contains("the number of targets must be 3"));
    assert!(
        build(b().ids("a", arr1(&[1 << 25]))).contains("must have ids that are exact in f32, got 33554432")
    );
    assert!(
        build(b().input("a", ArrayD::<f32>::zeros(vec![]))).contains("must have shape [samples, …], got []")
    );

    // A batch that is not what the data set says.
    struct Less(Arrays<f32, TargetArrays>, usize);
    impl Dataset for Less {
        type Target = NamedTargets;
        fn len(&self) -> usize {
            SAMPLES
        }
        fn input_shapes(&self) -> InputShapes<'_> {
            Dataset::<f32>::input_shapes(&self.0)
        }
        fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<f32, NamedTargets>) -> Result<()> {
            self.0.read(indices, pass, batch)?;
            match self.1 {
                0 => batch.inputs.truncate(1),
                1 => batch.inputs.push(ArrayD::zeros(vec![indices.len()])),
                2 => batch.inputs[1] = ArrayD::zeros(vec![1, 2]),
                3 => batch.inputs[1] = ArrayD::zeros(vec![indices.len(), 3]),
                _ => batch.inputs[1][[0, 0]] = f32::NAN,
            }
            Ok(())
        }
    }
    let text = |how: usize| fit_error(losses(), &Less(data(), how));
    assert!(text(0).contains("the batch must have 2 inputs, as `input_shapes` says, got 1."), "{}", text(0));
    assert!(text(1).contains("the batch must have 2 inputs, as `input_shapes` says, got 3."), "{}", text(1));
    assert!(text(2).contains("the batch must have 12 samples, as requested, got 1."), "{}", text(2));
    assert!(
        text(3).contains("the input \"row\" of the batch, the number 1 must have shape [2], got [3]."),
        "{}",
        text(3)
    );
    assert!(text(4).contains("the input \"row\" of sample "), "{}", text(4));
}

#[test]
fn losses_and_targets_that_do_not_fit_are_errors_before_the_first_step() {
    let ce = CrossEntropy::default;
    assert_eq!(
        fit_error(Losses::of("class", ce()), &data()),
        "fit: each output of the model must have a loss, got none for \"size\". Add one by `and`, or call \
         `without_loss(\"size\")` if it is only read."
    );
    assert_eq!(
        fit_error(losses().and("price", MeanSquaredError, 1.0), &data()),
        "fit: the outputs with a loss must be among those of the model: class, size, got \"price\". Name the outputs as in \
         the model."
    );
    assert!(fit_error(losses().and("size", MeanSquaredError, 1.0), &data()).contains("got \"size\" twice."));
    assert!(fit_error(losses().without_loss("size"), &data()).contains("got \"size\" twice."));
    let weight = |w| fit_error(Losses::of("class", ce()).and("size", MeanSquaredError, w), &data());
    assert!(
        weight(-1.0).contains("the weight of the loss of \"size\" must be at least 0 and finite, got -1."),
        "{}",
        weight(-1.0)
    );
    assert!(weight(f64::NAN).contains("got NaN."));
    let zero = Losses::of("class", ce()).without_loss("size");
    let text = fit_error(zero, &data());
    assert!(
        text.contains("the targets of the data must be for the outputs with a loss that reads them: class, got class, size. Leave size out, or give the output a loss."),
        "{text}"
    );
    let text = fit_error(Losses::of("size", ce()).and("class", ce(), 1.0), &data());
    assert!(text.contains("probabilities for CrossEntropy"), "{text}");
    let text = fit_error(Losses::of("size", MeanSquaredError).and("class", MeanSquaredError, 1.0), &data());
    assert!(text.contains("the targets of \"class\" must be numbers, got class indices."), "{text}");
    let g = Graph::builder();
    let x = g.input("x", [2]);
    g.output("val", x.layer(Dense::units(2)));
    g.output("a", x);
    let own = Losses::of("val", MeanSquaredError).without_loss("a");
    let named = ArrayDataset::new(rows(), TargetArrays::new().numbers("val", rows())).unwrap();
    let error =
        Trainer::new(own, Adam::default()).fit(&mut g.build().unwrap(), &named).unwrap_err().to_string();
    assert!(error.contains("the name of an output with a loss must not begin with \"val\""), "{error}");
    let x = || Arrays::builder().input("image", images()).input("row", rows());
    let with = |targets: TargetArrays| fit_error(losses(), &x().targets(targets).unwrap());
    let text = with(TargetArrays::new().classes("class", vec![0; SAMPLES]));
    assert!(text.contains("the targets of the data must have \"size\", got class."), "{text}");
    let text = with(TargetArrays::new().classes("class", vec![2; SAMPLES]).numbers("size", rows()));
    assert!(
        text.contains("output class") && text.contains("the label of sample 0 must be below 2"),
        "{text}"
    );
    let text = with(TargetArrays::new().classes("class", vec![None; SAMPLES]).numbers("size", rows()));
    assert!(
        text.starts_with(
            "fit: the targets of \"class\" must include one of a sample with a weight above 0, got none."
        ),
        "{text}"
    );
    let mut sizes = rows();
    sizes[[4, 0]] = f32::NAN;
    let some = || TargetArrays::new().classes("class", vec![0; SAMPLES]);
    let text = with(some().numbers("size", sizes.clone()));
    assert!(
        text.contains("the target \"size\" of sample 4 is not finite") && text.contains("nan_is_missing"),
        "{text}"
    );
    let fails = |targets: TargetArrays| x().targets(targets).unwrap_err().to_string();
    assert!(
        fails(some().numbers("size", rows().slice(ndarray::s![..5, ..]).to_owned()))
            .contains("the targets of \"size\" must be 12, one for each sample, got 5.")
    );
    assert!(fails(some().weights(vec![1.0; 3])).contains("the number of weights must be 12"));
    assert!(
        fails(some().weights(vec![-1.0; SAMPLES]))
            .contains("the targets of \"class\": the weight of sample 0")
    );
    assert!(fails(some().nan_is_missing()).contains("be numbers for `nan_is_missing`, got class indices"));
    assert!(fails(some().numbers("class", rows())).contains("got \"class\" twice"));
    assert!(fails(TargetArrays::new()).contains("must be for at least one output, got none"));
    assert_eq!(
        fails(TargetArrays::new().class_names(["a"]).classes("class", vec![0; SAMPLES])),
        "`class_names` must follow a target, got none before it. Call `classes` or `numbers` first."
    );

    let metric = |metric: Box<dyn Metric<NamedTargets>>| {
        let mut trainer = Trainer::new(losses(), Adam::default()).metric(metric).progress(Progress::Silent);
        trainer.fit(&mut network(), &data()).unwrap_err().to_string()
    };
    let text = metric(Box::new(On::classes("kind", Accuracy::default())));
    assert!(
        text.contains(
            "the metric \"kind_accuracy\" must be of an output with a loss: class, size, got one of \"kind\"."
        ),
        "{text}"
    );
    let text = metric(Box::new(On::classes("size", Accuracy::default())));
    assert!(text.contains("output size"), "{text}");
    let text =
        metric(Box::new(plywood::metrics::Named::new("size_loss", On::numbers("size", MAE::default()))));
    assert!(
        text.contains("\"size_loss\" for metric 0, which is the name of the loss of an output"),
        "{text}"
    );
}

/// Targets of a source that cannot read them alone are looked at in its first sample.
#[test]
fn targets_of_other_sources_are_looked_at_in_the_first_sample() {
    struct Alone(Arrays<f32, TargetArrays>);
    impl Dataset for Alone {
        type Target = NamedTargets;
        fn len(&self) -> usize {
            SAMPLES
        }
        fn input_shapes(&self) -> InputShapes<'_> {
            Dataset::<f32>::input_shapes(&self.0)
        }
        fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<f32, NamedTargets>) -> Result<()> {
            self.0.read(indices, pass, batch)
        }
    }
    let builder = Arrays::builder().input("image", images()).input("row", rows());
    let other = Alone(builder.targets(TargetArrays::new().classes("class", vec![0; SAMPLES])).unwrap());
    assert!(fit_error(losses(), &other).contains("the targets of the data must have \"size\", got class."));
    let mut model = network();
    let trainer = Trainer::new(losses(), Adam::default()).progress(Progress::Silent);
    let mut same = network();
    trainer.batch_size(4).fit(&mut model, &Alone(data())).unwrap();
    Trainer::new(losses(), Adam::default())
        .progress(Progress::Silent)
        .batch_size(4)
        .fit(&mut same, &data())
        .unwrap();
    assert_eq!(model.to_bytes().unwrap(), same.to_bytes().unwrap());
}

/// One prediction by name has the bits of `predict`, in pieces and on threads, and arrays in any order of memory.
#[test]
fn predictions_by_name_are_those_of_each_output_alone() {
    let model = network();
    let x = Array4::from_shape_fn((700, 4, 4, 1), |(i, y, x, _)| ((i * 3 + y * x) % 17) as f32 / 17.0);
    let x = x.index_axis(Axis(3), 0).to_owned();
    let row = Array2::from_shape_fn((2, 700), |(j, i)| ((i + j) % 5) as f32);
    let predictions = model.predict_named(Inputs::of("row", &row.t()).and("image", &x)).unwrap();
    for i in [0, 143, 144, 350, 699] {
        let (image, row) =
            (x.slice(ndarray::s![i..i + 1, .., ..]), row.t().slice(ndarray::s![i..i + 1, ..]).to_owned());
        let one = model.predict_named(Inputs::of("image", &image).and("row", row)).unwrap();
        for name in ["class", "size"] {
            let (all, one) = (predictions.get(name).unwrap(), one.get(name).unwrap());
            assert_eq!(all.index_axis(Axis(0), i), one.index_axis(Axis(0), 0));
        }
    }
    let text = |inputs: Inputs<'_>| model.predict_named(inputs).unwrap_err().to_string();
    assert!(text(Inputs::of("row", &row.t())).contains("Give image, too."));
    assert!(text((&x).into()).contains("got one without a name. Give each by its name, in any order."));
    assert!(text(Inputs::of("image", &x).and("image", &x)).contains("Give image once."));
    let few = row.t().slice(ndarray::s![..9, ..]).to_owned();
    let error = text(Inputs::of("image", &x).and("row", &few));
    assert_eq!(
        error,
        "predict: the input \"row\" must have 700 samples, as \"image\", got 9. All inputs are of the same samples, in the \
         same order."
    );
    let error = text(Inputs::of("image", &few).and("row", &few));
    assert!(
        error.starts_with("predict, input image: the input must have shape [batch, 4, 4], got [9, 2]."),
        "{error}"
    );
    let empty =
        model.predict_named(Inputs::of("image", Array3::zeros((0, 4, 4))).and("row", Array2::zeros((0, 2))));
    assert_eq!(empty.unwrap().get("size").unwrap().shape(), [0, 2]);
}

/// Weights of a target that a source gives wrongly are errors wherever they are read, and before the first step.
#[test]
fn wrong_weights_of_a_target_are_errors() {
    #[derive(Debug)]
    struct Weighted(Vec<f32>);
    impl Dataset for Weighted {
        type Target = NamedTargets;
        fn len(&self) -> usize {
            4
        }
        fn input_shapes(&self) -> InputShapes<'_> {
            InputShapes::One(&[2])
        }
        fn read(&self, indices: &[usize], _: Pass, batch: &mut Batch<f32, NamedTargets>) -> Result<()> {
            batch.input_mut(indices.len(), &[2]).fill(0.0);
            self.read_targets(indices, batch).map(drop)
        }
        fn read_targets(&self, indices: &[usize], batch: &mut Batch<f32, NamedTargets>) -> Result<bool> {
            batch.target.classes_mut("y").extend(indices.iter().map(|i| i % 2));
            batch.target.weights_mut("y").extend(&self.0);
            Ok(true)
        }
    }
    let g = Graph::builder();
    g.output("y", g.input("x", [2]).layer(Dense::units(2)).layer(Softmax));
    let mut model = g.build().unwrap();
    for (weights, text) in [
        (vec![1.0, 0.0], "the number of weights must be 4"),
        (vec![1.0; 5], "the number of weights must be 4"),
        (vec![1.0, 1.0, -1.0, 1.0], "the weight of sample 2 "),
        (vec![1.0, f32::NAN, 1.0, 1.0], "the weight of sample 1 "),
    ] {
        let data = Weighted(weights);
        let mut trainer = Trainer::new(Losses::of("y", CrossEntropy::default()), Adam::default());
        trainer = trainer.batch_size(4).progress(Progress::Silent);
        let error = trainer.fit(&mut model, &data).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
        assert_eq!(trainer.optimizer().steps(), 0);
        let error = OneTarget::classes("y", &data).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
        let error = Folds::<f32, _>::folds(&StratifiedKFold::new(2).on("y"), &data).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    let none = Folds::<f32, _>::folds(&StratifiedKFold::new(2).on("y"), &Weighted(vec![0.0; 4])).unwrap_err();
    assert!(none.to_string().contains("the classes must be there for at least one sample"), "{none}");
    // Both negative: their product is not.
    let data = Weighted(vec![-1.0; 4]);
    let mut batch = Batch::default();
    data.read(&[0, 1, 2, 3], TRAIN, &mut batch).unwrap();
    let (x, loss) = (batch.take_input(), Losses::of("y", CrossEntropy::default()));
    assert!(plywood::train::accumulate(&mut model, &loss, x, &batch.target, Some(&[-1.0; 4])).is_err());
}

/// A mixture does not depend on what else is in its batch, if weights are given only where they are needed.
#[test]
fn mixtures_do_not_depend_on_the_batch() {
    struct Sometimes;
    impl Dataset for Sometimes {
        type Target = NamedTargets;
        fn len(&self) -> usize {
            16
        }
        fn input_shapes(&self) -> InputShapes<'_> {
            InputShapes::One(&[1])
        }
        fn read(&self, indices: &[usize], _: Pass, batch: &mut Batch<f32, NamedTargets>) -> Result<()> {
            let n = indices.len();
            batch.input_mut(n, &[1]).iter_mut().zip(indices).for_each(|(x, i)| *x = *i as f32);
            batch.target.numbers_mut("y", n, &[1]).iter_mut().zip(indices).for_each(|(y, i)| *y = *i as f32);
            let weight = |i: &usize| [1.0, 0.0, 3.0][usize::from(*i == 5) + 2 * usize::from(*i == 10)];
            batch.weights = None;
            if indices.iter().any(|i| *i == 5 || *i == 10) {
                batch.target.weights_mut("y").extend(indices.iter().map(weight));
                batch.weights = Some(indices.iter().map(weight).collect());
            }
            Ok(())
        }
    }
    let mixed = MixUp::new(Sometimes, 0.4, 2).unwrap();
    let all: Vec<usize> = (0..16).collect();
    let whole = read(&mixed, &all, TRAIN);
    for i in all {
        let alone = read(&mixed, &[i], TRAIN);
        assert_eq!(alone.inputs[0][[0, 0]], whole.inputs[0][[i, 0]]);
        let of = |batch: &Batch<f32, NamedTargets>, at: usize| {
            let weight = |weights: Option<&[f32]>| weights.map_or(1.0, |weights| weights[at]);
            (weight(batch.target.weights("y")), weight(batch.weights.as_deref()))
        };
        assert_eq!(of(&alone, 0), of(&whole, i), "{i}");
    }
}

/// Weights may be set before the target, too, also in batches that are read again.
#[test]
fn weights_before_the_target_count() {
    let mut targets = NamedTargets::<f32>::default();
    for batch in 0..3 {
        targets.weights_mut("y").extend([1.0, batch as f32]);
        targets.classes_mut("y").extend([0, 1]);
        assert_eq!(targets.weights("y"), Some(&[1.0, batch as f32][..]));
    }
    let mut targets = NamedTargets::<f32>::default();
    targets.classes_mut("y").extend([0, 1]);
    targets.weights_mut("y").extend([1.0, 0.0]);
    targets.classes_mut("y").extend([1, 1]);
    assert_eq!(targets.weights("y"), None);
}
