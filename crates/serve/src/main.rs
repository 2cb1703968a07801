//! `plywood-serve`: serves models of Plywood over HTTP.

use plywood_serve::Server;
use plywood_serve::options::{Asked, HELP, Options};
use std::env::VarError;
use std::error::Error;
use std::process::ExitCode;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The environment variable with the token.
const TOKEN: &str = "PLYWOOD_SERVE_TOKEN";

fn main() -> ExitCode {
    let options = match Options::read(lexopt::Parser::from_env()) {
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
    log(options.log_json);
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

async fn serve(options: Options) -> Result<bool, Box<dyn Error>> {
    let [mut terminate, mut interrupt, mut hang_up] =
        [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?];
    let listener = TcpListener::bind((options.bind, options.port))
        .await
        .map_err(|error| format!("cannot listen on {}:{}: {error}", options.bind, options.port))?;
    let running = server(options)?.serve(listener)?;
    println!("plywood-serve listens on http://{}", running.address());
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => running.reload().await,
        }
    }
    Ok(running.shutdown().await)
}

fn server(options: Options) -> Result<Server, Box<dyn Error>> {
    let Options { models, limits, access_log, allow_load, page, .. } = options;
    let mut server = Server::new().limits(limits).access_log(access_log).allow_load(allow_load).page(page);
    server = models.into_iter().fold(server, |server, (name, path)| server.file(name, path));
    server = options.origins.into_iter().fold(server, Server::allow_origin);
    if options.bind.is_loopback() || !options.hosts.is_empty() {
        let own = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        server = server.hosts(own.into_iter().chain([options.bind.to_string()]).chain(options.hosts));
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
