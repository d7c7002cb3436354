//! Training on several GPUs of this machine: this program once for each, with that GPU alone visible, and what becomes of these processes.
//!
//! The process that was called starts the others and trains nothing. Each of them gets the world's id through its stdin, which stays open: it ends when
//! that closes, so none outlives the one that started it, however that ends.

use crate::exit::{Fault, OF_ONE_GPU, Told};
use isogloss_engine::cuda::{self, World, WorldId};
use std::env;
use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Number of a process among those that train together, in its environment.
const RANK: &str = "ISOGLOSS_RANK";

/// The driver's own: which GPUs it shows.
const VISIBLE: &str = "CUDA_VISIBLE_DEVICES";

/// Threads of a process, where nothing else says how many.
const THREADS: &str = "RAYON_NUM_THREADS";

/// How long the first process may take to tell of an error that another came upon, too.
const GRACE: Duration = Duration::from_secs(2);

/// Most bytes kept of what a process told.
const TOLD: usize = 1 << 16;

/// Whether this is one of several processes that train together.
pub fn is_one_of_several() -> bool {
    env::var_os(RANK).is_some()
}

/// Joins the others, if this is one of several processes. It ends from then on when the one that started it does.
///
/// # Errors
/// What it was given makes no sense; there is no GPU or no NCCL.
pub fn join(gpus: usize) -> anyhow::Result<Option<World>> {
    let Some(rank) = env::var_os(RANK) else { return Ok(None) };
    let rank = rank.to_str().and_then(|rank| rank.parse().ok()).filter(|rank| *rank < gpus);
    let rank = rank.ok_or_else(|| Fault::option(RANK, "is set by isogloss train --gpus itself; unset it"))?;
    let mut id = [0; WorldId::BYTES];
    io::stdin().read_exact(&mut id)?;
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(1);
    });
    Ok(Some(World::join(&WorldId::from(id), rank, gpus)?))
}

/// Starts a process for every GPU and waits for them. The first one writes and talks.
///
/// # Errors
/// There are fewer GPUs, or no NCCL. A process failed: it was told, and the others were ended.
pub fn start(gpus: usize) -> anyhow::Result<()> {
    let visible = visible(env::var(VISIBLE).ok().as_deref(), cuda::gpus()?);
    if visible.len() < gpus {
        let problem = format!("{gpus} are asked for and the driver shows {}; give at most as many", visible.len());
        return Err(Fault::option("--gpus", problem).into());
    }
    let id = WorldId::new()?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = env::var(THREADS).unwrap_or_else(|_| (cores / gpus).max(1).to_string());
    let mut ranks = Ranks(Vec::new());
    for (rank, gpu) in visible.iter().take(gpus).enumerate() {
        ranks.0.push(Rank::start(rank, gpu, &threads, &id)?);
    }
    ranks.wait()
}

/// What shows each of the GPUs alone, from what shows all `count`.
fn visible(shown: Option<&str>, count: usize) -> Vec<String> {
    match shown {
        Some(shown) => shown.split(',').take(count).map(|gpu| gpu.trim().to_owned()).collect(),
        None => (0..count).map(|gpu| gpu.to_string()).collect(),
    }
}

/// One of the processes.
struct Rank {
    process: Child,
    /// The process ends when this closes.
    _lifeline: ChildStdin,
    /// What it tells on stderr; the first one's goes where ours does.
    told: Option<JoinHandle<String>>,
    ended: Option<ExitStatus>,
}

impl Rank {
    fn start(rank: usize, gpu: &str, threads: &str, id: &WorldId) -> io::Result<Self> {
        let (stdout, stderr) = match rank {
            0 => (Stdio::inherit(), Stdio::inherit()),
            _ => (Stdio::null(), Stdio::piped()),
        };
        let mut process = Command::new(env::current_exe()?)
            .args(env::args_os().skip(1))
            .env(RANK, rank.to_string())
            .env(VISIBLE, gpu)
            .env(THREADS, threads)
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()?;
        let mut lifeline = process.stdin.take().expect("a pipe");
        // One that is gone already is found when its end is waited for.
        let _ = lifeline.write_all(id.bytes());
        let told = process.stderr.take().map(|stderr| thread::spawn(|| last_of(stderr)));
        Ok(Self { process, _lifeline: lifeline, told, ended: None })
    }

    /// Whether it has ended.
    fn has_ended(&mut self) -> io::Result<bool> {
        if self.ended.is_none() {
            self.ended = self.process.try_wait()?;
        }
        Ok(self.ended.is_some())
    }

    fn has_failed(&self) -> bool {
        self.ended.is_some_and(|status| !status.success())
    }
}

/// The last bytes of a stream, as text.
fn last_of(mut stream: impl Read) -> String {
    let (mut text, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = stream.read(&mut part) {
        text.extend_from_slice(&part[..n]);
        text.drain(..text.len().saturating_sub(TOLD));
    }
    String::from_utf8_lossy(&text).trim().to_owned()
}

/// All processes, which end with this.
struct Ranks(Vec<Rank>);

impl Ranks {
    /// Waits until all are done or one fails, and tells what the first one has not.
    fn wait(mut self) -> anyhow::Result<()> {
        let failed = loop {
            let mut running = 0;
            for rank in &mut self.0 {
                running += usize::from(!rank.has_ended()?);
            }
            if let Some(failed) = self.0.iter().position(Rank::has_failed) {
                break failed;
            }
            if running == 0 {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        };
        let since = Instant::now();
        while !self.0[0].has_ended()? && since.elapsed() < GRACE {
            thread::sleep(Duration::from_millis(20));
        }
        let code = |rank: &Rank| rank.ended.and_then(|status| status.code());
        let (of_failed, of_first) = (code(&self.0[failed]), code(&self.0[0]));
        // An error in what all were given, or in this program, is told once.
        let is_told = failed == 0 || of_failed == of_first && of_failed != Some(i32::from(OF_ONE_GPU));
        let status = self.0[failed].ended.expect("it has failed");
        self.end();
        if !is_told || of_failed.is_none() {
            let told = self.0[failed].told.take().and_then(|told| told.join().ok()).unwrap_or_default();
            eprintln!("{}", in_one_line(failed, &told, status));
        }
        let code = of_failed.and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
        Err(Told(if code == OF_ONE_GPU { 2 } else { code }).into())
    }

    fn end(&mut self) {
        for rank in &mut self.0 {
            // One that has ended by itself cannot be ended.
            let _ = rank.process.kill();
            let _ = rank.process.wait();
        }
    }
}

impl Drop for Ranks {
    fn drop(&mut self) {
        self.end();
    }
}

/// What is told of a process that failed: its last line, which says why, or how it ended.
fn in_one_line(rank: usize, told: &str, status: ExitStatus) -> String {
    match (status.code(), told.lines().last()) {
        (Some(_), Some(line)) => format!("error: GPU {rank}: {}", line.trim_start_matches("error: ")),
        _ => format!(
            "error: the process of GPU {rank} was ended ({status}); look whether main memory is full, then give --resume"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_taken_from_those_shown() {
        assert_eq!(visible(None, 3), ["0", "1", "2"]);
        assert_eq!(visible(Some("5, GPU-12ab,7"), 2), ["5", "GPU-12ab"]);
        assert!(visible(Some("2"), 1) == ["2"]);
    }

    #[test]
    fn only_the_end_of_what_a_process_tells_is_kept() {
        let text = "first\n".repeat(TOLD) + "last\n";
        let kept = last_of(text.as_bytes());
        assert!(kept.len() <= TOLD && kept.ends_with("first\nlast"));
    }
}
