//! Layers with several inputs and outputs, written as a user would: a recurrence with an optional state and lengths, and
//! an attention with two inputs and a mask.

use plywood::ndarray::{Array1, Array2, ArrayD, Axis, Ix2, Ix3, s};
use plywood::nn::{
    Io, PortGradients, Ports, backward_ports, first_input_gradient, first_output, first_output_shape,
    first_output_train, infer_ports, train_ports,
};
use plywood::prelude::*;
use plywood::testing::LayerCheck;
use serde::{Deserialize, Serialize};

/// `h_t = tanh(x_t · W + h_{t-1} · U + b)` over the steps of a sample, as many as its length says. From there on the state
/// stays as it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Recurrent<F: Scalar = f32> {
    weight: Param<F>,
    recurrent: Param<F>,
    bias: Param<F>,
}

pub struct RecurrentSpec(pub usize);

impl<F: Scalar> LayerSpec<F> for RecurrentSpec {
    type Layer = Recurrent<F>;
    fn build(self, input: &[usize], random: &Random) -> Result<Recurrent<F>> {
        let [_, features] = *input else {
            return Err(Error::shape("the input", "[steps, features]", input).help("Give a sequence."));
        };
        let draw = |name: &str, rows: usize| {
            Initializer::GlorotUniform
                .tensor(&[rows, self.0], rows, self.0, &random.child(name))
                .map(Param::new)
        };
        let bias = Param::new(Array1::zeros(self.0));
        Ok(Recurrent { weight: draw("weight", features)?, recurrent: draw("recurrent", self.0)?, bias })
    }
}

/// The inputs of all steps, the state before and after each, and which samples each step counts for.
pub struct RecurrentCache<F> {
    input: ArrayD<F>,
    states: Vec<Array2<F>>,
    active: Vec<Vec<bool>>,
    has_state: bool,
}

fn matrix<F: Scalar>(param: &Param<F>) -> plywood::ndarray::ArrayView2<'_, F> {
    param.value().view().into_dimensionality::<Ix2>().unwrap()
}

impl<F: Scalar> Recurrent<F> {
    fn pass(&self, io: &mut Io<'_, F>) -> Result<RecurrentCache<F>> {
        let input = io.take(0)?;
        let x = input.view().into_dimensionality::<Ix3>().map_err(Error::custom)?;
        let (rows, steps, _) = x.dim();
        let units = self.bias.len();
        let initial = io.take_if(1);
        let has_state = initial.is_some();
        let mut states = vec![match initial {
            Some(state) => state.into_dimensionality::<Ix2>().map_err(Error::custom)?,
            None => Array2::zeros((rows, units)),
        }];
        let lengths = io.lengths(2, steps)?;
        let mut active = Vec::new();
        let mut out = ArrayD::zeros(vec![rows, steps, units]);
        for t in 0..steps {
            let before = &states[t];
            let sums =
                x.index_axis(Axis(1), t).dot(&matrix(&self.weight)) + before.dot(&matrix(&self.recurrent));
            let mut after =
                (sums + self.bias.value()).mapv(|v| v.tanh()).into_dimensionality::<Ix2>().unwrap();
            let counts: Vec<bool> =
                (0..rows).map(|i| lengths.as_ref().is_none_or(|lengths| t < lengths[i])).collect();
            for (i, counts) in counts.iter().enumerate().filter(|(_, counts)| !**counts) {
                let _ = counts;
                after.row_mut(i).assign(&before.row(i));
            }
            out.index_axis_mut(Axis(1), t).assign(&after);
            active.push(counts);
            states.push(after);
        }
        let last = states[steps].clone().into_dyn();
        if io.wants(0) {
            io.put(0, out)?;
        }
        io.put(1, last)?;
        Ok(RecurrentCache { input, states, active, has_state })
    }
}

