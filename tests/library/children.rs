//! Child processes started by a test: this same program, with one test to run. A child reports its progress and waits
//! for an answer each time. The test thus decides where the child is killed, independent of timing.

use plywood::{Error, Result};
use std::io::{BufRead, BufReader, Write, stdin};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

/// The prefix of a report.
const REPORT: &str = "report ";

/// Called in the child: reports a number and waits for the answer. Returns an error if the test has ended.
pub fn report(number: u64) -> Result<()> {
    // The current line may already contain the name of the test.
    println!("\n{REPORT}{number}");
    match stdin().read_line(&mut String::new()) {
        Ok(bytes) if bytes > 0 => Ok(()),
        _ => Err(Error::custom("the test that started this program is gone")),
    }
}

/// A child process that reports.
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
        // The thread ends with the child, whose exit closes the pipe.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(|line| line.ok()) {
                if let Some(number) = line.strip_prefix(REPORT) {
                    let _ = sender.send(number.parse().unwrap());
                }
            }
        });
        Self { child, answers, reports }
    }

    /// Waits for the next report, after which the child waits. Returns `None` once the child has ended.
    pub fn next(&mut self) -> Option<u64> {
        self.reports.recv().ok()
    }

    /// Lets the child continue to its next report.
    pub fn answer(&mut self) {
        // If the child has ended in the meantime, nobody reads the answer; `next` returns `None` then.
        let _ = self.answers.write_all(b"\n");
    }

    /// Answers reports until the child reports `number`, and leaves that report unanswered.
    pub fn run_to(&mut self, number: u64) {
        loop {
            self.answer();
            match self.next() {
                Some(next) if next < number => {}
                next => return assert_eq!(next, Some(number)),
            }
        }
    }

    /// Answers, and waits until `is_so` returns true or the child has made its next report. Returns whether `is_so`
    /// came first.
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

    /// Kills the child, which must still be running.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        assert!(was_killed(self.child.wait().unwrap()));
    }

    /// Answers all remaining reports of the child, and returns its exit status.
    pub fn end(mut self) -> ExitStatus {
        self.answer();
        while self.next().is_some() {
            self.answer();
        }
        self.child.wait().unwrap()
    }
}

/// Returns whether a process was killed.
pub fn was_killed(status: ExitStatus) -> bool {
    // On Unix, only a process that exited by itself has an exit code.
    if cfg!(unix) { status.code().is_none() } else { !status.success() }
}
