//! How far a long task is, on stderr: a bar on a terminal, else a plain line every few seconds.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Time between plain lines.
const EVERY: Duration = Duration::from_secs(5);

/// The progress of one task.
pub struct Progress {
    bar: Option<ProgressBar>,
    total: Option<u64>,
    start: Instant,
    /// Where the task stood when it was first told: what a resumed run found done.
    first: Option<u64>,
    told: Instant,
}

impl Progress {
    /// A task of `total` parts, or of unknown length.
    pub fn new(total: Option<u64>) -> Self {
        let now = Instant::now();
        let bar = std::io::stderr().is_terminal().then(|| bar(total));
        Self { bar, total, start: now, first: None, told: now }
    }

    /// The task stands at `done`; `text` describes it.
    pub fn tell(&mut self, done: u64, text: impl FnOnce() -> String) {
        let first = *self.first.get_or_insert(done);
        let last = self.total == Some(done);
        if let Some(bar) = &self.bar {
            bar.set_message(text() + &self.eta(first, done));
            bar.set_position(done);
        } else if last || self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            eprintln!("{}{}", text(), self.eta(first, done));
        }
    }

    /// A line that stays.
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }

    fn eta(&self, first: u64, done: u64) -> String {
        match self.total {
            Some(total) if done > first && total > done => {
                let left = self.start.elapsed().mul_f64((total - done) as f64 / (done - first) as f64);
                format!("  ETA {}", clock(left))
            }
            _ => String::new(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total), "{bar:24} {wide_msg}"),
        None => (ProgressBar::new_spinner(), "{spinner} {wide_msg}"),
    };
    bar.set_style(ProgressStyle::with_template(template).expect("a template without mistakes"));
    bar
}

/// `2m05s`, or `12s`.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s:02}s"),
        (h, m, s) => format!("{h}h{m:02}m{s:02}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_on_a_clock() {
        let times = [7, 65, 3725].map(|s| clock(Duration::from_secs(s)));
        assert_eq!(times, ["7s", "1m05s", "1h02m05s"]);
    }
}