impl<F: Scalar> Layer<F> for Recurrent<F> {
    const KIND: Kind = Kind::own("tests.recurrent");
    type Cache = RecurrentCache<F>;
    fn ports(&self) -> Ports {
        Ports::new(&["input"], &["steps", "last"])
            .optional(&["state", "lengths"])
            .reads_lengths(&[("input", "lengths")])
            .keeps_steps(&[("steps", "input")])
    }
    fn output_shapes(&self, inputs: &[Option<&[usize]>]) -> Result<Vec<Vec<usize>>> {
        self.ports().check(inputs)?;
        let (units, features) = (self.bias.len(), self.weight.shape()[0]);
        match (inputs[0], inputs[1].unwrap_or(&[units])) {
            (Some(&[steps, found]), &[state]) if found == features && state == units => {
                Ok(vec![vec![steps, units], vec![units]])
            }
            (found, _) => {
                Err(Error::shape("the input", format!("[steps, {features}]"), found.unwrap_or(&[]))
                    .help("Give a sequence, and a state as wide as the layer."))
            }
        }
    }
    fn forward_ports(&self, io: &mut Io<'_, F>) -> Result<()> {
        self.pass(io).map(drop)
    }
    fn forward_train_ports(&mut self, io: &mut Io<'_, F>) -> Result<RecurrentCache<F>> {
        self.pass(io)
    }
    fn backward_ports(
        &mut self,
        cache: RecurrentCache<F>,
        gradients: &mut PortGradients<'_, F>,
    ) -> Result<()> {
        let RecurrentCache { input, states, active, has_state } = cache;
        let x = input.view().into_dimensionality::<Ix3>().map_err(Error::custom)?;
        let (rows, steps, _) = x.dim();
        let of_steps = gradients.take(0);
        let mut dh = match gradients.take(1) {
            Some(last) => last.into_dimensionality::<Ix2>().map_err(Error::custom)?,
            None => Array2::zeros((rows, self.bias.len())),
        };
        let mut dx = ArrayD::zeros(input.raw_dim());
        let (mut dw, mut du) =
            (Array2::zeros(matrix(&self.weight).raw_dim()), Array2::zeros(matrix(&self.recurrent).raw_dim()));
        let mut db = Array1::zeros(self.bias.len());
        for t in (0..steps).rev() {
            if let Some(grad) = &of_steps {
                dh += &grad.index_axis(Axis(1), t);
            }
            let mut dz = &dh * &states[t + 1].mapv(|h| F::one() - h * h);
            for (i, _) in active[t].iter().enumerate().filter(|(_, counts)| !**counts) {
                dz.row_mut(i).fill(F::zero());
            }
            dw += &x.index_axis(Axis(1), t).t().dot(&dz);
            du += &states[t].t().dot(&dz);
            db += &dz.sum_axis(Axis(0));
            dx.index_axis_mut(Axis(1), t).assign(&dz.dot(&matrix(&self.weight).t()));
            let mut before = dz.dot(&matrix(&self.recurrent).t());
            for (i, _) in active[t].iter().enumerate().filter(|(_, counts)| !**counts) {
                before.row_mut(i).assign(&dh.row(i));
            }
            dh = before;
        }
        self.weight.add_gradient(&dw.into_dyn())?;
        self.recurrent.add_gradient(&du.into_dyn())?;
        self.bias.add_gradient(&db.into_dyn())?;
        gradients.put(0, dx)?;
        if has_state {
            gradients.put(1, dh.into_dyn())?;
        }
        Ok(())
    }
    // In a row of layers it hands on its steps.
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        first_output_shape(self, input)
    }
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        first_output(self, input)
    }
    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, RecurrentCache<F>)> {
        first_output_train(self, input, true)
    }
    fn forward_eval(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        first_output_train(self, input, false)
    }
    fn backward(&mut self, cache: RecurrentCache<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
        first_input_gradient(self, cache, grad)
    }
    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        visit("weight", &self.weight);
        visit("recurrent", &self.recurrent);
        visit("bias", &self.bias);
    }
    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        visit("weight", &mut self.weight);
        visit("recurrent", &mut self.recurrent);
        visit("bias", &mut self.bias);
    }
}

