//! Figures of training and of a model's predictions, as SVG and PNG, and HTML reports.
//!
//! Each function takes data that the rest of the crate produces and returns a [`Figure`], which
//! [`save`](Figure::save) writes to a file:
//!
//! ```
//! use plywood::plot;
//! use plywood::prelude::*;
//!
//! let (train, test) = plywood::data::synthetic::garments(300, 60, 1)?;
//! let mut model = Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(10)).layer(Softmax).build()?;
//! let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).epochs(2).validation_split(0.2);
//! let history = trainer.progress(Progress::Silent).fit(&mut model, &train)?;
//!
//! let folder = std::env::temp_dir();
//! plot::history(&history)?.save(folder.join("plywood-doc-history.png"))?;
//! let matrix = evaluate::confusion_matrix(&model, &test)?;
//! plot::confusion_matrix(&matrix)?.save(folder.join("plywood-doc-confusion.svg"))?;
//! # std::fs::remove_file(folder.join("plywood-doc-history.png")).unwrap();
//! # std::fs::remove_file(folder.join("plywood-doc-confusion.svg")).unwrap();
//! # Ok::<(), plywood::Error>(())
//! ```
//!
//! | figure | function |
//! |---|---|
//! | loss and metrics over the epochs, with the best epoch marked | [`history`](history()), [`curve`] |
//! | several settings, each with several seeds | [`runs`], [`Bars`], [`Chart::band`] |
//! | confusion matrix | [`confusion_matrix`](confusion_matrix()) |
//! | precision, recall and F1 by class, by label | [`class_scores`], [`label_scores`] |
//! | true positive rate against false positive rate | [`roc`](roc()) |
//! | confidence against accuracy | [`reliability`](reliability()) |
//! | samples with their predicted classes | [`samples`] |
//! | the first layer's weights | [`filters`] |
//! | gradients of each layer over the steps | [`gradient_norms`] |
//! | a model: its layers and operations, and what reads what | [`network`] |
//! | confidence and accuracy by class | [`class_calibration`] |
//! | HTML page with text, tables and figures | [`Report`] |
//!
//! No font and no library of the system is used; this crate rasterizes pixels and letters itself. Colours are
//! distinguishable with any kind of colour vision, and nothing is encoded by colour alone. The same data give the
//! same file.
//!
//! # Inside
//!
//! `mark.rs` defines the six kinds of marks; `svg.rs` writes them, `raster.rs` rasterizes them, and `png.rs`
//! encodes the pixels; `report.rs` puts figures on a page. `font/` has the letters, `axes.rs` the axes and their
//! labels, `palette.rs` the colours.

mod axes;
mod bars;
mod chart;
mod confusion_matrix;
mod curves;
mod figure;
mod font;
mod gradient_norms;
mod images;
mod mark;
mod network;
mod palette;
pub(crate) mod png;
mod raster;
mod reliability;
mod report;
mod roc_curve;
pub(crate) mod svg;

pub use bars::{Bars, class_calibration, class_scores, label_scores};
pub use chart::Chart;
pub use confusion_matrix::confusion_matrix;
pub use curves::{curve, history, runs};
pub use figure::Figure;
pub use gradient_norms::gradient_norms;
pub use images::{filters, samples, samples_of};
pub use network::network;
pub use reliability::reliability;
pub use report::Report;
pub use roc_curve::roc;
