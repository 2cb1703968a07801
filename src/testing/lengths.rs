//! The checks of what a layer says about the steps of sequences.

use super::ports::{Inputs, infer};
use super::{CheckReport, LayerCheck};
use crate::error::{Error, Result};
use crate::kernels::Scalar;
use crate::nn::Ports;
use crate::nn::erased::ErasedLayer;
use crate::tensor::{Tensor, slice, standard};
use ndarray::{ArrayViewD, Axis, Slice};

/// Where the steps of a batch are.
const STEPS: Axis = Axis(1);

impl<F: Scalar> LayerCheck<F> {
    /// Checks all inputs that have steps: that outputs which keep them depend on the same step alone, and that padding
    /// changes nothing of what a layer that reads lengths returns.
    pub(super) fn run_length_checks(
        layer: &dyn ErasedLayer<F>,
        inputs: &Inputs<F>,
        report: &mut CheckReport,
    ) -> Result<()> {
        let ports = layer.erased_ports();
        made(layer, ports, inputs, report)?;
        for (i, (name, _)) in ports.inputs().enumerate() {
            let Some(x) = inputs[i].as_ref().filter(|x| x.ndim() > 1 && x.len_of(STEPS) > 1) else {
                continue;
            };
            let kept = |output: usize| {
                ports.keeps(output, i) || (output, i) == (0, 0) && layer.erased_keeps_steps(&x.shape()[1..])
            };
            let kept: Vec<bool> = (0..ports.outputs().len()).map(kept).collect();
            let at = At { layer, ports, inputs, i, x, kept: &kept };
            let lengths = ports.port_of_lengths(i).and_then(|port| Some((port, inputs[port].as_ref()?)));
            if let Some((port, lengths)) = lengths {
                at.padding(port, lengths)?;
                report.passed(&format!("padding of the input {name:?} has no part in the outputs"));
            } else if kept.contains(&true) {
                at.steps()?;
                report.passed(&format!(
                    "outputs that keep the steps of {name:?} depend on the same step alone"
                ));
            }
        }
        Ok(())
    }
}

/// Checks lengths that the layer makes: an integer from 0 to the number of steps for each sample.
fn made<F: Scalar>(
    layer: &dyn ErasedLayer<F>,
    ports: Ports,
    inputs: &Inputs<F>,
    report: &mut CheckReport,
) -> Result<()> {
    for (output, name) in ports.outputs().iter().enumerate() {
        let Some(at) = ports.lengths_made_for(output) else { continue };
        let outputs = infer(layer, inputs)?;
        let (y, lengths, own) = (&outputs[output], &outputs[at], ports.outputs()[at]);
        let rows = y.shape().first().copied().unwrap_or(0);
        if lengths.shape() != [rows] || y.ndim() < 2 {
            let expected =
                format!("[{rows}], a length for each sample of {name:?}, which has an axis of steps");
            return Err(Error::shape(format!("the output {own:?}"), expected, lengths.shape())
                .help("Correct the layer: lengths are one number for each sample."));
        }
        let steps = y.len_of(STEPS) as f64;
        let is_length = |length: f64| length.fract() == 0.0 && (0.0..=steps).contains(&length);
        if let Some(bad) = lengths.iter().map(|length| length.as_f64()).find(|&length| !is_length(length)) {
            let expected = format!("be integers from 0 to {steps}, the number of steps of {name:?}");
            return Err(Error::data(format!("the lengths {own:?}"), expected, bad)
                .help("Correct the layer: they are the numbers of steps that are no padding."));
        }
        report.passed(&format!("the lengths of {name:?} are integers up to the number of its steps"));
    }
    Ok(())
}

/// An input with steps.
struct At<'a, F: Scalar> {
    layer: &'a dyn ErasedLayer<F>,
    ports: Ports,
    inputs: &'a Inputs<F>,
    /// The number of the input, and its tensor.
    i: usize,
    x: &'a Tensor<F>,
    /// For each output, whether it keeps the steps.
    kept: &'a [bool],
}

