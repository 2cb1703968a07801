//! The server's memory and open files.

use crate::Result;
use std::path::PathBuf;

/// Seconds that are not looked at: until all buffers have had their first use.
const WARM_UP: usize = 10;

/// How much the last minute may have more than the first.
const GROWTH: f64 = 1.05;

pub struct Watch {
    process: PathBuf,
    /// Each second: kilobytes in memory, open files.
    samples: Vec<[f64; 2]>,
}

impl Watch {
    pub fn new(id: u32) -> Self {
        Self { process: PathBuf::from(format!("/proc/{id}")), samples: Vec::new() }
    }

    pub fn sample(&mut self) -> Result<()> {
        let status = std::fs::read_to_string(self.process.join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("the server is gone")?;
        let files = std::fs::read_dir(self.process.join("fd"))?.count();
        self.samples.push([kilobytes.trim().parse()?, files as f64]);
        Ok(())
    }

    pub fn last(&self) -> String {
        let [kilobytes, files] = self.samples.last().copied().unwrap_or_default();
        format!("{:.1} MB, {files} files", kilobytes / 1e3)
    }

    /// Prints the means of the first and of the last minute; true if neither has grown.
    pub fn report(&self) -> bool {
        let samples = self.samples.get(WARM_UP..).unwrap_or_default();
        let width = 60.min(samples.len() / 2).max(1);
        let (Some(first), Some(last)) =
            (samples.get(..width), samples.get(samples.len().saturating_sub(width)..))
        else {
            return false;
        };
        let mean = |samples: &[[f64; 2]], place: usize| {
            samples.iter().map(|sample| sample[place]).sum::<f64>() / samples.len() as f64
        };
        let mut steady = true;
        for (place, what) in ["memory (kB)", "open files"].iter().enumerate() {
            let (before, after) = (mean(first, place), mean(last, place));
            let most = samples.iter().map(|sample| sample[place]).fold(0.0, f64::max);
            let ratio = after / before;
            println!(
                "{what}: first {width} s {before:.1}, last {width} s {after:.1}, ratio {ratio:.3}, most {most}"
            );
            steady &= ratio <= GROWTH;
        }
        steady
    }
}
