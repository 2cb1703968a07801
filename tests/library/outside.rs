//! A user's crate with its own layers, containers, update rule, loss, metric and data set, using only the public API.
//! They are checked, combined, trained, saved, and loaded through a registry; the loaded model predicts the same bits.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use plywood::io::Kind;
use plywood::losses::{LossSum, sample_weights};
use plywood::ndarray;
use plywood::nn::{Gradient, check_batch, check_gradient};
use plywood::optim::{Step, Update, UpdateRule};
use plywood::prelude::*;
use plywood::testing::{Exemption, LayerCheck};
use serde::{Deserialize, Serialize};

/// An embedding of ids, pooled by the mean over the ids that are not 0 (padding). It turns `[batch, length]` into
/// `[batch, width]`. A step touches only the rows of the ids in the batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
struct MeanEmbedding<F: Scalar = f32> {
    table: Param<F>,
}

#[derive(Clone, Debug)]
struct MeanEmbeddingSpec {
    ids: usize,
    width: usize,
}

impl<F: Scalar> LayerSpec<F> for MeanEmbeddingSpec {
    type Layer = MeanEmbedding<F>;
    fn build(self, _: &[usize], random: &Random) -> Result<MeanEmbedding<F>> {
        let init = Initializer::Uniform { low: -0.5, high: 0.5 };
        let table = init.tensor(&[self.ids, self.width], self.ids, self.width, &random.child("table"))?;
        Ok(MeanEmbedding { table: Param::new(table) })
    }
}

impl<F: Scalar> MeanEmbedding<F> {
    /// Returns the ids of each sample that are not padding.
    fn ids(&self, input: &Tensor<F>) -> Result<Vec<Vec<usize>>> {
        let limit = self.table.shape()[0];
        let mut all = Vec::new();
        for (sample, row) in input.outer_iter().enumerate() {
            let mut ids = Vec::new();
            for &x in row {
                let id = x.as_f64();
                if !(id >= 0.0 && id < limit as f64 && id.fract() == 0.0) {
                    return Err(Error::data(
                        format!("an id in sample {sample}"),
                        format!("be whole and below {limit}"),
                        id,
                    )
                    .help("Look the words up in the vocabulary that the embedding was built for."));
                }
                if id > 0.0 {
                    ids.push(id as usize);
                }
            }
            all.push(ids);
        }
        Ok(all)
    }

    fn mean(&self, ids: &[Vec<usize>]) -> Tensor<F> {
        let width = self.table.shape()[1];
        let mut out = Array2::<F>::zeros((ids.len(), width));
        for (mut row, ids) in out.outer_iter_mut().zip(ids) {
            for &id in ids {
                row += &self.table.value().index_axis(Axis(0), id);
            }
            row /= F::of(ids.len().max(1) as f64);
        }
        out.into_dyn()
    }
}

impl<F: Scalar> Layer<F> for MeanEmbedding<F> {
    const KIND: Kind = Kind::own("outside.mean_embedding");
    /// The ids of each sample, and the length of the input.
    type Cache = (Vec<Vec<usize>>, usize);
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        match input {
            [_] => Ok(vec![self.table.shape()[1]]),
            _ => Err(Error::shape("the input", "[length]", input).help("Give a row of ids for each sample.")),
        }
    }
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        Ok(self.mean(&self.ids(&input)?))
    }
    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        let ids = self.ids(&input)?;
        Ok((self.mean(&ids), (ids, input.len_of(Axis(1)))))
    }
    fn backward(&mut self, (ids, length): Self::Cache, grad: Tensor<F>) -> Result<Tensor<F>> {
        let width = self.table.shape()[1];
        check_gradient(&grad, &[ids.len(), width])?;
        let mut rows = Vec::new();
        for (row, ids) in grad.outer_iter().zip(&ids) {
            let share = F::of(ids.len().max(1) as f64).recip();
            for _ in ids {
                rows.extend(row.iter().map(|&g| g * share));
            }
        }
        let touched = ids.concat();
        let rows = Array2::from_shape_vec((touched.len(), width), rows).map_err(Error::custom)?;
        self.table.add_gradient_rows(&touched, rows.view())?;
        Ok(Tensor::zeros(vec![ids.len(), length]))
    }
    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        visit("table", &self.table);
    }
    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        visit("table", &mut self.table);
    }
}

/// A custom batch normalization without scale and shift: it has buffers, and training differs from inference.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
struct Whiten<F: Scalar = f32> {
    mean: Param<F>,
    variance: Param<F>,
}

