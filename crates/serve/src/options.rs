//! The command line.

use crate::limits::Limits;
use lexopt::{Arg, Parser, ValueExt};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

/// What `--help` prints.
pub const HELP: &str = "\
Serves models of Plywood over HTTP.

usage: plywood-serve [NAME=]FILE... [OPTIONS]

  fashion=fashion.plywood    a predictor (or a model), under the name of its requests; without a name, under that of its file

  --port N              the port (8080; 0 for any that is free)
  --bind ADDRESS        the address (127.0.0.1: this machine alone; 0.0.0.0 for all interfaces)
  --host NAME           a name in \"Host\" that is answered, too; on 127.0.0.1 only localhost and its addresses are
  --token-file FILE     requires the token in FILE of all requests: Authorization: Bearer TOKEN; without it the
                        environment variable PLYWOOD_SERVE_TOKEN does the same
  --allow-origin ORIGIN lets pages of this origin ask, such as https://shop.example, or of any: *; may be given several times
  --allow-load          lets the repository calls of the KServe protocol load files again and unload models
  --no-page             no page at /

  --threads N           threads that predict (the cores)
  --model-threads N     threads that one prediction may use (1)
  --batch N             rows that are predicted together at most (64)
  --queue N             requests that wait at most (256)
  --rows N              rows of a request at most (10000)
  --body BYTES          bytes of a body at most, also unpacked (10000000)
  --bodies BYTES        bytes of all large bodies and answers together at most (256000000)
  --pixels N            pixels of the images of a request at most (50000000)
  --time SECONDS        for a request at most (30)
  --head-time SECONDS   for the head of a request, and for an idle connection, at most (75)
  --connections N       connections at most (1024)
  --grace SECONDS       for requests in progress when the server ends (30)

  --access-log          logs each request
  --log-json            logs as lines of JSON; RUST_LOG sets what is logged (info)
  --help, --version

SIGHUP reads the files again; where that fails the model before goes on serving. SIGTERM and SIGINT end the server after the
requests in progress are answered.
";

/// What the command line says.
#[derive(Debug)]
pub struct Options {
    /// Names and files.
    pub models: Vec<(String, PathBuf)>,
    /// The address.
    pub bind: IpAddr,
    /// The port.
    pub port: u16,
    /// Names that are answered, besides those of the loopback interface.
    pub hosts: Vec<String>,
    /// The file with the token.
    pub token_file: Option<PathBuf>,
    /// Origins that may ask.
    pub origins: Vec<String>,
    /// Whether the protocol may load and unload.
    pub allow_load: bool,
    /// Whether there is a page.
    pub page: bool,
    /// The threads that predict, if not as many as there are cores.
    pub threads: Option<usize>,
    /// The threads of one prediction.
    pub model_threads: usize,
    /// The limits.
    pub limits: Limits,
    /// Whether requests are logged.
    pub access_log: bool,
    /// Whether the log is JSON.
    pub log_json: bool,
}

/// What the program is asked to do.
#[derive(Debug)]
pub enum Asked {
    /// Serve.
    Serve(Box<Options>),
    /// Print the help.
    Help,
    /// Print the version.
    Version,
}

impl Options {
    fn new() -> Self {
        Self {
            models: Vec::new(),
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8080,
            hosts: Vec::new(),
            token_file: None,
            origins: Vec::new(),
            allow_load: false,
            page: true,
            threads: None,
            model_threads: 1,
            limits: Limits::default(),
            access_log: false,
            log_json: false,
        }
    }

    /// Reads the command line.
    ///
    /// # Errors
    /// When an option is unknown or its value is not of its kind, or no model is named.
    pub fn read(mut parser: Parser) -> Result<Asked, lexopt::Error> {
        let mut options = Self::new();
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("help") | Arg::Short('h') => return Ok(Asked::Help),
                Arg::Long("version") | Arg::Short('V') => return Ok(Asked::Version),
                Arg::Value(value) => options.models.push(model(&value.string()?)?),
                Arg::Long(name) => {
                    let name = name.to_owned();
                    options.set(&name, &mut parser)?;
                }
                other => return Err(other.unexpected()),
            }
        }
        match options.models.is_empty() {
            true => Err("a model must be named: plywood-serve fashion=fashion.plywood".into()),
            false => Ok(Asked::Serve(Box::new(options))),
        }
    }

    fn set(&mut self, name: &str, parser: &mut Parser) -> Result<(), lexopt::Error> {
        let limits = &mut self.limits;
        let mut seconds =
            || -> Result<Duration, lexopt::Error> { Ok(Duration::from_secs(parser.value()?.parse()?)) };
        match name {
            "time" => limits.time = seconds()?,
            "head-time" => limits.head_time = seconds()?,
            "grace" => limits.grace = seconds()?,
            "allow-load" => self.allow_load = true,
            "no-page" => self.page = false,
            "access-log" => self.access_log = true,
            "log-json" => self.log_json = true,
            "bind" => self.bind = parser.value()?.parse()?,
            "port" => self.port = parser.value()?.parse()?,
            "host" => self.hosts.push(parser.value()?.string()?),
            "token-file" => self.token_file = Some(parser.value()?.into()),
            "allow-origin" => self.origins.push(parser.value()?.string()?),
            "threads" => self.threads = Some(at_least_one(name, parser)?),
            "model-threads" => self.model_threads = at_least_one(name, parser)?,
            "batch" => limits.batch = at_least_one(name, parser)?,
            "queue" => limits.queue = at_least_one(name, parser)?,
            "rows" => limits.rows = at_least_one(name, parser)?,
            "body" => limits.body = at_least_one(name, parser)?,
            "bodies" => limits.bodies = at_least_one(name, parser)?,
            "pixels" => limits.pixels = at_least_one(name, parser)?,
            "connections" => limits.connections = at_least_one(name, parser)?,
            other => return Err(format!("there is no option --{other}; --help lists them").into()),
        }
        Ok(())
    }
}

fn at_least_one(name: &str, parser: &mut Parser) -> Result<usize, lexopt::Error> {
    match parser.value()?.parse()? {
        0 => Err(format!("--{name} must be at least 1, got 0").into()),
        number => Ok(number),
    }
}

/// A name and a file; the name may be left out for that of the file.
fn model(text: &str) -> Result<(String, PathBuf), lexopt::Error> {
    if let Some((name, file)) = text.split_once('=') {
        return Ok((name.to_owned(), file.into()));
    }
    let file = PathBuf::from(text);
    match file.file_stem().and_then(|stem| stem.to_str()) {
        Some(name) => Ok((name.to_owned(), file)),
        None => Err(format!("a model must be NAME=FILE, got {text:?}").into()),
    }
}
