//! A server for saved models of [Plywood](plywood): images, texts and rows in, answers out, over HTTP.
//!
//! The program `plywood-serve` serves files; [`Server`] does so within a program of your own.
//!
//! | route | what it is |
//! |---|---|
//! | `POST /v1/predict/{model}` | an image, a text, a form or JSON in, answers out |
//! | `GET /v1/models` | what each model takes and says |
//! | `/v2/…` | the KServe v2 protocol (Open Inference Protocol), as Triton's client speaks it |
//! | `GET /metrics` | counters for Prometheus |
//! | `GET /openapi.json` | all routes |
//! | `GET /` | a page to try the models |
//!
//! [The page on serving](https://github.com/plywood-rs/plywood/blob/main/docs/serving.md) shows the way from a trained network to
//! `curl`, Python, a web page and production.
//!
//! An answer is the same to the bit alone and in any company of other requests, on any instance with the same file.

// | file | what is in it |
// |---|---|
// | `server.rs`, `limits.rs` | what users set |
// | `connections.rs`, `patient.rs` | the loop that accepts connections, and how it ends |
// | `routes.rs`, `app.rs` | the table of the routes, and what all of them share |
// | `guard.rs`, `access.rs` | what every request passes: who may ask, for how long; log |
// | `path.rs`, `body.rs`, `rest.rs` | paths, bodies within bounds, and what is left of a body |
// | `v1/` | the friendly routes |
// | `v2/` | the KServe protocol: `read.rs` and `json.rs` read, `tensors.rs` makes rows, `reply.rs` answers |
// | `work.rs` | the threads that predict |
// | `models.rs`, `loaded.rs`, `tensor.rs` | the models by name, a model in memory, its tensors |
// | `stats.rs`, `metrics.rs` | counters |
// | `page.rs`, `page/`, `openapi.json` | the page, the description of the routes |
// | `options.rs`, `main.rs` | the program |

mod access;
mod app;
mod body;
mod connections;
mod fault;
mod guard;
mod limits;
mod loaded;
mod metrics;
mod models;
#[doc(hidden)]
pub mod options;
mod page;
mod path;
mod patient;
mod rest;
mod routes;
mod server;
mod stats;
mod tensor;
mod v1;
mod v2;
mod work;

pub use connections::Running;
pub use limits::Limits;
pub use server::Server;

/// The examples of the page are compiled and run with the others.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/serving.md")]
mod serving_page {}
