//! What the KServe protocol tells of the server and its models: health, metadata, configuration, statistics.

use crate::app::App;
use crate::fault::{Fault, json};
use crate::models::Slot;
use crate::path::Path;
use crate::stats::{Stats, Timed};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The name and, in some paths, the version of a model.
type Named = Path<HashMap<String, String>>;

fn named(path: &HashMap<String, String>) -> (&str, Option<&str>) {
    (path.get("model").map_or("", String::as_str), path.get("version").map(String::as_str))
}

/// `GET /v2/health/live`: 200 as long as the server runs.
pub(crate) async fn live() -> StatusCode {
    StatusCode::OK
}

/// `GET /v2/health/ready`: 200 if all models have predicted once and the server is not ending.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Result<StatusCode, Fault> {
    if app.draining.load(Ordering::Relaxed) {
        return Err(Fault::busy("the server is ending"));
    }
    match app.models.are_ready() {
        true => Ok(StatusCode::OK),
        false => Err(Fault::busy("not all models are loaded; /v2/repository/index says why")),
    }
}

/// `GET /v2`
pub(crate) async fn server() -> Response {
    json(&json!({
        "name": "plywood-serve",
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": ["binary_tensor_data", "classification", "model_configuration", "model_repository", "statistics"],
    }))
}

/// `GET /v2/models/{model}/ready`
pub(crate) async fn model_ready(State(app): State<Arc<App>>, Path(path): Named) -> Result<StatusCode, Fault> {
    let (name, version) = named(&path);
    app.models.get(name, version).map(|_| StatusCode::OK)
}

/// `GET /v2/models/{model}`
pub(crate) async fn metadata(State(app): State<Arc<App>>, Path(path): Named) -> Result<Response, Fault> {
    let (name, version) = named(&path);
    let (slot, model) = app.models.get(name, version)?;
    let shape = |sides: &[usize]| {
        let rows = std::iter::once(json!(-1));
        rows.chain(sides.iter().map(|side| json!(side))).collect::<Vec<Value>>()
    };
    let inputs = model.inputs.iter();
    let inputs =
        inputs.map(|i| json!({"name": i.name, "datatype": i.datatype.name(), "shape": shape(&i.shape)}));
    let outputs = model.outputs.iter();
    let outputs =
        outputs.map(|o| json!({"name": o.name, "datatype": o.datatype.name(), "shape": shape(&o.shape)}));
    Ok(json(&json!({
        "name": slot.name, "versions": [model.version], "platform": "plywood",
        "inputs": inputs.collect::<Vec<_>>(), "outputs": outputs.collect::<Vec<_>>(),
    })))
}

/// `GET /v2/models/{model}/config`: as Triton writes it; `dims` are without the axis of rows.
pub(crate) async fn config(State(app): State<Arc<App>>, Path(path): Named) -> Result<Response, Fault> {
    let (name, version) = named(&path);
    let (slot, model) = app.models.get(name, version)?;
    // A column has one element in each row.
    let dims = |shape: &[usize]| if shape.is_empty() { vec![1] } else { shape.to_vec() };
    let inputs = model.inputs.iter();
    let inputs = inputs
        .map(|i| json!({"name": i.name, "data_type": i.datatype.config_name(), "dims": dims(&i.shape)}));
    let outputs = model.outputs.iter();
    let outputs = outputs
        .map(|o| json!({"name": o.name, "data_type": o.datatype.config_name(), "dims": dims(&o.shape)}));
    Ok(json(&json!({
        "name": slot.name, "platform": "plywood", "backend": "plywood", "max_batch_size": app.limits.rows,
        "input": inputs.collect::<Vec<_>>(), "output": outputs.collect::<Vec<_>>(),
        "dynamic_batching": {"max_queue_delay_microseconds": 0},
    })))
}

/// `GET /v2/models/{model}/stats`
pub(crate) async fn stats(State(app): State<Arc<App>>, Path(path): Named) -> Result<Response, Fault> {
    let (name, version) = named(&path);
    let (slot, _) = app.models.get(name, version)?;
    Ok(json(&json!({"model_stats": [statistics(slot)]})))
}

/// `GET /v2/models/stats`
pub(crate) async fn all_stats(State(app): State<Arc<App>>) -> Response {
    json(&json!({"model_stats": app.models.0.iter().map(statistics).collect::<Vec<_>>()}))
}

/// The counters since the server began, over all versions of the model.
fn statistics(slot: &Slot) -> Value {
    let Stats { success, fail, queue, input, infer, output, .. } = &*slot.stats;
    let timed = |time: &Timed| json!({"count": time.count(), "ns": time.nanoseconds()});
    let none = json!({"count": 0, "ns": 0});
    json!({
        "name": slot.name,
        "version": slot.get().map_or(String::new(), |loaded| loaded.version.clone()),
        "last_inference": slot.stats.last_inference(),
        "inference_count": slot.stats.rows(),
        "execution_count": slot.stats.runs(),
        "inference_stats": {
            "success": timed(success), "fail": timed(fail), "queue": timed(queue), "compute_input": timed(input),
            "compute_infer": timed(infer), "compute_output": timed(output), "cache_hit": none, "cache_miss": none,
        },
        "batch_stats": [],
    })
}