impl<F: Scalar> Whiten<F> {
    fn new(features: usize) -> Self {
        Self { mean: Param::buffer(Array1::zeros(features)), variance: Param::buffer(Array1::ones(features)) }
    }
    fn epsilon() -> F {
        F::of(1e-5)
    }
}

impl<F: Scalar> Layer<F> for Whiten<F> {
    const KIND: Kind = Kind::own("outside.whiten");
    /// The normal numbers, in training alone, and the factor.
    type Cache = (Option<Tensor<F>>, Tensor<F>);
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        if input != self.mean.shape() {
            let expected = format!("{:?}", self.mean.shape());
            return Err(Error::shape("the input", expected, input).help("Build it for as many features."));
        }
        Ok(input.to_vec())
    }
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        check_batch(&input, self.mean.shape())?;
        Ok((input - self.mean.value()) / self.variance.value().mapv(|v| (v + Self::epsilon()).sqrt()))
    }
    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        check_batch(&input, self.mean.shape())?;
        let Some(mean) = input.mean_axis(Axis(0)) else { return Ok((input.clone(), (None, input))) };
        let centred = input - &mean;
        let variance = (&centred * &centred).mean_axis(Axis(0)).unwrap_or_else(|| mean.clone());
        let keep = F::of(0.9);
        let update = |old: &Tensor<F>, new: &Tensor<F>| old * keep + new * (F::one() - keep);
        self.mean.set_value(update(self.mean.value(), &mean))?;
        self.variance.set_value(update(self.variance.value(), &variance))?;
        let factor = variance.mapv(|v| (v + Self::epsilon()).sqrt().recip());
        let normal = centred * &factor;
        Ok((normal.clone(), (Some(normal), factor)))
    }
    fn forward_eval(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        let factor = self.variance.value().mapv(|v| (v + Self::epsilon()).sqrt().recip());
        Ok((self.forward(input)?, (None, factor)))
    }
    fn backward(&mut self, (normal, factor): Self::Cache, grad: Tensor<F>) -> Result<Tensor<F>> {
        let Some(normal) = normal else { return Ok(grad * factor) };
        check_gradient(&grad, normal.shape())?;
        let mean = |t: Tensor<F>| t.mean_axis(Axis(0)).unwrap_or(t);
        let shift = mean(grad.clone()) + &normal * &mean(&grad * &normal);
        Ok((grad - shift) * factor)
    }
    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        visit("mean", &self.mean);
        visit("variance", &self.variance);
    }
    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        visit("mean", &mut self.mean);
        visit("variance", &mut self.variance);
    }
}

/// `y = x + body(x)`, around any layers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
struct Residual<F: Scalar = f32> {
    body: Sequential<F>,
}

struct ResidualSpec<S>(S);

impl<F: Scalar, S: LayerSpec<F, Layer = Sequential<F>>> LayerSpec<F> for ResidualSpec<S> {
    type Layer = Residual<F>;
    fn build(self, input: &[usize], random: &Random) -> Result<Residual<F>> {
        Ok(Residual { body: self.0.build(input, random)? })
    }
}

impl<F: Scalar> Layer<F> for Residual<F> {
    const KIND: Kind = Kind::own("outside.residual");
    type Cache = <Sequential<F> as Layer<F>>::Cache;
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        let output = Layer::output_shape(&self.body, input)?;
        if output != input {
            let expected = format!("{input:?}");
            return Err(Error::shape("the body's output", expected, &output)
                .help("A body keeps the shape of its input."));
        }
        Ok(output)
    }
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        Ok(self.body.forward(input.clone())? + input)
    }
    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        let (output, cache) = self.body.forward_train(input.clone())?;
        Ok((output + input, cache))
    }
    fn forward_eval(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        let (output, cache) = self.body.forward_eval(input.clone())?;
        Ok((output + input, cache))
    }
    fn backward(&mut self, cache: Self::Cache, grad: Tensor<F>) -> Result<Tensor<F>> {
        Ok(self.body.backward(cache, grad.clone())? + grad)
    }
    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        self.body.visit_params(&mut |name, param| visit(&format!("body.{name}"), param));
    }
    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        self.body.visit_params_mut(&mut |name, param| visit(&format!("body.{name}"), param));
    }
}

/// `y = x · sigmoid(β x)` with a trained β, for f32 models only, so without generics.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Swish {
    beta: Param,
}

impl Swish {
    fn new() -> Self {
        Self { beta: Param::new(Array1::ones(1)) }
    }
    fn gate(&self, x: f32) -> f32 {
        1.0 / (1.0 + (-self.beta.as_slice()[0] * x).exp())
    }
}