/// `softmax(x · Wq · (c · Wk)ᵀ) · c` over the places of the context that are no padding and where the mask is not 0.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Attention<F: Scalar = f32> {
    query: Param<F>,
    key: Param<F>,
}

pub struct AttentionSpec(pub usize);

impl<F: Scalar> LayerSpec<F> for AttentionSpec {
    type Layer = Attention<F>;
    fn build(self, input: &[usize], random: &Random) -> Result<Attention<F>> {
        self.build_ports(input, &[], random)
    }
    fn build_ports(
        self,
        input: &[usize],
        others: &[(&str, &[usize])],
        random: &Random,
    ) -> Result<Attention<F>> {
        let context = others.iter().find(|(name, _)| *name == "context").map(|(_, shape)| *shape);
        let (&[_, wide], Some(&[_, deep])) = (input, context) else {
            return Err(Error::custom("the input and the context must be sequences").help("Give both."));
        };
        let draw = |name: &str, rows: usize| {
            Initializer::GlorotUniform
                .tensor(&[rows, self.0], rows, self.0, &random.child(name))
                .map(Param::new)
        };
        Ok(Attention { query: draw("query", wide)?, key: draw("key", deep)? })
    }
}

/// For each sample: its input, its context without padding, and the attention of each place to each place of the context.
pub struct AttentionCache<F> {
    samples: Vec<(Array2<F>, Array2<F>, Array2<F>)>,
    context: Vec<usize>,
}

impl<F: Scalar> Attention<F> {
    fn pass(&self, io: &mut Io<'_, F>) -> Result<AttentionCache<F>> {
        let (input, context) = (io.take(0)?, io.take(1)?);
        let mask = io.view(2).map(|mask| mask.to_owned());
        let (rows, places, deep) = (input.len_of(Axis(0)), input.len_of(Axis(1)), context.len_of(Axis(2)));
        let lengths = io.lengths(3, context.len_of(Axis(1)))?;
        let mut out = ArrayD::zeros(vec![rows, places, deep]);
        let mut cache = AttentionCache { samples: Vec::new(), context: context.shape().to_vec() };
        for i in 0..rows {
            let of =
                |t: &ArrayD<F>| t.index_axis(Axis(0), i).to_owned().into_dimensionality::<Ix2>().unwrap();
            let real = lengths.as_ref().map_or(context.len_of(Axis(1)), |lengths| lengths[i]);
            let (x, c) = (of(&input), of(&context).slice_move(s![..real, ..]));
            let mut attention = x.dot(&matrix(&self.query)).dot(&c.dot(&matrix(&self.key)).t());
            for mut row in attention.rows_mut() {
                for (j, score) in row.iter_mut().enumerate() {
                    if mask.as_ref().is_some_and(|mask| mask[[i, j]] == F::zero()) {
                        *score = F::neg_infinity();
                    }
                }
                let most = row.iter().fold(F::neg_infinity(), |a, &b| a.max(b));
                row.mapv_inplace(|score| (score - most).exp());
                let sum = row.sum();
                row.mapv_inplace(|e| e / sum);
            }
            out.index_axis_mut(Axis(0), i).assign(&attention.dot(&c));
            cache.samples.push((x, c, attention));
        }
        io.put(0, out)?;
        Ok(cache)
    }
}

