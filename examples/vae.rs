//! A variational autoencoder: a second input of noise, an output that is its own loss, and a part of the model that
//! is used alone afterwards.
//!
//! The encoder describes an image by a mean and a variance of each of a few hidden numbers. The decoder makes an
//! image from numbers that are drawn with these (Kingma and Welling, "Auto-encoding variational Bayes", 2014). After
//! training it makes new images from noise.

use plywood::data::synthetic;
use plywood::ndarray::{ArrayViewD, Axis};
use plywood::prelude::*;

/// The number of hidden numbers.
const HIDDEN: usize = 8;
const SIDE: usize = 28;
const PIXELS: usize = SIDE * SIDE;
const EPOCHS: usize = 15;
/// The number of images that are made at the end.
const GENERATED: usize = 100;

/// Builds the decoder as a model of its own.
fn decoder() -> Result<Graph> {
    let g = Graph::builder().seed(2);
    let x = g.input("hidden", [HIDDEN]).layer(Dense::units(128)).layer(ReLU);
    g.output("image", x.layer(Dense::units(PIXELS)).layer(Reshape::to([SIDE, SIDE])).layer(Sigmoid));
    g.build()
}

/// Builds the model that is trained. It has a copy of the decoder: its parameters begin with "decoder".
fn autoencoder(decoder: &Graph) -> Result<Graph> {
    let g = Graph::builder().seed(1);
    let (image, noise) = (g.input("image", [SIDE, SIDE]), g.input("noise", [HIDDEN]));
    let x = image.layer(Flatten).layer_named("encoder", Dense::units(128)).layer(ReLU);
    let [mean, log_variance] = x.layer_named("moments", Dense::units(2 * HIDDEN)).split(-1);
    let hidden = mean + (0.5 * log_variance).exp() * noise;
    let [made] = g.include("decoder", decoder, [hidden]);
    g.output("image", made);
    // How far the distribution of the hidden numbers is from the standard normal one: one number for each sample.
    let divergence = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(-1);
    g.output("divergence", divergence);
    g.build()
}

/// Images with noise as a second input, which is drawn anew in each epoch. The target of the output "image" is the
/// image.
struct WithNoise<D> {
    images: D,
    inputs: [Port; 2],
    random: Random,
}

impl<D: Dataset> WithNoise<D> {
    fn new(images: D, random: Random) -> Self {
        let inputs = [Port::new("image", [SIDE, SIDE]), Port::new("noise", [HIDDEN])];
        Self { images, inputs, random }
    }
}

impl<D: Dataset> Dataset for WithNoise<D> {
    type Target = NamedTargets;

    fn len(&self) -> usize {
        self.images.len()
    }

    fn input_shapes(&self) -> InputShapes<'_> {
        InputShapes::Named(&self.inputs)
    }

    fn read(&self, indices: &[usize], pass: Pass, batch: &mut Batch<f32, NamedTargets>) -> Result<()> {
        let mut images = Batch::default();
        self.images.read(indices, pass, &mut images)?;
        let (random, step) = match pass {
            Pass::Train { epoch } => (self.random.child("train"), epoch),
            Pass::Evaluate => (self.random.child("evaluate"), 0),
        };
        for (row, &i) in batch.input_at(1, indices.len(), &[HIDDEN]).chunks_exact_mut(HIDDEN).zip(indices) {
            let mut draws = random.at(step, i as u64);
            row.fill_with(|| draws.normal() as f32);
        }
        // The output "divergence" is its own loss and has no target.
        batch.target.set_numbers("image", images.inputs[0].clone());
        batch.inputs[0] = images.take_input();
        Ok(())
    }
}

/// Makes images from noise by the decoder alone.
fn generate(decoder: &Graph, samples: usize) -> Result<Tensor> {
    let mut draws = Random::seed(5).at(0, 0);
    decoder.predict(&Tensor::from_shape_simple_fn(vec![samples, HIDDEN], || draws.normal() as f32))
}

/// The mean squared difference of two images' pixels.
fn difference(a: &ArrayViewD<'_, f32>, b: &ArrayViewD<'_, f32>) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>() / PIXELS as f32
}

/// The mean difference of images from the most similar of the real ones, and from each other.
fn differences(images: &Tensor, real: &Tensor) -> (f32, f32) {
    let nearest = |image: &ArrayViewD<'_, f32>| {
        real.outer_iter().map(|other| difference(image, &other)).fold(f32::INFINITY, f32::min)
    };
    let images: Vec<_> = images.outer_iter().collect();
    let from_real = images.iter().map(nearest).sum::<f32>() / images.len() as f32;
    let neighbours = images.windows(2).map(|pair| difference(&pair[0], &pair[1]));
    (from_real, neighbours.sum::<f32>() / (images.len() - 1) as f32)
}

/// Prints images side by side, two rows of pixels as one row of characters.
fn print_images(images: &Tensor) {
    let shades: Vec<char> = " .:-=+*#%@".chars().collect();
    for y in (0..SIDE).step_by(2) {
        let shade = |image: ArrayViewD<'_, f32>, x: usize| {
            shades[(((image[[y, x]] + image[[y + 1, x]]) / 2.0 * 10.0) as usize).min(shades.len() - 1)]
        };
        let row = images.outer_iter().flat_map(|image| (0..SIDE).map(move |x| shade(image.clone(), x)));
        println!("{}", row.collect::<String>().trim_end());
    }
}

fn main() -> Result<()> {
    let (train, test) = synthetic::garments(6000, 1000, 1)?;
    let [real, unseen] = [&train, &test].map(|images| images.inputs().mapv(|byte| f32::from(byte) / 255.0));
    let mut decoder = decoder()?;
    let mut model = autoencoder(&decoder)?;

    // The loss of an image is the mean over its pixels, so the divergence is divided by their number, too.
    let losses = Losses::of("image", SoftBinaryCrossEntropy::default());
    let losses = losses.and("divergence", OutputLoss, 1.0 / PIXELS as f64);
    let mut trainer = Trainer::new(losses, Adam::default()).epochs(EPOCHS).progress(Progress::Silent);
    let (train, test) = (WithNoise::new(train, Random::seed(3)), WithNoise::new(test, Random::seed(4)));
    let history = trainer.fit_with_validation(&mut model, &train, &test)?;
    for (number, epoch) in history.epochs.iter().enumerate() {
        let [image, divergence] =
            ["val_image_loss", "val_divergence_loss"].map(|name| epoch.get(name).unwrap_or(f64::NAN));
        println!("epoch {:2}  test images: loss {image:.4}, divergence {divergence:.2}", number + 1);
    }

    let before = differences(&generate(&decoder, GENERATED)?, &real);
    let names = |name: &str| name.strip_prefix("decoder.").unwrap_or(name).to_owned();
    let report = decoder.load_matching(&model.state_dict()?.rename(names)); // the encoder is left over
    assert!(report.missing.is_empty() && report.unfit.is_empty(), "{report}");
    let images = generate(&decoder, GENERATED)?;
    let unseen = unseen.slice_axis(Axis(0), (..GENERATED).into()).to_owned();
    println!("\nmean squared difference         from the nearest training image, from each other");
    for (what, (nearest, others)) in [
        ("images before training", before),
        ("images after training", differences(&images, &real)),
        ("real images, not trained with", differences(&unseen, &real)),
    ] {
        println!("{what:30}  {nearest:31.4}  {others:15.4}");
    }
    print_images(&images.slice_axis(Axis(0), (..4).into()).to_owned());
    Ok(())
}
