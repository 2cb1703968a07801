//! Runs `plywood-serve` for a long time under good, slow, dying and hostile clients, while its models are replaced.
//!
//! ```text
//! cargo build --release -p plywood-serve
//! cargo run --release -p plywood-serve --example soak -- --seconds 600
//! ```
//!
//! Every good answer is compared to the bit with what the version that it names says in this process. At the end it prints
//! the counts, and the server's memory and open files in the first and in the last minute. Then it starts another server,
//! and prints how fast health checks are answered while a large model predicts without a pause. The exit code is 1 if an
//! answer was wrong or lost, or memory or files have grown by more than 5 %.

mod clients;
mod heavy;
mod hostile;
mod images;
mod models;
mod watch;

use clients::Tally;
use models::Versions;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use watch::Watch;

/// Anything that ends the program early.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What the threads share.
struct Run {
    address: SocketAddr,
    versions: Versions,
    tally: Tally,
    end: AtomicBool,
}

impl Run {
    fn goes_on(&self) -> bool {
        !self.end.load(Ordering::Relaxed)
    }
}

/// The command line.
struct Options {
    seconds: u64,
    /// Between two replacements of the models.
    swap: u64,
    /// Clients with good requests.
    good: usize,
}

fn options() -> Result<Options> {
    use lexopt::ValueExt;
    let mut options = Options { seconds: 600, swap: 3, good: 6 };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("seconds") => options.seconds = parser.value()?.parse()?,
            lexopt::Arg::Long("swap") => options.swap = parser.value()?.parse()?,
            lexopt::Arg::Long("good") => options.good = parser.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    if options.seconds < 30 || options.swap == 0 {
        return Err("--seconds must be at least 30, and --swap at least 1".into());
    }
    Ok(options)
}

/// Starts the server with these models of a folder, and returns its address.
fn start(folder: &Path, models: &[&str], more: &[&str]) -> Result<(Child, SocketAddr)> {
    let own = std::env::current_exe()?;
    let program = own.ancestors().nth(2).ok_or("the program has no folder above its own")?;
    let program = program.join("plywood-serve");
    let mut command = Command::new(&program);
    for name in models {
        command.arg(format!("{name}={}", folder.join(format!("{name}.plywood")).display()));
    }
    command.args(["--port", "0"]).args(more);
    command.env_remove("PLYWOOD_SERVE_TOKEN").env_remove("RUST_LOG");
    command.stdout(Stdio::piped()).stderr(std::fs::File::create(folder.join("log"))?);
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let address = line.trim().rsplit_once("http://").ok_or("the server does not say where it listens")?.1;
    Ok((child, address.parse()?))
}

fn signal(child: &Child, name: &str) -> Result<()> {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status()?;
    if status.success() { Ok(()) } else { Err(format!("the signal {name} cannot be sent").into()) }
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let options = options()?;
    let folder: PathBuf = std::env::temp_dir().join(format!("plywood-soak-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let versions = Versions::new()?;
    versions.write(&folder, 0)?;
    // Slow clients are closed soon. All else is as it is by default.
    let (mut child, address) = start(&folder, &models::NAMES, &["--head-time", "3", "--time", "5"])?;
    let run = Run { address, versions, tally: Tally::default(), end: AtomicBool::new(false) };
    let mut watch = Watch::new(child.id());
    let (begin, whole) = (Instant::now(), Duration::from_secs(options.seconds));
    let mut trouble = None;
    std::thread::scope(|scope| {
        for seed in 1..=options.good {
            let run = &run;
            scope.spawn(move || clients::good(run, seed as u64));
        }
        scope.spawn(|| clients::killed(&run));
        scope.spawn(|| clients::slow(&run, 2 * options.good));
        scope.spawn(|| clients::health(&run));
        scope.spawn(|| hostile::hostile(&run));
        let mut swaps = 0;
        while begin.elapsed() < whole && trouble.is_none() {
            std::thread::sleep(Duration::from_secs(1));
            let seconds = begin.elapsed().as_secs();
            trouble = watch.sample().err();
            if seconds / options.swap > swaps && trouble.is_none() {
                swaps = seconds / options.swap;
                let swapped = run.versions.write(&folder, swaps).and_then(|()| signal(&child, "HUP"));
                trouble = swapped.err();
                run.tally.count("replacements of the models");
            }
            if seconds.is_multiple_of(30) {
                eprintln!("{seconds} s: {}", watch.last());
            }
        }
        run.end.store(true, Ordering::Relaxed);
    });
    if let Some(error) = trouble {
        let _ = child.kill();
        return Err(error);
    }
    signal(&child, "TERM")?;
    let code = child.wait()?.code();
    let log = std::fs::read_to_string(folder.join("log"))?;
    let panics = log.lines().filter(|line| line.contains("panicked")).count();
    println!("{}", run.tally);
    println!("exit code of the server after TERM: {code:?}; panics in its log: {panics}");
    let steady = watch.report();
    heavy::run(&folder)?;
    let sound = run.tally.is_sound() && steady && code == Some(0) && panics == 0;
    if sound {
        std::fs::remove_dir_all(&folder)?;
    } else {
        println!("the server's log is in {}", folder.display());
    }
    Ok(sound)
}
