//! The comparisons of the study: networks that differ in one setting.

use crate::setting::{Activation, Optimizer, Setting};

/// One comparison, with its networks.
pub struct Comparison {
    /// The name on the command line and of files.
    pub name: &'static str,
    pub title: &'static str,
    /// Each network with its name.
    pub networks: Vec<(String, Setting)>,
    /// The test accuracies that the tutorial publishes for some of them, in the same order.
    pub published: &'static [Option<f64>],
}

/// The learning rate: the tutorial's for batches of 1000, and the study's for batches of 32.
const RATE: f64 = 0.01;

/// Returns all comparisons. A network that occurs in several of them is trained once.
pub fn all() -> Vec<Comparison> {
    let sgd = Setting::default();
    let adam = Setting { optimizer: Optimizer::Adam, rate: 0.001, batch: 32, ..sgd.clone() };
    let longer = Setting { epochs: 30, ..adam.clone() };
    let batches = |of: &dyn Fn(usize) -> Setting| {
        [32, 64, 1000].map(|batch| (format!("batches of {batch}"), of(batch))).to_vec()
    };
    vec![
        Comparison {
            name: "activations-sgd",
            title: "Activations under plain SGD, rate 0.01, batches of 1000",
            networks: activations(&sgd),
            published: &[Some(0.552), None, Some(0.768), Some(0.689)],
        },
        Comparison {
            name: "activations-adam",
            title: "Activations under Adam, rate 0.001, batches of 32",
            networks: activations(&adam),
            published: &[],
        },
        Comparison {
            name: "batches",
            title: "Sizes of batches under plain SGD, rate 0.01",
            networks: batches(&|batch| Setting { batch, ..sgd.clone() }),
            published: &[None, None, Some(0.768)],
        },
        Comparison {
            name: "batches-scaled",
            title: "Sizes of batches under plain SGD, rate in proportion to the batch",
            networks: batches(&|batch| Setting { batch, rate: RATE * batch as f64 / 32.0, ..sgd.clone() }),
            published: &[],
        },
        Comparison {
            name: "batches-adam",
            title: "Sizes of batches under Adam, rate 0.001",
            networks: batches(&|batch| Setting { batch, ..adam.clone() }),
            published: &[],
        },
        Comparison {
            name: "widths",
            title: "Units in each hidden layer, under Adam, batches of 32",
            networks: [16, 32, 64, 128, 256, 512, 1024]
                .map(|width| (format!("{width} units"), Setting { width, ..adam.clone() }))
                .to_vec(),
            published: &[],
        },
        Comparison {
            name: "dropout",
            title: "Dropout, trained for longer by Adam, batches of 32",
            networks: [0.0, 0.2, 0.5]
                .map(|dropout| (format!("dropout {dropout}"), Setting { dropout, ..longer.clone() }))
                .to_vec(),
            published: &[],
        },
    ]
}

/// Returns the tutorial's four networks, trained with these settings.
fn activations(like: &Setting) -> Vec<(String, Setting)> {
    let network =
        |name: &str, activation, dropout| (name.to_owned(), Setting { activation, dropout, ..like.clone() });
    vec![
        network("sigmoid", Activation::Sigmoid, 0.0),
        network("tanh", Activation::Tanh, 0.0),
        network("ReLU", Activation::Relu, 0.0),
        network("ReLU, dropout 0.5", Activation::Relu, 0.5),
    ]
}
