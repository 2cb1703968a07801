//! `plywood-serve`: serves models of Plywood over HTTP.

use plywood_serve::options::{Asked, HELP, Options};
use plywood_serve::{Limits, Server};
use std::env::VarError;
use std::error::Error;
use std::net::IpAddr;
use std::process::ExitCode;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The environment variable with the token.
const TOKEN: &str = "PLYWOOD_SERVE_TOKEN";

/// The files that a server has open besides its connections: those of the runtime, models that are loaded, and connections that
/// are told that they are too many.
const FILES: usize = 320;

fn main() -> ExitCode {
    let mut options = match Options::read(lexopt::Parser::from_env()) {
        Ok(Asked::Serve(options)) => options,
        Ok(Asked::Help) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Ok(Asked::Version) => {
            println!("plywood-serve {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("plywood-serve: {error}");
            return ExitCode::from(2);
        }
    };
    give_memory_back();
    log(options.log_json);
    fit_connections(&mut options.limits);
    match run(*options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("plywood-serve: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Logs to standard error what RUST_LOG says, by default from the level of information on.
fn log(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    match json {
        true => log.json().init(),
        false => log.with_ansi(false).init(),
    }
}

/// Serves until a signal; true if all requests were answered.
fn run(options: Options) -> Result<bool, Box<dyn Error>> {
    plywood::set_threads(options.model_threads)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let whole = runtime.block_on(serve(options))?;
    runtime.shutdown_background();
    Ok(whole)
}

/// Makes the system's allocator give large blocks back at once. By default glibc's learns to keep blocks of up to 32 MB once some
/// were freed, and a server that loads models again then holds the memory of three of them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the standard library has no way to set this")]
fn give_memory_back() {
    // SAFETY: it sets a number of the allocator, before there are other threads. It returns 0 if that fails, which changes nothing.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_memory_back() {}

/// An address as it is in `Host`.
fn host_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// Raises the limit of open files as far as it goes, and the limit of connections not above it.
fn fit_connections(limits: &mut Limits) {
    let wanted = limits.connections.saturating_add(FILES);
    let granted = rlimit::increase_nofile_limit(wanted as u64).unwrap_or(wanted as u64);
    let fitting = usize::try_from(granted).unwrap_or(usize::MAX).saturating_sub(FILES).max(1);
    if fitting < limits.connections {
        tracing::warn!(
            fitting,
            asked = limits.connections,
            "fewer connections, as the limit of open files says (ulimit -n)"
        );
        limits.connections = fitting;
    }
}

async fn serve(options: Options) -> Result<bool, Box<dyn Error>> {
    let [mut terminate, mut interrupt, mut hang_up] =
        [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?];
    let listener = TcpListener::bind((options.bind, options.port)).await.map_err(|error| {
        format!("cannot listen on {}:{}: {error}; choose another port by --port", options.bind, options.port)
    })?;
    let running = server(options)?.serve(listener)?;
    println!("plywood-serve listens on http://{}", running.address());
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            // A file may be long in coming.
            _ = hang_up.recv() => tokio::select! {
                () = running.reload() => {}
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
            },
        }
    }
    Ok(running.shutdown().await)
}

fn server(options: Options) -> Result<Server, Box<dyn Error>> {
    let Options { models, limits, access_log, allow_load, page, .. } = options;
    let mut server = Server::new().limits(limits).access_log(access_log).allow_load(allow_load).page(page);
    server = models.into_iter().fold(server, |server, (name, path)| server.file(name, path));
    server = options.origins.into_iter().fold(server, Server::allow_origin);
    if options.bind.to_canonical().is_loopback() || !options.hosts.is_empty() {
        let own = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        server = server.hosts(own.into_iter().chain([host_of(options.bind)]).chain(options.hosts));
    }
    if let Some(threads) = options.threads {
        server = server.threads(threads);
    }
    let token = match options.token_file {
        Some(path) => {
            let read = std::fs::read_to_string(&path);
            Some(read.map_err(|error| format!("the token cannot be read from {}: {error}", path.display()))?)
        }
        None => match std::env::var(TOKEN) {
            Ok(token) => Some(token),
            Err(VarError::NotPresent) => None,
            Err(VarError::NotUnicode(_)) => return Err(format!("the token in {TOKEN} must be UTF-8").into()),
        },
    };
    match token.as_deref().map(str::trim) {
        Some("") => Err("the token must not be empty".into()),
        Some(token) => Ok(server.token(token)),
        None => Ok(server),
    }
}