impl<F: Scalar> At<'_, F> {
    /// Returns the outputs for another tensor at the input, and others.
    fn outputs(&self, x: Tensor<F>, others: &[(usize, Option<Tensor<F>>)]) -> Result<Vec<Tensor<F>>> {
        let mut inputs = self.inputs.clone();
        inputs[self.i] = Some(x);
        others.iter().for_each(|(port, tensor)| inputs[*port].clone_from(tensor));
        infer(self.layer, &inputs)
    }

    /// Changes one step after the other.
    fn steps(&self) -> Result<()> {
        let (x, n) = (self.x, self.x.len_of(STEPS));
        let outputs = infer(self.layer, self.inputs)?;
        for t in 0..n {
            let mut other = x.clone();
            for (row, mut sample) in other.outer_iter_mut().enumerate() {
                let from = x.index_axis(Axis(0), (row + 1) % x.len_of(Axis(0)));
                sample.index_axis_mut(Axis(0), t).assign(&from.index_axis(Axis(0), (t + 1) % n));
            }
            for (k, (y, other)) in outputs.iter().zip(self.outputs(other, &[])?).enumerate() {
                if !self.kept[k] {
                    continue;
                }
                self.as_many_steps(k, y)?;
                let apart = |y: &Tensor<F>, s: usize| bits(y.index_axis(STEPS, s));
                if let Some(s) = (0..n).find(|&s| s != t && apart(y, s) != apart(&other, s)) {
                    let name = self.ports.outputs()[k];
                    let found = format!("others after step {t} of the input was changed");
                    return Err(Error::data(format!("step {s} of the output {name:?}"), "keep its bits", found)
                        .help("Leave `keeps_steps` out for what mixes steps, or read the lengths (`Ports::reads_lengths`)."));
                }
            }
        }
        Ok(())
    }

    fn as_many_steps(&self, output: usize, y: &Tensor<F>) -> Result<()> {
        if y.ndim() > 1 && y.len_of(STEPS) == self.x.len_of(STEPS) {
            return Ok(());
        }
        let name = self.ports.outputs()[output];
        let expected = format!("[batch, {}, …], as it keeps the steps", self.x.len_of(STEPS));
        Err(Error::shape(format!("the output {name:?}"), expected, y.shape())
            .help("Leave `keeps_steps` out, or return as many steps."))
    }

    /// Changes the padding, gives the full lengths and none, and gives each sample alone without its padding.
    fn padding(&self, port: usize, lengths: &Tensor<F>) -> Result<()> {
        let (x, n) = (self.x, self.x.len_of(STEPS));
        let real: Vec<usize> = lengths.iter().map(|length| length.as_f64() as usize).collect();
        let outputs = infer(self.layer, self.inputs)?;
        let mut other = x.clone();
        for ((mut sample, from), &real) in other.outer_iter_mut().zip(x.outer_iter()).zip(&real) {
            for t in real..n {
                sample.index_axis_mut(Axis(0), t).assign(&from.index_axis(Axis(0), (t + 1) % n));
            }
        }
        let wrong = |what: &str, row: usize, k: usize| {
            let name = self.ports.outputs()[k];
            let found = format!("others {what}");
            Err(Error::data(format!("the output {name:?} of sample {row}"), "keep its bits", found)
                .help("Look only at as many steps as `Io::lengths` says, from the first on."))
        };
        let moved = self.outputs(other, &[])?;
        for k in 0..outputs.len() {
            if self.kept[k] {
                self.as_many_steps(k, &outputs[k])?;
            }
            let real = |row: usize| self.kept[k].then_some(real[row]);
            for (row, &length) in lengths.iter().enumerate() {
                if of_row(&outputs[k], row, real(row)) != of_row(&moved[k], row, real(row)) {
                    return wrong("after its padding was changed", row, k);
                }
                let Some(alone) = self.alone(port, row, length.as_f64() as usize)? else { continue };
                if of_row(&outputs[k], row, real(row)) != of_row(&alone[k], 0, real(row)) {
                    return wrong("alone and without its padding", row, k);
                }
            }
        }
        let full = Tensor::from_elem(lengths.raw_dim(), F::of(n as f64));
        let full = self.outputs(x.clone(), &[(port, Some(full))])?;
        for (k, (full, none)) in full.iter().zip(self.outputs(x.clone(), &[(port, None)])?).enumerate() {
            if slice(full) != slice(&none) {
                return wrong("without lengths than with full ones", 0, k);
            }
        }
        Ok(())
    }

    /// The outputs of a sample alone and without padding, if the layer takes fewer steps.
    fn alone(&self, port: usize, row: usize, real: usize) -> Result<Option<Vec<Tensor<F>>>> {
        let of_row = |x: &Tensor<F>| x.slice_axis(Axis(0), Slice::from(row..=row)).to_owned();
        let mut inputs: Inputs<F> = self.inputs.iter().map(|x| x.as_ref().map(of_row)).collect();
        let short = of_row(self.x).slice_axis(STEPS, Slice::from(..real)).to_owned();
        (inputs[self.i], inputs[port]) = (Some(standard(short)), None);
        let shapes: Vec<_> = inputs.iter().map(|x| x.as_ref().map(|x| &x.shape()[1..])).collect();
        if real == 0 || self.layer.erased_output_shapes(&shapes).is_err() {
            return Ok(None);
        }
        infer(self.layer, &inputs).map(Some)
    }
}

/// The numbers of a sample, up to a step.
fn of_row<F: Scalar>(y: &Tensor<F>, row: usize, steps: Option<usize>) -> Vec<F> {
    let sample = y.index_axis(Axis(0), row);
    match steps {
        Some(steps) => bits(sample.slice_axis(Axis(0), Slice::from(..steps))),
        None => bits(sample),
    }
}

fn bits<F: Scalar>(y: ArrayViewD<'_, F>) -> Vec<F> {
    y.iter().copied().collect()
}
