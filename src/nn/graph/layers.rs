//! Layers in a graph that is being built.

use super::builder::{GraphBuilder, Value};
use super::dag::{check_name, layer_place, taken};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::{Layer, LayerSpec};

impl<F: Scalar> GraphBuilder<F> {
    /// Applies one layer to several values, with the same parameters: a siamese network has two. Their gradients add up.
    ///
    /// The layer is built for the shape of the first value.
    ///
    /// ```
    /// use plywood::nn::Graph;
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let (left, right) = (g.input("left", [8]), g.input("right", [8]));
    /// let [a, b] = g.shared(Dense::units(4), [left, right]);
    /// g.output("distance", (a - b).square().sum(-1));
    /// assert_eq!(g.build()?.parameter_count(), 8 * 4 + 4);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn shared<'g, S: LayerSpec<F>, const N: usize>(
        &'g self,
        spec: S,
        values: [Value<'g, F>; N],
    ) -> [Value<'g, F>; N] {
        let mut outputs = values;
        let layer = match values.first() {
            Some(first) => self.add_layer(None, spec, *first, &[]),
            None => None,
        };
        // In a closure, the user's line would be lost.
        for output in &mut outputs {
            *output = match layer {
                Some(k) => self.place_layer(k, *output, &[], 1)[0],
                None => Value { builder: self, value: None },
            };
        }
        outputs
    }

