//! Programs that a test starts: this one again, with one of its tests to run. Such a child says how far it is, and
//! waits each time until it is answered. So the test decides where the child is killed, and no clock does.

use plywood::{Error, Result};
use std::io::{BufRead, BufReader, Write, stdin};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

/// What a report begins with.
const REPORT: &str = "report ";

/// In the child: says a number, and waits for the answer. An error if nobody is left to answer.
pub fn report(number: u64) -> Result<()> {
    // The first line may have begun with the name of the test.
    println!("\n{REPORT}{number}");
    match stdin().read_line(&mut String::new()) {
        Ok(bytes) if bytes > 0 => Ok(()),
        _ => Err(Error::custom("the test that started this program is gone")),
    }
}

/// A child that reports.
pub struct Reporting {
    child: Child,
    answers: ChildStdin,
    reports: Receiver<u64>,
}

impl Reporting {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (answers, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, reports) = channel();
        // It ends with the child, whose end closes the pipe.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(|line| line.ok()) {
                if let Some(number) = line.strip_prefix(REPORT) {
                    let _ = sender.send(number.parse().unwrap());
                }
            }
        });
        Self { child, answers, reports }
    }

    /// Waits for the next report, after which the child waits. `None` once it has ended.
    pub fn next(&mut self) -> Option<u64> {
        self.reports.recv().ok()
    }

    /// Lets the child go on to its next report.
    pub fn answer(&mut self) {
        // A child that has ended meanwhile reads no answer; `next` says so.
        let _ = self.answers.write_all(b"\n");
    }

    /// Answers until the child makes the report of this number, and leaves that one without an answer.
    pub fn run_to(&mut self, number: u64) {
        loop {
            self.answer();
            match self.next() {
                Some(next) if next < number => {}
                next => return assert_eq!(next, Some(number)),
            }
        }
    }

    /// Answers, and waits until something is so or the child has made its next report; whether it was so first.
    pub fn run_until(&mut self, is_so: impl Fn() -> bool) -> bool {
        self.answer();
        loop {
            if is_so() {
                return true;
            }
            match self.reports.try_recv() {
                Ok(_) => return false,
                Err(TryRecvError::Empty) => thread::yield_now(),
                Err(TryRecvError::Disconnected) => panic!("the child has ended"),
            }
        }
    }

    /// Kills the child, which has not ended before.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        assert!(was_killed(self.child.wait().unwrap()));
    }

    /// Answers whatever the child still reports, and says how it ended.
    pub fn end(mut self) -> ExitStatus {
        self.answer();
        while self.next().is_some() {
            self.answer();
        }
        self.child.wait().unwrap()
    }
}

/// Whether a program did not end by itself.
pub fn was_killed(status: ExitStatus) -> bool {
    // Unix gives a code to a program that ended by itself only.
    if cfg!(unix) { status.code().is_none() } else { !status.success() }
}
