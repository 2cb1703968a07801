//! The server over real connections, and the program as a process of its own.

mod access;
mod bits;
mod client;
mod conduct;
mod end;
mod files;
mod gate;
mod metrics;
mod models;
mod mutations;
mod openapi;
mod protocol;
mod refused;
mod reload;
mod replay;
mod schema;
mod settings;
mod tools;
mod v1;
mod v1_bad;
mod v2;
mod v2_about;
mod v2_bad;
mod v2_bad_json;
mod wire;

use plywood_serve::{Running, Server};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A server of this process.
struct Served {
    /// The connections end with it.
    runtime: Runtime,
    running: Option<Running>,
    address: SocketAddr,
}

impl Served {
    /// Starts a server on a free port.
    fn start(server: Server) -> Self {
        let runtime = Runtime::new().unwrap();
        let running = runtime
            .block_on(async { server.serve(TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap() });
        Self { address: running.address(), running: Some(running), runtime }
    }

    /// Ends it; true if all requests were answered.
    fn shutdown(mut self) -> bool {
        self.running.take().is_some_and(|running| self.runtime.block_on(running.shutdown()))
    }
}

/// A server of all predictors of `models`.
fn all_models() -> Server {
    Server::new()
        .model("fashion", models::fashion().unwrap())
        .model("texts", models::texts().unwrap())
        .model("table", models::table().unwrap())
        .model("numbers", models::numbers().unwrap())
        .model("product", models::product().unwrap())
}

/// As the server writes it: each number in the fewest digits that tell it from others.
fn as_json(value: &impl serde::Serialize) -> serde_json::Value {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}