impl<F: Scalar> Layer<F> for Attention<F> {
    const KIND: Kind = Kind::own("tests.attention");
    type Cache = AttentionCache<F>;
    fn ports(&self) -> Ports {
        Ports::new(&["input", "context"], &["output"])
            .optional(&["mask", "context_lengths"])
            .reads_lengths(&[("context", "context_lengths")])
            .keeps_steps(&[("output", "input")])
    }
    fn output_shapes(&self, inputs: &[Option<&[usize]>]) -> Result<Vec<Vec<usize>>> {
        self.ports().check(inputs)?;
        match (inputs[0], inputs[1]) {
            (Some(&[places, wide]), Some(&[_, deep]))
                if wide == self.query.shape()[0] && deep == self.key.shape()[0] =>
            {
                Ok(vec![vec![places, deep]])
            }
            (found, _) => Err(Error::shape("the input", "[places, features]", found.unwrap_or(&[]))
                .help("Build the layer for these inputs.")),
        }
    }
    fn forward_ports(&self, io: &mut Io<'_, F>) -> Result<()> {
        self.pass(io).map(drop)
    }
    fn forward_train_ports(&mut self, io: &mut Io<'_, F>) -> Result<AttentionCache<F>> {
        self.pass(io)
    }
    fn backward_ports(
        &mut self,
        cache: AttentionCache<F>,
        gradients: &mut PortGradients<'_, F>,
    ) -> Result<()> {
        let Some(grad) = gradients.take(0) else { return Ok(()) };
        let AttentionCache { samples, context } = cache;
        let mut dx = ArrayD::zeros(vec![samples.len(), grad.len_of(Axis(1)), self.query.shape()[0]]);
        let mut dc = ArrayD::zeros(context);
        let (mut dq, mut dk) =
            (Array2::zeros(matrix(&self.query).raw_dim()), Array2::zeros(matrix(&self.key).raw_dim()));
        for (i, (x, c, attention)) in samples.iter().enumerate() {
            let g =
                grad.index_axis(Axis(0), i).to_owned().into_dimensionality::<Ix2>().map_err(Error::custom)?;
            let mut scores = g.dot(&c.t()) * attention;
            for (mut row, attention) in scores.rows_mut().into_iter().zip(attention.rows()) {
                let sum = row.sum();
                row.zip_mut_with(&attention, |score, &a| *score -= a * sum);
            }
            let (queries, keys) = (x.dot(&matrix(&self.query)), c.dot(&matrix(&self.key)));
            let (of_queries, of_keys) = (scores.dot(&keys), scores.t().dot(&queries));
            dq += &x.t().dot(&of_queries);
            dk += &c.t().dot(&of_keys);
            dx.index_axis_mut(Axis(0), i).assign(&of_queries.dot(&matrix(&self.query).t()));
            let back = attention.t().dot(&g) + of_keys.dot(&matrix(&self.key).t());
            dc.slice_mut(s![i, ..c.nrows(), ..]).assign(&back);
        }
        self.query.add_gradient(&dq.into_dyn())?;
        self.key.add_gradient(&dk.into_dyn())?;
        gradients.put(0, dx)?;
        gradients.put(1, dc)
    }
    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>> {
        first_output_shape(self, input)
    }
    fn forward(&self, input: Tensor<F>) -> Result<Tensor<F>> {
        first_output(self, input)
    }
    fn forward_train(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, AttentionCache<F>)> {
        first_output_train(self, input, true)
    }
    fn forward_eval(&mut self, input: Tensor<F>) -> Result<(Tensor<F>, Self::Cache)> {
        first_output_train(self, input, false)
    }
    fn backward(&mut self, cache: AttentionCache<F>, grad: Tensor<F>) -> Result<Tensor<F>> {
        first_input_gradient(self, cache, grad)
    }
    fn visit_params(&self, visit: &mut dyn FnMut(&str, &Param<F>)) {
        visit("query", &self.query);
        visit("key", &self.key);
    }
    fn visit_params_mut(&mut self, visit: &mut dyn FnMut(&str, &mut Param<F>)) {
        visit("query", &mut self.query);
        visit("key", &mut self.key);
    }
}

fn lengths<F: Scalar>() -> Tensor<F> {
    ArrayD::from_shape_fn(vec![5], |at| F::of([3.0, 1.0, 4.0, 2.0, 0.0][at[0]]))
}

