//! Inference requests of the KServe protocol.

use super::request::Request;
use super::{read, reply, tensors};
use crate::app::App;
use crate::body::{Body, Packing};
use crate::fault::Fault;
use crate::loaded::Loaded;
use crate::path::Path;
use crate::work::Call;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use plywood::nn::Predictions;
use plywood::predictor::Prepared;
use std::sync::Arc;

/// The header with the length of the JSON in front of binary data.
const LENGTH: &str = "inference-header-content-length";

/// An inference request.
struct Infer {
    name: String,
    body: Body,
    head: Option<usize>,
    /// How the answer is to be packed.
    packing: Packing,
    /// The most rows.
    rows: usize,
    /// Once the body is read.
    request: Request,
}

impl Call for Infer {
    fn prepare(&mut self, model: &Loaded) -> Result<Prepared, Fault> {
        let body = self.body.unpacked()?;
        let request = match (self.head, &model.inputs[..]) {
            (Some(0), [input]) => read::of_raw(&body, &input.name, input.datatype, &input.shape)?,
            (Some(0), inputs) => {
                return Err(Fault::bad(format!(
                    "a body without JSON needs a model with one input; this one has {}",
                    inputs.len()
                )));
            }
            (head, _) => read::read(&body, head)?,
        };
        self.body = Body::default();
        reply::check(&request, model)?;
        let (request, prepared) = tensors::prepare(request, model, self.rows)?;
        self.request = request;
        Ok(prepared)
    }

    fn answer(&mut self, model: &Loaded, outputs: &Predictions) -> Result<Response, Fault> {
        reply::answer(&self.request, &self.name, model, outputs, self.packing)
    }

    fn is_small(&self) -> bool {
        self.packing == Packing::None && self.body.is_small()
    }
}

/// `POST /v2/models/{model}/infer`
pub(crate) async fn infer(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Result<Response, Fault> {
    run(&app, name, None, headers, body).await
}

/// `POST /v2/models/{model}/versions/{version}/infer`
pub(crate) async fn infer_version(
    State(app): State<Arc<App>>,
    Path((name, version)): Path<(String, String)>,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Result<Response, Fault> {
    run(&app, name, Some(version), headers, body).await
}

async fn run(
    app: &App,
    name: String,
    version: Option<String>,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Result<Response, Fault> {
    let target = app.target(&name, version.as_deref())?;
    let call = async {
        let head = match headers.get(LENGTH) {
            None => None,
            Some(value) => {
                Some(value.to_str().ok().and_then(|text| text.trim().parse().ok()).ok_or_else(|| {
                    Fault::bad("Inference-Header-Content-Length must be the number of bytes of the JSON")
                })?)
            }
        };
        let (body, rows) = (app.bodies.read(body, Packing::of(&headers)?).await?, app.limits.rows);
        let packing = Packing::asked(&headers);
        let call = Infer { name: name.clone(), body, head, packing, rows, request: Request::default() };
        Ok(Box::new(call) as Box<dyn Call>)
    };
    let call = call.await;
    app.answer(target, call).await
}
