//! [`Server`]: models and settings, before anything listens.

use crate::access::Access;
use crate::app::App;
use crate::body::Bodies;
use crate::connections::Running;
use crate::limits::Limits;
use crate::loaded::Reader;
use crate::models::{Models, Slot};
use crate::routes;
use crate::stats::Traffic;
use crate::work::Pool;
use axum::Router;
use plywood::predictor::Predictor;
use plywood::{Error, Result};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::net::TcpListener;

/// Models and settings of a server.
///
/// ```
/// use plywood::prelude::*;
/// use plywood_serve::Server;
///
/// let model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
/// let predictor =
///     Predictor::new(model).input(Features::of_shape([2])).output(Classes::named(["no", "yes"])).build()?;
/// let router = Server::new().model("answer", predictor).router()?; // to mount in a program of your own
/// # let _ = router;
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// Two forms:
///
/// | | [`router`](Server::router) | [`serve`](Server::serve) |
/// |---|---|---|
/// | the routes, limits of bodies, rows, pixels, time and the queue; token, hosts, origins | yes | yes |
/// | limits of connections and of the time for a head; ending without losing a request; `Running::reload` | no: they are those of your program | yes |
pub struct Server {
    slots: Vec<Result<Slot>>,
    limits: Limits,
    threads: usize,
    access: Access,
    access_log: bool,
    allow_load: bool,
    page: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// Returns a server without models.
    pub fn new() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (limits, access) = (Limits::default(), Access::default());
        Self { slots: Vec::new(), limits, threads, access, access_log: false, allow_load: false, page: true }
    }

    /// Adds a predictor that is in memory. It cannot be loaded again.
    #[must_use]
    pub fn model(mut self, name: impl Into<String>, predictor: Predictor) -> Self {
        self.slots.push(Slot::of_predictor(name.into(), predictor));
        self
    }

    /// Adds a file of a predictor, or of a model without blocks, whose tensors are then those of the protocol.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.slots.push(Ok(Slot::of_file(name.into(), path.into(), None)));
        self
    }

    /// [`file`](Server::file) for a model with layers or blocks of another crate, which `read` knows.
    ///
    /// ```no_run
    /// use plywood::predictor::Blocks;
    /// use plywood::prelude::*;
    /// use plywood_serve::Server;
    ///
    /// let read = |bytes: &[u8]| Predictor::from_bytes(bytes, &Registry::builtin(), &Blocks::builtin());
    /// let server = Server::new().file_with("own", "own.plywood", read);
    /// # let _ = server;
    /// ```
    #[must_use]
    pub fn file_with(
        mut self,
        name: impl Into<String>,
        path: impl Into<PathBuf>,
        read: impl Fn(&[u8]) -> Result<Predictor> + Send + Sync + 'static,
    ) -> Self {
        let reader: Reader = Arc::new(read);
        self.slots.push(Ok(Slot::of_file(name.into(), path.into(), Some(reader))));
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the number of threads that predict. The default is the number of cores.
    ///
    /// Each prediction may use [`plywood::threads`] on top of it; the program `plywood-serve` sets that to 1.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Requires `Authorization: Bearer TOKEN` of all requests but those of `/v2/health/*` and the page's own files.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.access.set_token(token);
        self
    }

    /// Answers only requests whose `Host` is one of these names, without a port: `localhost`, `[::1]`. A server on the
    /// loopback interface should: otherwise any page in a browser on this machine can reach it under a name of its own.
    #[must_use]
    pub fn hosts<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.access.hosts = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Lets pages of this origin, such as `https://shop.example`, ask; `*` for any. Others may not.
    #[must_use]
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.access.origins.push(origin.into());
        self
    }

    /// Sets whether the protocol's repository calls may load files again and unload models.
    #[must_use]
    pub fn allow_load(mut self, allow: bool) -> Self {
        self.allow_load = allow;
        self
    }

    /// Sets whether there is a page at `/`. By default there is.
    #[must_use]
    pub fn page(mut self, page: bool) -> Self {
        self.page = page;
        self
    }

    /// Sets whether each request is logged. By default only what goes wrong is.
    #[must_use]
    pub fn access_log(mut self, log: bool) -> Self {
        self.access_log = log;
        self
    }

    /// Loads the files, and returns the routes, to be mounted in a program of your own.
    ///
    /// The threads that predict end when the router is dropped.
    ///
    /// # Errors
    /// When there is no model, a name cannot be part of a path or is there twice, or a file cannot be loaded.
    pub fn router(self) -> Result<Router> {
        let page = self.page;
        Ok(routes::guarded_router(self.app()?, page))
    }

    /// Loads the files and serves until [`Running::shutdown`]. It must be called within a tokio runtime.
    ///
    /// ```
    /// use plywood::prelude::*;
    /// use plywood_serve::Server;
    /// use tokio::net::TcpListener;
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<()> {
    ///     let model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build()?;
    ///     let predictor =
    ///         Predictor::new(model).input(Features::of_shape([2])).output(Classes::named(["no", "yes"])).build()?;
    ///     let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Error::custom)?;
    ///     let running = Server::new().model("answer", predictor).serve(listener)?;
    ///     println!("http://{}", running.address());
    ///     running.shutdown().await; // answers what has arrived
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`router`](Server::router), and when the listener has no address.
    pub fn serve(self, listener: TcpListener) -> Result<Running> {
        let page = self.page;
        let app = self.app()?;
        Running::start(listener, app.clone(), routes::router(app, page))
    }

    fn app(self) -> Result<Arc<App>> {
        let Self { slots, limits, threads, access, access_log, allow_load, .. } = self;
        let models = Models(slots.into_iter().collect::<Result<_>>()?);
        check_names(&models)?;
        limits.check()?;
        access.check()?;
        models.load().map_err(Error::custom)?;
        let pool = Pool::start(threads, &limits).map_err(Error::custom)?;
        let (bodies, draining) = (Bodies::new(&limits), AtomicBool::new(false));
        let traffic = Traffic::default();
        Ok(Arc::new(App { models, pool, bodies, limits, access, traffic, access_log, allow_load, draining }))
    }
}