fn mask<F: Scalar>() -> Tensor<F> {
    Array2::from_shape_fn((5, 4), |(i, j)| F::of(f64::from(u8::from(j <= i)))).into_dyn()
}

#[test]
fn a_recurrence_and_an_attention_pass_the_checks() {
    fn check<F: Scalar>() {
        let recurrent =
            LayerCheck::<F>::new(&[4, 3]).port("state", &[2]).port_inputs("lengths", lengths::<F>());
        let report = recurrent.run(RecurrentSpec(2)).unwrap().to_string();
        assert!(report.contains("with all inputs, saved and loaded"), "{report}");
        assert!(report.contains("with the required inputs alone, the gradients at the inputs"), "{report}");
        assert!(report.contains("in a row of layers it hands on its first output"), "{report}");
        assert!(report.contains("padding of the input \"input\" has no part in the outputs"), "{report}");
        let attention =
            LayerCheck::<F>::new(&[3, 5]).port("context", &[4, 2]).port_inputs("mask", mask::<F>());
        let report = attention.without_gradient("mask").run(AttentionSpec(3)).unwrap().to_string();
        assert!(
            report.contains("outputs that keep the steps of \"input\" depend on the same step alone"),
            "{report}"
        );
        assert!(report.contains("padding of the input \"context\" has no part in the outputs"), "{report}");
    }
    check::<f64>();
    check::<f32>();
}

#[test]
fn what_a_layer_of_several_ports_does_wrong_is_found() {
    let text = |check: LayerCheck<f64>| check.run(RecurrentSpec(2)).unwrap_err().to_string();
    let mask = LayerCheck::<f64>::new(&[3, 5]).port("context", &[4, 2]).port_inputs("mask", mask::<f64>());
    let found = mask.run(AttentionSpec(3)).unwrap_err().to_string();
    assert!(found.contains("the gradient at the input \"mask\" must be put, got none"), "{found}");
    let found = text(LayerCheck::<f64>::new(&[4, 3]).port("state", &[7]));
    assert!(found.contains("the input must have shape [steps, 3]"), "{found}");
    let found = text(LayerCheck::<f64>::new(&[4, 3]).port("stat", &[2]));
    assert!(found.contains("must be one of the layer's, [\"state\", \"lengths\"], got \"stat\""), "{found}");
    let one = LayerCheck::<f64>::new(&[3]).port("state", &[2]).run(Tanh).unwrap_err().to_string();
    assert!(one.contains("must be one of the layer's, [], got \"state\""), "{one}");
    let missing = LayerCheck::<f64>::new(&[3, 5]).run(AttentionSpec(3)).unwrap_err().to_string();
    assert!(missing.contains("the input and the context must be sequences"), "{missing}");
}

/// A sample's steps beyond its length have no part in its state, and a text alone, in a batch and padded further has the
/// same bits.
#[test]
fn padding_has_no_part() {
    let layer: Recurrent = RecurrentSpec(3).build(&[4, 2], &Random::seed(2)).unwrap();
    let x = ArrayD::from_shape_fn(vec![5, 4, 2], |at| ((at[0] * 5 + at[1] * 3 + at[2]) as f32).sin());
    let all = infer_ports(&layer, vec![Some(x.clone()), None, Some(lengths())]).unwrap();
    let mut longer = ArrayD::from_elem(vec![5, 9, 2], 7.0);
    longer.slice_mut(s![.., ..4, ..]).assign(&x);
    let padded = infer_ports(&layer, vec![Some(longer), None, Some(lengths())]).unwrap();
    assert_eq!(padded[1], all[1]);
    for (i, n) in [3, 1, 4, 2].into_iter().enumerate() {
        let alone = x.slice(s![i..=i, ..n, ..]).to_owned().into_dyn();
        let alone = infer_ports(&layer, vec![Some(alone), None, None]).unwrap();
        assert_eq!(alone[1].index_axis(Axis(0), 0), all[1].index_axis(Axis(0), i), "sample {i}");
    }
    assert!(all[1].index_axis(Axis(0), 4).iter().all(|&h| h == 0.0), "a text of no steps");
}

