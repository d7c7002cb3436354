//! The training loop: batches, gradients, updates, evaluations, checkpoints, log.
//!
//! A step does not wait for a GPU: its figures are read when the next one is on its way, and before anything is evaluated or stored. Whether there is an
//! update is decided where loss and norm are.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use isogloss_engine::cuda::World;
use isogloss_engine::optim::{AdamW, clip};
use isogloss_engine::schedule::Schedule;
use isogloss_engine::{Deferred, Device, Gradients, Key};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::checkpoint::{self, RunState};
use crate::config::RunConfig;
use crate::dev::Score;
use crate::error::{Error, Result};
use crate::figure::Sums;
use crate::mixture::Mixture;
use crate::step::StepOptions;
use crate::task::Task;
use crate::trainable::Trainable;

/// One line of the log.
#[derive(Clone, Debug, Serialize)]
pub struct StepLog {
    /// Optimiser step, from 1.
    pub step: usize,
    /// Loss, mean over the accumulated batches.
    pub loss: f64,
    /// Every term of it.
    pub terms: Map<String, Value>,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Learning rate of the update.
    pub learning_rate: f32,
    /// Passes over the data set that is furthest.
    pub epoch: f64,
    /// Examples of the step.
    pub rows: usize,
    /// Tokens of the step.
    pub tokens: usize,
    /// Tokens per second of the step.
    pub tokens_per_second: f64,
}

/// Follows a run.
pub trait Observer {
    /// A step is done.
    fn step(&mut self, log: &StepLog, steps: usize);
    /// An evaluation is done.
    fn evaluated(&mut self, step: usize, measure: &str, value: f64, best: bool);
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Steps done in all.
    pub steps: usize,
    /// Whether it stopped because the measure no longer got better.
    pub stopped_early: bool,
    /// Best measure and its step.
    pub best: Option<(f64, usize)>,
    /// The model folder written.
    pub model: PathBuf,
}

/// A run in progress.
pub struct Trainer<'a, M: Trainable> {
    world: &'a World,
    config: RunConfig,
    model: M,
    tasks: Vec<Box<dyn Task<M>>>,
    mixture: Mixture,
    /// The first GPU's alone.
    dev: Option<M::Dev>,
    optimizer: AdamW,
    schedule: Schedule,
    fingerprint: String,
    step: usize,
    best: Option<(f64, usize)>,
    stale: usize,
    /// The first GPU's alone.
    log: Option<File>,
    log_bytes: u64,
    /// Steps whose figures have not been read, in order.
    pending: VecDeque<Pending>,
    /// When figures were read last.
    last_read: Option<Instant>,
}

/// A step that was put on its way.
struct Pending {
    /// Steps before it.
    before: usize,
    start: Instant,
    learning_rate: f32,
    epoch: f64,
    sums: Sums,
    /// Values of the sums' losses and terms, then the gradient's norm.
    told: Deferred<f64>,
}