impl Layer for Swish {
    const KIND: Kind = Kind::own("outside.swish");
    type Cache = Tensor;
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        Ok(input.to_vec())
    }
    fn forward(&self, input: Tensor) -> Result<Tensor> {
        Ok(input.mapv(|x| x * self.gate(x)))
    }
    fn forward_train(&mut self, input: Tensor) -> Result<(Tensor, Tensor)> {
        Ok((self.forward(input.clone())?, input))
    }
    fn backward(&mut self, input: Tensor, mut grad: Tensor) -> Result<Tensor> {
        check_gradient(&grad, input.shape())?;
        let beta = self.beta.as_slice()[0];
        let mut d_beta = 0.0;
        for (g, &x) in grad.iter_mut().zip(&input) {
            let s = self.gate(x);
            d_beta += *g * x * x * s * (1.0 - s);
            *g *= s + beta * x * s * (1.0 - s);
        }
        self.beta.add_gradient(&Array1::from_elem(1, d_beta).into_dyn())?;
        Ok(grad)
    }
    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param)) {
        visit("beta", &self.beta);
    }
    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param)) {
        visit("beta", &mut self.beta);
    }
}

/// A layer without parameters, defined by a function and its derivative.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Softsign;

impl Elementwise for Softsign {
    const KIND: Kind = Kind::own("outside.softsign");
    fn value<F: Scalar>(&self, x: F) -> F {
        x / (F::one() + x.abs())
    }
    fn derivative<F: Scalar>(&self, x: F, _: F) -> F {
        (F::one() + x.abs()).powi(2).recip()
    }
}

/// RMSprop (Tieleman and Hinton, 2012).
#[derive(Debug)]
struct MeanSquare {
    decay: f64,
}

impl<F: Scalar> UpdateRule<F> for MeanSquare {
    fn kind(&self) -> Kind {
        const { Kind::own("outside.mean_square") }
    }
    fn default_learning_rate(&self) -> f64 {
        0.01
    }
    fn slots(&self) -> usize {
        1
    }
    fn begin_step(&mut self, _: Step) -> Result<()> {
        if (0.0..1.0).contains(&self.decay) {
            return Ok(());
        }
        Err(Error::argument("decay", "at least 0 and below 1", self.decay).help("0.9 is usual."))
    }
    fn update(&self, update: Update<'_, F>, step: Step) {
        let (rate, decay) = (F::of(step.learning_rate), F::of(self.decay));
        let [square] = update.slots else { return };
        for ((w, &g), s) in update.value.iter_mut().zip(update.gradient).zip(square.iter_mut()) {
            *s = decay * *s + (F::one() - decay) * g * g;
            *w -= rate * g / (s.sqrt() + F::of(1e-8));
        }
    }
}

/// Squared hinge loss over classes, with sample weights: `Σ_j≠label max(0, 1 + y_j - y_label)²`.
#[derive(Debug)]
struct SquaredHinge;

impl<F: Scalar> Loss<F> for SquaredHinge {
    type Target = [usize];
    fn value_and_grad(
        &self,
        output: Tensor<F>,
        labels: &[usize],
        weights: Option<&[F]>,
        divisor: f64,
    ) -> Result<(LossSum, Tensor<F>)> {
        let weights = sample_weights(weights, labels.len())?;
        check_batch(&output, &[output.shape().last().copied().unwrap_or(0)])?;
        let mut value = LossSum::default();
        let mut grad = Tensor::zeros(output.raw_dim());
        for (((y, mut g), &label), w) in
            output.outer_iter().zip(grad.outer_iter_mut()).zip(labels).zip(weights)
        {
            let mut sum = F::zero();
            for j in (0..y.len()).filter(|&j| j != label) {
                let excess = F::one() + y[[j]] - y[[label]];
                if excess > F::zero() {
                    sum += excess * excess;
                    let slope = F::of(2.0) * w * excess / F::of(divisor);
                    g[[j]] += slope;
                    g[[label]] -= slope;
                }
            }
            value.add(w.as_f64(), sum.as_f64());
        }
        Ok((value, grad))
    }
}

/// The mean margin between the true class and the best other class.
#[derive(Default)]
struct Margin {
    sum: f64,
    count: f64,
}