/// In a row of layers it hands on its first output, is trained, saved and loaded.
#[test]
fn in_a_row_it_has_one_input_and_one_output() {
    let mut model = Sequential::builder([4, 2])
        .seed(3)
        .layer(RecurrentSpec(6))
        .layer(Flatten)
        .layer(Dense::units(2))
        .layer(Softmax)
        .build()
        .unwrap();
    let x = ArrayD::from_shape_fn(vec![64, 4, 2], |at| ((at[0] * 7 + at[1] * 5 + at[2] * 3) as f32).sin());
    let labels: Vec<usize> = x.outer_iter().map(|x| usize::from(x.sum() > 0.0)).collect();
    let data = ArrayDataset::new(x.clone(), labels).unwrap();
    let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).learning_rate(0.02).epochs(30);
    let history = trainer.progress(Progress::Silent).fit(&mut model, &data).unwrap();
    assert!(history.last("loss").unwrap() < 0.3 * history.get("loss")[0], "{:?}", history.get("loss"));
    let registry = Registry::builtin().with::<Recurrent>();
    let loaded = Sequential::from_bytes(&model.to_bytes().unwrap(), &registry).unwrap();
    assert_eq!(loaded.predict(&x).unwrap(), model.predict(&x).unwrap());

    let refused = Sequential::builder([3, 5]).layer(AttentionSpec(3)).build().unwrap_err().to_string();
    assert!(refused.contains("the input and the context must be sequences"), "{refused}");
    let built = AttentionSpec(3).build_ports(&[3, 5], &[("context", &[4, 2])], &Random::seed(1)).unwrap();
    let layer: Attention = built;
    let refused = Sequential::builder([3, 5]).layer(layer).build().unwrap_err().to_string();
    assert_eq!(
        refused,
        "layer 0 (tests.attention): the input \"context\" must be given, got none. Give it. A row of layers hands on one input, \
         so a layer that needs several does not fit into it."
    );
}

#[test]
fn a_layer_of_one_input_has_ports_too_and_wrong_calls_are_errors() {
    let x = || ArrayD::<f64>::from_elem(vec![2, 3], 0.5);
    let mut tanh = Tanh;
    let (y, cache) = train_ports(&mut tanh, vec![Some(x())], true).unwrap();
    assert_eq!(y, infer_ports(&Tanh, vec![Some(x())]).unwrap());
    let dx = backward_ports(&mut tanh, cache, vec![Some(x())]).unwrap();
    let (_, cache) = tanh.forward_train(x()).unwrap();
    assert_eq!(dx[0].as_ref(), Some(&tanh.backward(cache, x()).unwrap()));
    // Without a gradient at the output there is none at the input.
    let (_, cache) = train_ports(&mut tanh, vec![Some(x())], false).unwrap();
    assert_eq!(backward_ports(&mut tanh, cache, vec![None]).unwrap(), [None]);

    let (_, cache) = train_ports(&mut tanh, vec![Some(x())], true).unwrap();
    let many = backward_ports(&mut tanh, cache, vec![Some(x()), None]).unwrap_err().to_string();
    assert!(
        many.starts_with("the number of gradients must be 1, one for each of [\"output\"], got 2."),
        "{many}"
    );
    let text = |result: Result<Vec<Tensor<f64>>>| result.unwrap_err().to_string();
    assert!(
        text(infer_ports(&Tanh, vec![]))
            .starts_with("the number of inputs must be 1, one for each port, got 0.")
    );
    assert!(text(infer_ports(&Tanh, vec![None])).starts_with("the input \"input\" must be given, got none."));
    assert_eq!(Layer::<f64>::output_shapes(&Tanh, &[Some(&[4])]).unwrap(), [[4]]);
    assert!(Layer::<f64>::output_shapes(&Tanh, &[None]).is_err());
}