impl<'a, M: Trainable> Trainer<'a, M> {
    /// Prepares a run where its model is, from its checkpoint if there is one. `tasks` are those of [`RunConfig::tasks`], in their order. Of the processes
    /// of a world, each of which prepares the same run, the first evaluates and writes.
    ///
    /// # Errors
    /// The development set or the checkpoint cannot be read, or the output directory not be written.
    pub fn new(
        world: &'a World,
        config: RunConfig,
        mut model: M,
        mut tasks: Vec<Box<dyn Task<M>>>,
        fingerprint: String,
    ) -> Result<Trainer<'a, M>> {
        let mut optimizer = AdamW::new(config.optimizer.adamw());
        let device = model.parameters().first().map_or_else(Device::default, |(_, parameter)| parameter.device());
        let state = checkpoint::load(&config.out, &fingerprint, &mut model, &mut tasks, &mut optimizer)?;
        for (_, parameter) in checkpoint::parameters_mut(&mut model, &mut tasks) {
            parameter.set_device(device).map_err(isogloss_model::Error::from)?;
        }
        let (log, log_bytes) = match world.is_first() {
            true => open_log(&config, state.as_ref()).map(|(log, bytes)| (Some(log), bytes))?,
            false => (None, 0),
        };
        Ok(Trainer {
            world,
            dev: if world.is_first() { M::dev(&config)? } else { None },
            schedule: config.schedule()?,
            mixture: Mixture::new(&config.tasks()?),
            step: state.as_ref().map_or(0, |s| s.step),
            best: state.as_ref().and_then(|s| s.best),
            stale: state.as_ref().map_or(0, |s| s.stale),
            config,
            model,
            tasks,
            optimizer,
            fingerprint,
            log,
            log_bytes,
            pending: VecDeque::new(),
            last_read: None,
        })
    }

    /// Steps already done when the run was prepared.
    pub fn resumed_at(&self) -> usize {
        self.step
    }

    /// Runs to the end and writes the model folder.
    ///
    /// # Errors
    /// The loss or gradient stops being finite, or something cannot be written.
    pub fn run(mut self, observer: &mut dyn Observer) -> Result<Outcome> {
        let mut stopped_early = false;
        if self.step == 0 {
            self.warm_up()?;
        }
        while self.step < self.config.schedule.steps {
            if self.is_stale() {
                stopped_early = true;
                break;
            }
            if let Err(error) = self.train_step() {
                self.read_figures(0, observer)?;
                return Err(error);
            }
            let every = self.config.checkpoint.every;
            let checkpoint = every > 0 && self.step.is_multiple_of(every);
            let all = checkpoint || self.evaluation_is_due() || self.step == self.config.schedule.steps;
            self.read_figures(if all { 0 } else { 1 }, observer)?;
            self.evaluate(observer)?;
            if checkpoint {
                self.save_checkpoint()?;
            }
        }
        self.finish(stopped_early)
    }

    fn is_stale(&self) -> bool {
        let patience = self.config.evaluate.as_ref().and_then(|e| e.patience);
        patience.is_some_and(|p| self.stale >= p)
    }

    /// Shows every task what it wants to see before the first step.
    fn warm_up(&mut self) -> Result<()> {
        let key = Key::new(self.config.seed).derive(3);
        for (n, task) in self.tasks.iter_mut().enumerate() {
            let chunk_tokens = self.mixture.chunk_tokens(n, &self.config);
            let options =
                StepOptions { key: key.derive(n as u64), dropout: false, chunk_tokens, weight: 1.0, world: self.world };
            task.warm_up(&self.model, options)?;
        }
        Ok(())
    }

    /// Puts one optimiser step on its way.
    fn train_step(&mut self) -> Result<()> {
        let start = Instant::now();
        let step_key = Key::new(self.config.seed).derive(2).derive(self.step as u64);
        let rounds = self.config.batch.accumulate;
        let mut gradients = Gradients::default();
        let mut sums = Sums::default();
        for round in 0..rounds {
            let key = step_key.derive(round as u64);
            for n in self.mixture.draw(key) {
                let options = StepOptions {
                    key: key.derive(n as u64),
                    dropout: self.config.model.dropout,
                    chunk_tokens: self.mixture.chunk_tokens(n, &self.config),
                    weight: self.mixture.weight(n) / rounds as f32,
                    world: self.world,
                };
                let batch = self.tasks[n].accumulate(&self.model, options, &mut gradients)?;
                sums.add(&self.mixture.prefix(n), f64::from(options.weight), batch);
            }
        }
        let parameters = checkpoint::parameters(&self.model, &self.tasks);
        let summed = self.world.sum_gradients(parameters.iter().map(|(_, t)| *t), &mut gradients);
        summed.map_err(isogloss_model::Error::from)?;
        let parameters = parameters.into_iter().map(|(_, t)| t);
        let limit = f64::from(self.config.optimizer.clip);
        let clipped = clip(parameters, &gradients, limit, &sums.losses(), &sums.terms());
        let learning_rate = self.schedule.rate(self.step);
        let parameters = checkpoint::parameters_mut(&mut self.model, &mut self.tasks);
        self.optimizer.step(parameters, &gradients, learning_rate, clipped.factor);
        let epoch = self.tasks.iter().map(|task| task.epochs()).fold(0.0, f64::max);
        let told = clipped.told;
        self.pending.push_back(Pending { before: self.step, start, learning_rate, epoch, sums, told });
        self.step += 1;
        Ok(())
    }

    /// Reads, logs and shows the figures of all pending steps but the last `keep`, and of those too where they are here already.
    fn read_figures(&mut self, keep: usize, observer: &mut dyn Observer) -> Result<()> {
        while self.pending.len() > keep || self.pending.front().is_some_and(|step| step.told.is_here()) {
            let Some(step) = self.pending.pop_front() else { break };
            let log = self.read(step)?;
            self.write_log(&log)?;
            observer.step(&log, self.config.schedule.steps);
        }
        Ok(())
    }

    /// Waits for the figures of a step.
    fn read(&mut self, step: Pending) -> Result<StepLog> {
        let Pending { before, start, learning_rate, epoch, sums, told } = step;
        let mut values = told.wait().into_iter();
        let now = Instant::now();
        // A GPU began it when it was through with the one before.
        let seconds = (now - self.last_read.replace(now).map_or(start, |last| last.max(start))).as_secs_f64();
        let (loss, terms) = sums.value(&mut values);
        require_finite(before, "loss", loss)?;
        let gradient_norm = values.next().expect("the norm is behind the figures");
        require_finite(before, "gradient norm", gradient_norm)?;
        Ok(StepLog {
            step: before + 1,
            loss,
            terms,
            gradient_norm,
            learning_rate,
            epoch,
            rows: sums.rows,
            tokens: sums.tokens,
            tokens_per_second: sums.tokens as f64 / seconds,
        })
    }

    fn evaluation_is_due(&self) -> bool {
        let due = |every: usize| self.step.is_multiple_of(every) || self.step == self.config.schedule.steps;
        self.config.evaluate.as_ref().is_some_and(|evaluate| due(evaluate.every))
    }

    /// Evaluates if it is time to, and keeps the model if it is the best.
    fn evaluate(&mut self, observer: &mut dyn Observer) -> Result<()> {
        if !self.evaluation_is_due() {
            return Ok(());
        }
        let score = self.dev.as_ref().map(|dev| self.model.score(dev)).transpose()?;
        if let Some(score) = &score {
            require_finite(self.step, "measure of the development set", score.value)?;
        }
        let is_best = |score: &Score| self.best.is_none_or(|(so_far, _)| score.beats(so_far));
        let best = score.as_ref().is_some_and(is_best);
        let value = self.of_first(score.as_ref().map_or(0.0, |score| score.value).to_le_bytes())?;
        let (value, [best]) = (f64::from_le_bytes(value), self.of_first([u8::from(best)])?);
        let best = best == 1;
        if best {
            self.best = Some((value, self.step));
            self.stale = 0;
            let keep = self.config.evaluate.as_ref().is_some_and(|evaluate| evaluate.keep_best);
            if keep && self.world.is_first() {
                self.model.save(&self.config.out.join("best"))?;
            }
        } else {
            self.stale += 1;
        }
        let Some(Score { measure, by_lang, .. }) = score else { return Ok(()) };
        let mut line = json!({"step": self.step, "measure": measure, "value": value, "best": best});
        if !by_lang.is_empty() {
            line["by_lang"] = json!(by_lang);
        }
        self.write_log(&line)?;
        observer.evaluated(self.step, &measure, value, best);
        Ok(())
    }

    /// What the first GPU gives, on all of them.
    fn of_first<const N: usize>(&self, own: [u8; N]) -> Result<[u8; N]> {
        Ok(self.world.of_first(own).map_err(isogloss_model::Error::from)?)
    }

    fn write_log(&mut self, line: &impl Serialize) -> Result<()> {
        let Some(log) = &mut self.log else { return Ok(()) };
        let path = self.config.out.join("log.jsonl");
        let mut text = serde_json::to_string(line).map_err(|e| Error::value("log", e.to_string()))?;
        text.push('\n');
        self.log_bytes += text.len() as u64;
        log.write_all(text.as_bytes()).map_err(|e| Error::io(&path, e))
    }

    /// Waits for all GPUs and holds what they have learnt against each other: weights, and what tasks keep.
    fn check_together(&self) -> Result<()> {
        if self.world.size() == 1 {
            return Ok(());
        }
        let hash = checkpoint::hash(&self.model, &self.tasks)?;
        let all = self.world.gather(hash.to_le_bytes()).map_err(isogloss_model::Error::from)?;
        match all.iter().position(|other| *other != all[0]) {
            Some(rank) => Err(Error::Apart { step: self.step, rank }),
            None => Ok(()),
        }
    }

    fn save_checkpoint(&self) -> Result<()> {
        self.check_together()?;
        if !self.world.is_first() {
            return Ok(());
        }
        let state = RunState {
            fingerprint: self.fingerprint.clone(),
            step: self.step,
            updates: self.optimizer.updates,
            tasks: Vec::new(),
            best: self.best,
            stale: self.stale,
            log_bytes: self.log_bytes,
        };
        checkpoint::save(&self.config.out, &self.model, &self.tasks, &self.optimizer, state)
    }

    /// Writes the resulting model folder.
    fn finish(self, stopped_early: bool) -> Result<Outcome> {
        self.check_together()?;
        let model = self.config.out.join("model");
        let outcome = Outcome { steps: self.step, stopped_early, best: self.best, model };
        if !self.world.is_first() {
            return Ok(outcome);
        }
        let keep_best = self.config.evaluate.as_ref().is_some_and(|e| e.keep_best) && self.best.is_some();
        if keep_best {
            self.model.reload(&self.config.out.join("best"))?.save(&outcome.model)?;
        } else {
            self.model.save(&outcome.model)?;
        }
        let checkpoint = checkpoint::checkpoint_path(&self.config.out);
        if checkpoint.exists() {
            fs::remove_file(&checkpoint).map_err(|e| Error::io(&checkpoint, e))?;
        }
        Ok(outcome)
    }
}

fn require_finite(step: usize, what: &'static str, value: f64) -> Result<()> {
    if value.is_finite() { Ok(()) } else { Err(Error::NotFinite { step, what, value }) }
}

/// The log, cut to what the checkpoint knows of.
fn open_log(config: &RunConfig, state: Option<&RunState>) -> Result<(File, u64)> {
    fs::create_dir_all(&config.out).map_err(|e| Error::io(&config.out, e))?;
    let path = config.out.join("log.jsonl");
    let log = OpenOptions::new().create(true).append(true).open(&path).map_err(|e| Error::io(&path, e))?;
    let length = log.metadata().map_err(|e| Error::io(&path, e))?.len();
    let known = state.map_or(0, |s| s.log_bytes).min(length);
    log.set_len(known).map_err(|e| Error::io(&path, e))?;
    Ok((log, known))
}