    /// Builds a layer for this first input, and other inputs by name. Returns its number.
    #[track_caller]
    fn add_layer<'g, S: LayerSpec<F>>(
        &'g self,
        name: Option<&str>,
        spec: S,
        first: Value<'g, F>,
        others: &[(&str, Value<'g, F>)],
    ) -> Option<usize> {
        let number = self.inner.borrow().next;
        let name = name.map_or_else(|| number.to_string(), str::to_owned);
        let is_free = || match self.inner.borrow().layers.iter().any(|(other, _)| *other == name) {
            true => Err(taken("a layer", &name)),
            false => check_name("a layer", &name),
        };
        let built = self.of(first).and_then(|_| is_free()).and_then(|()| {
            let others: Vec<(&str, Vec<usize>)> =
                others.iter().map(|(name, value)| (*name, value.shape())).collect();
            let others: Vec<(&str, &[usize])> =
                others.iter().map(|(name, shape)| (*name, &shape[..])).collect();
            first
                .value
                .map(|_| spec.build_ports(&first.shape(), &others, &self.random.child(number)))
                .transpose()
        });
        match built {
            Ok(Some(layer)) => {
                let inner = &mut *self.inner.borrow_mut();
                inner.layers.push((name, Box::new(layer)));
                inner.next += 1;
                Some(inner.layers.len() - 1)
            }
            Ok(None) => None,
            Err(error) => {
                self.value(&layer_place(&name, <S::Layer as Layer<F>>::KIND.name()), Err(error));
                None
            }
        }
    }

    /// Applies a layer to values, and returns `count` of its outputs.
    #[track_caller]
    fn place_layer<'g>(
        &'g self,
        k: usize,
        first: Value<'g, F>,
        others: &[(&str, Value<'g, F>)],
        count: usize,
    ) -> Vec<Value<'g, F>> {
        let bad = || vec![Value { builder: self, value: None }; count];
        let pushed = self.inputs_of(k, first, others).and_then(|inputs| {
            let inner = &mut *self.inner.borrow_mut();
            let Some(inputs) = inputs else { return Ok(None) };
            let (first, outputs) = inner.source.push_layer::<F>(k, &*inner.layers[k].1, inputs)?;
            if count > outputs {
                let names = inner.layers[k].1.erased_ports().outputs();
                return Err(Error::data(
                    "the number of outputs",
                    format!("be at most {outputs}, {names:?}"),
                    count,
                )
                .help("`let [a, b] = x.call(…)` takes the first two."));
            }
            Ok(Some(first))
        });
        match pushed {
            Ok(None) => bad(),
            Ok(Some(first)) => {
                (first..first + count).map(|value| Value { builder: self, value: Some(value) }).collect()
            }
            Err(error) => {
                let place = {
                    let (name, layer) = &self.inner.borrow().layers[k];
                    layer_place(name, layer.erased_label())
                };
                self.value(&place, Err(error));
                bad()
            }
        }
    }

    /// The inputs of a layer, in the order of its ports.
    fn inputs_of(
        &self,
        k: usize,
        first: Value<'_, F>,
        others: &[(&str, Value<'_, F>)],
    ) -> Result<Option<Vec<Option<usize>>>> {
        let ports = self.inner.borrow().layers[k].1.erased_ports();
        let Some(first) = self.of(first)? else { return Ok(None) };
        let mut inputs = vec![None; ports.input_count()];
        if let Some(place) = inputs.first_mut() {
            *place = Some(first);
        }
        for (name, value) in others {
            let Some(value) = self.of(*value)? else { return Ok(None) };
            let port = ports.inputs().position(|(known, _)| known == *name);
            match port.and_then(|port| inputs.get_mut(port)).filter(|place| place.is_none()) {
                Some(place) => *place = Some(value),
                None => {
                    let known: Vec<_> = ports.inputs().skip(1).map(|(name, _)| name).collect();
                    let expected = match known[..] {
                        [] => "left out, as the layer has one input".to_owned(),
                        _ => format!("one of {known:?}, once"),
                    };
                    return Err(Error::argument("the name of an input", expected, name)
                        .help("The first input is the value that `call` is called on."));
                }
            }
        }
        Ok(Some(inputs))
    }
}

impl<'g, F: Scalar> Value<'g, F> {
    /// Applies a layer; a layer with several outputs returns the first. It is named by its number, from 0.
    ///
    /// ```
    /// use plywood::nn::Graph;
    /// use plywood::prelude::*;
    ///
    /// let g = Graph::builder();
    /// let (image, row) = (g.input("image", [1, 8, 8]), g.input("row", [3]));
    /// let x = image.layer(Conv2d::filters(4, 3)).layer(ReLU).layer(Flatten).layer(Dense::units(16));
    /// let x = x.concat(&[row], -1);
    /// g.output("class", x.layer(Dense::units(10)).layer(Softmax));
    /// assert_eq!(g.build()?.outputs()[0].shape(), [10]);
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[track_caller]
    pub fn layer<S: LayerSpec<F>>(self, spec: S) -> Self {
        // A closure would lose the user's line.
        match self.builder.add_layer(None, spec, self, &[]) {
            Some(k) => self.builder.place_layer(k, self, &[], 1)[0],
            None => Self { value: None, ..self },
        }
    }

    /// Applies a layer that has this name, which is in front of those of its parameters: "encoder" in "encoder.weight".
    #[track_caller]
    pub fn layer_named<S: LayerSpec<F>>(self, name: &str, spec: S) -> Self {
        match self.builder.add_layer(Some(name), spec, self, &[]) {
            Some(k) => self.builder.place_layer(k, self, &[], 1)[0],
            None => Self { value: None, ..self },
        }
    }

    /// Applies a layer with several inputs or outputs ([`Layer::ports`]): this is its first input, the others are given
    /// by name. Returns its first `N` outputs.
    ///
    /// ```text
    /// let [steps, last] = x.call(Recurrent::units(4), [("state", h)]);
    /// ```
    #[track_caller]
    pub fn call<S: LayerSpec<F>, const N: usize, const M: usize>(
        self,
        spec: S,
        others: [(&str, Self); M],
    ) -> [Self; N] {
        let bad = [Self { value: None, ..self }; N];
        if others.iter().any(|(_, value)| value.value.is_none()) {
            return bad;
        }
        let Some(k) = self.builder.add_layer(None, spec, self, &others) else { return bad };
        let outputs = self.builder.place_layer(k, self, &others, N);
        std::array::from_fn(|i| outputs[i])
    }
}
