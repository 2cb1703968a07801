//! The table of the routes.

use crate::app::App;
use crate::{fault, guard, metrics, page, v1, v2};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use std::sync::Arc;

/// All routes behind the guard, as a part of a program's own.
pub(crate) fn guarded_router(app: Arc<App>, with_page: bool) -> Router {
    router(app.clone(), with_page).layer(from_fn_with_state(app, guard::layer))
}

/// All routes. `with_page` adds those of the page. The paths are literals: a test finds each of them in openapi.json.
pub(crate) fn router(app: Arc<App>, with_page: bool) -> Router {
    let mut router = Router::new()
        .route("/v1/models", get(v1::models))
        .route("/v1/predict/{model}", post(v1::predict))
        .route("/v2", get(v2::server))
        .route("/v2/", get(v2::server))
        .route("/v2/health/live", get(v2::live))
        .route("/v2/health/ready", get(v2::ready))
        .route("/v2/models/stats", get(v2::all_stats))
        .route("/v2/models/{model}", get(v2::metadata))
        .route("/v2/models/{model}/versions/{version}", get(v2::metadata))
        .route("/v2/models/{model}/ready", get(v2::model_ready))
        .route("/v2/models/{model}/versions/{version}/ready", get(v2::model_ready))
        .route("/v2/models/{model}/config", get(v2::config))
        .route("/v2/models/{model}/versions/{version}/config", get(v2::config))
        .route("/v2/models/{model}/stats", get(v2::stats))
        .route("/v2/models/{model}/versions/{version}/stats", get(v2::stats))
        .route("/v2/models/{model}/infer", post(v2::infer))
        .route("/v2/models/{model}/versions/{version}/infer", post(v2::infer_version))
        .route("/v2/repository/index", post(v2::index))
        .route("/v2/repository/models/{model}/load", post(v2::load))
        .route("/v2/repository/models/{model}/unload", post(v2::unload))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(page::openapi));
    for path in v2::REFUSED {
        router = router.route(path, get(v2::refused).post(v2::refused));
    }
    if with_page {
        for asset in &page::ASSETS {
            router = router.route(asset.path, get(async || asset.response()));
        }
    }
    router.fallback(fault::no_route).method_not_allowed_fallback(fault::no_method).with_state(app)
}
