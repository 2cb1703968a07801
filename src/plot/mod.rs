//! Pictures of training and of what a model does, as SVG and PNG, and pages with them.
//!
//! Each function takes data that the rest of the crate makes and returns a [`Figure`], which is written by
//! [`save`](Figure::save):
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
//! | picture | function |
//! |---|---|
//! | loss and metrics over the epochs, the best marked | [`history`](history()), [`curve`] |
//! | several settings, several seeds each | [`runs`], [`Bars`], [`Chart::band`] |
//! | how often each class is taken for each | [`confusion_matrix`](confusion_matrix()) |
//! | precision, recall and F1 by class, by label | [`class_scores`], [`label_scores`] |
//! | true against false positives | [`roc`](roc()) |
//! | confidence against accuracy | [`reliability`](reliability()) |
//! | samples with what they are taken for | [`samples`] |
//! | the first layer's weights | [`filters`] |
//! | gradients of each layer over the steps | [`gradient_norms`] |
//! | confidence and accuracy by class | [`class_calibration`] |
//! | text, tables and pictures on a page of HTML | [`Report`] |
//!
//! No font and no library of the system is used; pixels are set, and letters drawn, by this crate. Colours can be told
//! apart with any kind of colour vision, and no meaning is in a colour alone. The same data give the same file.
//!
//! # Inside
//!
//! `mark.rs` has the seven kinds of marks that pictures are made of; `svg.rs` writes them, `raster.rs` draws them, and
//! `png.rs` packs what was drawn; `report.rs` puts pictures on a page. `font/` has the letters, `axes.rs` the numbers
//! beside axes, `palette.rs` the colours.

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
pub use images::{filters, samples};
pub use reliability::reliability;
pub use report::Report;
pub use roc_curve::roc;
