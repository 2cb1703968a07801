//! `POST /v1/predict/{model}`: an image, a text or rows in, answers out.

use super::rows::{self, Sent};
use crate::app::App;
use crate::body::{Body, Packing};
use crate::fault::{Fault, json, shortened};
use crate::loaded::Loaded;
use crate::path::Path;
use crate::tensor::{Gives, Output};
use crate::work::Call;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use plywood::nn::Predictions;
use plywood::predictor::{Answer, Prepared};
use plywood::preprocessing::Note;
use serde::Serialize;
use std::sync::Arc;

/// The most classes and labels that are ranked for an answer, all rows together.
const MOST_RANKED: usize = 1_000_000;

/// A request.
struct Predict {
    name: String,
    sent: Sent,
    body: Body,
    /// How many classes are listed; by default as many as the predictor says.
    top: Option<usize>,
    bounds: rows::Bounds,
    /// Whether the model takes images, which are decoded by another thread than the handler's.
    images: bool,
    notes: Vec<Note>,
}

impl Predict {
    /// Checks that a small request has no huge answer: with "top" all classes are ranked, and all labels always are.
    fn check_listed(&self, rows: usize, model: &Loaded) -> Result<(), Fault> {
        let outputs = &model.outputs;
        let is_ranked = |output: &&Output| {
            let labels = |other: &Output| other.of == output.of && other.gives == Gives::Labels;
            output.gives == Gives::Probabilities && (self.top.is_some() || outputs.iter().any(labels))
        };
        let width = |output: &Output| output.shape.iter().product::<usize>();
        let each: usize = outputs.iter().filter(is_ranked).map(width).sum();
        match rows.saturating_mul(each) <= MOST_RANKED {
            true => Ok(()),
            false => Err(Fault::large(format!(
                "an answer must rank at most {MOST_RANKED} classes, all rows together, got {rows} rows of {each}; ask in several requests"
            ))),
        }
    }
}

/// The answer.
#[derive(Serialize)]
struct Reply<'a> {
    model: &'a str,
    version: &'a str,
    answers: Vec<Answer>,
}

impl Call for Predict {
    fn prepare(&mut self, model: &Loaded) -> Result<Prepared, Fault> {
        let body = self.body.unpacked()?;
        let rows = rows::read(&self.sent, body, model, self.bounds)?;
        (self.body, self.sent) = (Body::default(), Sent::Text);
        model.check_rows(rows.len())?;
        self.check_listed(rows.len(), model)?;
        let prepared = model.predictor.prepare(&rows).map_err(Fault::bad)?;
        self.notes = prepared.notes().to_vec();
        Ok(prepared)
    }

    fn answer(&mut self, model: &Loaded, outputs: &Predictions) -> Result<Response, Fault> {
        let notes = std::mem::take(&mut self.notes);
        let answers = match self.top {
            None => model.predictor.answer(outputs, notes).map_err(Fault::unanswerable)?,
            Some(top) => {
                let all = model.ranking.answer(outputs, notes).map_err(Fault::unanswerable)?;
                all.into_iter().map(|answer| answer.top(top)).collect()
            }
        };
        Ok(json(&Reply { model: &self.name, version: &model.version, answers }))
    }

    fn is_small(&self) -> bool {
        !self.images && self.body.is_small()
    }
}

/// `POST /v1/predict/{model}`
pub(crate) async fn predict(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Result<Response, Fault> {
    let target = app.target(&name, None)?;
    let call = async {
        let top = top(query.as_deref().unwrap_or(""))?;
        let packing = Packing::of(&headers)?;
        let body = app.bodies.read(body, packing).await?;
        let bounds = rows::Bounds { rows: app.limits.rows, pixels: app.limits.pixels };
        let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let sent = match media.split(';').next().unwrap_or("").trim().to_ascii_lowercase().as_str() {
            "application/json" => Sent::Json,
            "text/plain" => {
                check_charset(media)?;
                Sent::Text
            }
            "multipart/form-data" => Sent::Form(media.to_owned()),
            image if image.starts_with("image/") => Sent::Image,
            // What programs send who are not told what they have.
            "" | "application/x-www-form-urlencoded" | "application/octet-stream" => {
                Sent::Unknown(media.to_owned())
            }
            other => return Err(rows::unsupported(&format!("{:?}", shortened(other, 60)))),
        };
        let images = !target.model.images.is_empty();
        let call = Predict { name: name.clone(), sent, body, top, bounds, images, notes: Vec::new() };
        Ok(Box::new(call) as Box<dyn Call>)
    };
    let call = call.await;
    app.answer(target, call).await
}

/// Refuses a text that is not UTF-8 by its Content-Type.
fn check_charset(media: &str) -> Result<(), Fault> {
    let parameters = media.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let charset = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset")).last();
    let charset = charset.map_or("utf-8", |(_, charset)| charset.trim().trim_matches('"'));
    match ["utf-8", "utf8", "us-ascii"].iter().any(|known| known.eq_ignore_ascii_case(charset)) {
        true => Ok(()),
        false => Err(Fault::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("the charset of a text must be utf-8, got {:?}", shortened(charset, 40)),
        )),
    }
}

/// The number of classes in a query: "top=3".
fn top(query: &str) -> Result<Option<usize>, Fault> {
    let value = query.split('&').filter_map(|pair| pair.strip_prefix("top=")).next_back();
    match value.map(str::parse) {
        None => Ok(None),
        Some(Ok(top)) if top > 0 => Ok(Some(top)),
        _ => Err(Fault::bad(
            "\"top\" must be a whole number of at least 1: the number of classes in an answer",
        )),
    }
}