/// Checks that each name can be a part of a path, and is there once.
fn check_names(models: &Models) -> Result<()> {
    if models.0.is_empty() {
        return Err(Error::argument("the models of a server", "at least 1", "none")
            .help("Name a file: fashion=fashion.plywood."));
    }
    for (place, slot) in models.0.iter().enumerate() {
        let name = &slot.name;
        let sound = !name.is_empty()
            && name.len() <= 200
            && !name.contains('/')
            && !name.chars().any(char::is_control);
        if !sound || ["stats", ".", ".."].contains(&name.as_str()) {
            return Err(Error::argument(
                "the name of a model",
                "of 1 to 200 bytes without a slash, and not \"stats\" or dots alone",
                format!("{name:?}"),
            )
            .help("The name is a part of the path of its requests."));
        }
        if models.0[..place].iter().any(|other| other.name == *name) {
            return Err(Error::argument("the names of the models", "different", format!("{name:?} twice"))
                .help("Name each model once."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Server;
    use crate::v2;
    use axum::extract::State;
    use plywood::prelude::*;
    use std::sync::atomic::Ordering;

    fn predictor() -> Predictor {
        let model = Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax).build().unwrap();
        let predictor = Predictor::new(model).input(Features::of_shape([2]));
        predictor.output(Classes::named(["no", "yes"])).build().unwrap()
    }

    #[test]
    fn a_server_that_is_ending_is_not_ready_and_says_why() {
        let app = Server::new().model("own", predictor()).app().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ready = || runtime.block_on(v2::ready(State(app.clone())));
        assert_eq!(ready().unwrap(), 200);
        app.draining.store(true, Ordering::Relaxed);
        let fault = ready().unwrap_err();
        assert_eq!((fault.status.as_u16(), fault.text.as_str()), (503, "the server is ending"));
    }

    #[test]
    fn a_predictor_in_memory_is_not_unloaded_as_it_could_not_be_loaded_again() {
        let app = Server::new().model("own", predictor()).app().unwrap();
        let slot = app.models.slot("own").unwrap();
        assert_eq!(
            slot.unload().unwrap_err().text,
            "the model \"own\" stays loaded: it was not read from a file, so it could not be loaded again"
        );
        slot.load().unwrap();
        assert!(slot.get().is_some());
    }
}
