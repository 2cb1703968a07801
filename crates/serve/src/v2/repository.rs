//! The repository of the KServe protocol: which models there are, and loading and unloading them.

use crate::app::App;
use crate::body::Packing;
use crate::fault::{Fault, json};
use crate::path::Path;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `POST /v2/repository/index`; with `{"ready": true}` only the models that are loaded.
pub(crate) async fn index(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Result<Response, Fault> {
    #[derive(Default, Deserialize)]
    struct Asked {
        #[serde(default)]
        ready: bool,
    }
    let Asked { ready } = read(&app, &headers, body, "{\"ready\": true}").await?;
    let slots = app.models.0.iter().map(|slot| (slot, slot.get()));
    let models = slots.filter(|(_, loaded)| !ready || loaded.is_some()).map(|(slot, loaded)| match loaded {
        Some(loaded) => json!({"name": slot.name, "version": loaded.version, "state": "READY", "reason": ""}),
        None => json!({"name": slot.name, "version": "", "state": "UNAVAILABLE", "reason": slot.fault()}),
    });
    Ok(json(&models.collect::<Vec<Value>>()))
}

/// The parameters of a call.
#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    parameters: BTreeMap<String, IgnoredAny>,
}

async fn allowed(app: &App, headers: &HeaderMap, body: axum::body::Body) -> Result<Asked, Fault> {
    if !app.allow_load {
        return Err(Fault::new(
            StatusCode::FORBIDDEN,
            "this server loads and unloads no models on request; start it with --allow-load (Server::allow_load)",
        ));
    }
    read(app, headers, body, "an object with \"parameters\"").await
}

/// Reads the JSON of a call.
async fn read<T: DeserializeOwned + Default>(
    app: &App,
    headers: &HeaderMap,
    body: axum::body::Body,
    expected: &str,
) -> Result<T, Fault> {
    let body = app.bodies.read_small(body, Packing::of(headers)?).await?;
    match body.trim_ascii() {
        [] => Ok(T::default()),
        json => serde_json::from_slice(json)
            .map_err(|error| Fault::bad(format!("the body must be empty or {expected}: {error}"))),
    }
}

/// `POST /v2/repository/models/{model}/load`: reads the file of the server's start again.
pub(crate) async fn load(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Result<StatusCode, Fault> {
    let Asked { parameters } = allowed(&app, &headers, body).await?;
    if let Some(parameter) = parameters.keys().find(|key| *key == "config" || key.starts_with("file:")) {
        let parameter = crate::fault::shortened(parameter, 60);
        return Err(Fault::bad(format!(
            "the server loads the file that it was started with, and takes no {parameter:?} from a request"
        )));
    }
    let loading = tokio::task::spawn_blocking(move || app.models.slot(&name)?.load());
    loading.await.map_err(Fault::inside)?.map(|()| StatusCode::OK)
}

/// `POST /v2/repository/models/{model}/unload`
pub(crate) async fn unload(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: axum::body::Body,
) -> Result<StatusCode, Fault> {
    allowed(&app, &headers, body).await?;
    let unloading = tokio::task::spawn_blocking(move || app.models.slot(&name)?.unload());
    unloading.await.map_err(Fault::inside)?.map(|()| StatusCode::OK)
}
