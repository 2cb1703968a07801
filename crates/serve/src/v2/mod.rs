//! The KServe v2 protocol, also called Open Inference Protocol, over HTTP, with Triton's extensions for binary data,
//! classification, configuration, statistics and the model repository.

mod about;
mod infer;
mod json;
mod read;
mod reply;
mod repository;
mod request;
mod tensors;

pub(crate) use about::{all_stats, config, live, metadata, model_ready, ready, server, stats};
pub(crate) use infer::{infer, infer_version};
pub(crate) use repository::{index, load, unload};

use crate::fault::Fault;
use axum::http::Uri;

/// The paths of extensions that this server does not have.
pub(crate) const REFUSED: [&str; 13] = [
    "/v2/trace/setting",
    "/v2/models/{model}/trace/setting",
    "/v2/logging",
    "/v2/systemsharedmemory/status",
    "/v2/systemsharedmemory/unregister",
    "/v2/systemsharedmemory/region/{region}/{call}",
    "/v2/cudasharedmemory/status",
    "/v2/cudasharedmemory/unregister",
    "/v2/cudasharedmemory/region/{region}/{call}",
    "/v2/models/{model}/generate",
    "/v2/models/{model}/generate_stream",
    "/v2/models/{model}/versions/{version}/generate",
    "/v2/models/{model}/versions/{version}/generate_stream",
];

/// Answers a call of an extension that this server does not have.
pub(crate) async fn refused(uri: Uri) -> Fault {
    let path = uri.path();
    let reason = match () {
        () if path.contains("sharedmemory") => {
            "shared memory: send the data in the request, binary if they are large"
        }
        () if path.ends_with("/trace/setting") => {
            "trace settings: its log has a line for each request with --access-log"
        }
        () if path.ends_with("/logging") => {
            "log settings over HTTP: they are those of its start, in RUST_LOG"
        }
        () => "generation of texts",
    };
    Fault::not_implemented(format!("this server has no {reason}"))
}