impl<F: Scalar> Metric<[usize], F> for Margin {
    fn name(&self) -> &str {
        "margin"
    }
    fn reset(&mut self) {
        *self = Self::default();
    }
    fn update(&mut self, output: &Tensor<F>, labels: &[usize], _: Option<&[F]>) -> Result<()> {
        for (row, &label) in output.outer_iter().zip(labels) {
            let others = row.iter().enumerate().filter(|(j, _)| *j != label);
            let best = others.map(|(_, y)| y.as_f64()).fold(f64::NEG_INFINITY, f64::max);
            self.sum += row[[label]].as_f64() - best;
            self.count += 1.0;
        }
        Ok(())
    }
    fn value(&self) -> f64 {
        self.sum / self.count
    }
}

const LENGTH: usize = 6;
const IDS: usize = 1000;

/// Sequences of ids, generated when they are read. The label is 1 if most of the ids are even. Such samples have a
/// weight of 2.
struct Sequences(usize);

impl Sequences {
    fn sample(i: usize) -> (Vec<usize>, usize) {
        let mut draws = Random::seed(11).child("sequences").at(0, i as u64);
        let length = 1 + 2 * draws.below(3);
        let mut ids: Vec<usize> = (0..length).map(|_| 1 + draws.below(IDS - 1)).collect();
        let even = 2 * ids.iter().filter(|&&id| id % 2 == 0).count() > length;
        ids.resize(LENGTH, 0);
        (ids, usize::from(even))
    }
}

impl Dataset for Sequences {
    type Target = Vec<usize>;
    fn len(&self) -> usize {
        self.0
    }
    fn input_shapes(&self) -> InputShapes<'_> {
        InputShapes::One(&[LENGTH])
    }
    fn read(&self, indices: &[usize], _: Pass, batch: &mut Batch<f32, Vec<usize>>) -> Result<()> {
        let samples: Vec<_> = indices.iter().map(|&i| Self::sample(i)).collect();
        let out = batch.input_mut(indices.len(), &[LENGTH]);
        for (row, (ids, _)) in out.chunks_exact_mut(LENGTH).zip(&samples) {
            row.iter_mut().zip(ids).for_each(|(x, &id)| *x = id as f32);
        }
        batch.target = samples.iter().map(|(_, label)| *label).collect();
        batch.weights = Some(batch.target.iter().map(|&label| 1.0 + label as f32).collect());
        Ok(())
    }
}

fn model(seed: u64) -> Result<Sequential> {
    let body = Sequential::block().layer(Dense::units(16)).layer(Whiten::new(16)).layer(Swish::new());
    let inner = Sequential::block().layer(ResidualSpec(body)).layer(Softsign);
    Sequential::builder([LENGTH])
        .seed(seed)
        .layer(MeanEmbeddingSpec { ids: IDS, width: 16 })
        .layer(ResidualSpec(Sequential::block().layer(inner)))
        .layer(Dense::units(2))
        .build()
}

fn registry() -> Registry {
    Registry::builtin()
        .with::<MeanEmbedding>()
        .with::<Whiten>()
        .with::<Residual>()
        .with::<Swish>()
        .with::<Softsign>()
}

fn ids(rows: usize) -> Tensor {
    let all: Vec<f32> = (0..rows).flat_map(|i| Sequences::sample(i).0).map(|id| id as f32).collect();
    Array2::from_shape_vec((rows, LENGTH), all).unwrap().into_dyn()
}

#[test]
fn every_layer_passes_the_battery() {
    let small = |rows: usize| ids(rows).mapv(|id| id % 7.0);
    let embedding = MeanEmbeddingSpec { ids: 7, width: 3 };
    let check = || LayerCheck::<f64>::new(&[LENGTH]).exempt(Exemption::InputGradient);
    println!("{}", check().inputs(small(5).mapv(f64::from)).run(embedding.clone()).unwrap());
    let check = LayerCheck::<f32>::new(&[LENGTH]).exempt(Exemption::InputGradient).inputs(small(5));
    println!("{}", check.run(embedding).unwrap());

    let check = LayerCheck::<f64>::new(&[4]).exempt(Exemption::TrainingDiffers);
    println!("{}", check.run(Whiten::new(4)).unwrap());
    println!("{}", check_layer::<f32>(Swish::new(), &[4]).unwrap());
    println!("{}", check_layer::<f64>(Softsign, &[2, 3]).unwrap());
    let body = Sequential::<f64>::block_of().layer(Dense::units(5)).layer(Tanh);
    println!("{}", check_layer::<f64>(ResidualSpec(body), &[5]).unwrap());
}

#[test]
fn they_compose_train_save_load_and_predict_the_same_bits() {
    let data = Sequences(2000);
    let mut model = model(1).unwrap();
    let mut trainer = Trainer::new(SquaredHinge, MeanSquare { decay: 0.9 })
        .epochs(6)
        .validation_split(0.2)
        .metric(Accuracy::default())
        .metric(Margin::default())
        .progress(Progress::Silent);
    let history = trainer.fit(&mut model, &data).unwrap();
    assert!(history.last("val_accuracy").unwrap() > 0.8, "{history}");
    assert!(history.last("margin").unwrap() > history.first("margin").unwrap());

    let dir = std::env::temp_dir().join(format!("plywood-outside-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("model.plywood");
    model.save(&path).unwrap();
    let x = ids(100);
    let loaded = Sequential::load_with(&path, &registry()).unwrap();
    assert_eq!(model.predict(&x).unwrap(), loaded.predict(&x).unwrap());
    let mut names = Vec::new();
    loaded.visit_params(&mut |name, param| names.push(format!("{name} {:?}", param.shape())));
    assert_eq!(
        names,
        [
            "0.table [1000, 16]",
            "1.body.0.0.body.0.weight [16, 16]",
            "1.body.0.0.body.0.bias [16]",
            "1.body.0.0.body.1.mean [16]",
            "1.body.0.0.body.1.variance [16]",
            "1.body.0.0.body.2.beta [1]",
            "2.weight [16, 2]",
            "2.bias [2]",
        ]
    );
    // An unknown kind is named in the error, even three containers deep.
    let text = Sequential::load_with(&path, &Registry::builtin()).unwrap_err().to_string();
    assert!(
        text.contains("got \"outside.mean_embedding\"") && text.contains("Registry::builtin().with"),
        "{text}"
    );
    let without =
        Registry::builtin().with::<MeanEmbedding>().with::<Whiten>().with::<Residual>().with::<Softsign>();
    let error = Sequential::load_with(&path, &without).unwrap_err();
    assert!(
        matches!(error.kind(), plywood::ErrorKind::UnknownLayer { kind, .. } if kind == "outside.swish"),
        "{error}"
    );
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn one_seed_one_result_and_two_seeds_two() {
    let train = |seed: u64| {
        let mut model = model(seed).unwrap();
        Trainer::new(SquaredHinge, MeanSquare { decay: 0.9 })
            .epochs(2)
            .seed(seed)
            .progress(Progress::Silent)
            .fit(&mut model, &Sequences(200))
            .unwrap();
        model.predict(&ids(20)).unwrap()
    };
    assert_eq!(train(1), train(1));
    assert_ne!(train(1), train(2));
}

#[test]
fn a_step_of_the_embedding_touches_its_rows_alone() {
    let mut model = model(1).unwrap();
    let mut before = Tensor::zeros(vec![0]);
    model.visit_params(&mut |name, param| {
        if name == "0.table" {
            before = param.value().clone();
        }
    });
    let x = ids(3);
    let touched: Vec<usize> = x.iter().map(|&id| id as usize).filter(|&id| id > 0).collect();
    plywood::train::accumulate(&mut model, &SquaredHinge, x, &[0, 1, 0][..], None).unwrap();
    model.visit_params(&mut |name, param| {
        if name == "0.table" {
            assert!(
                matches!(param.gradient(), Some(Gradient::Rows { ids, .. }) if ids.len() == touched.len())
            );
        }
    });
    Optimizer::new(Adam::default()).step(&mut model).unwrap();
    model.visit_params(&mut |name, param| {
        if name == "0.table" {
            for (id, (old, new)) in before.outer_iter().zip(param.value().outer_iter()).enumerate() {
                assert_eq!(old != new, touched.contains(&id), "row {id}");
            }
        }
    });
}

#[test]
fn their_errors_name_the_place() {
    let model = model(1).unwrap();
    let text = model.predict(&Array2::from_elem((1, LENGTH), 1000.0f32)).unwrap_err().to_string();
    assert_eq!(
        text,
        "predict, layer 0 (outside.mean_embedding): an id in sample 0 must be whole and below 1000, got 1000. \
         Look the words up in the vocabulary that the embedding was built for."
    );
    let body = Sequential::block().layer(Dense::units(3));
    let text = Sequential::builder([4]).layer(ResidualSpec(body)).build().unwrap_err().to_string();
    assert!(
        text.starts_with("layer 0 (outside.residual): the body's output must have shape [4], got [3]"),
        "{text}"
    );
    let rows = ArrayView2::<f32>::from_shape((1, 2), &[0.0, 0.0]).unwrap();
    assert!(ndarray::Zip::from(rows).all(|&x| x == 0.0));
}
