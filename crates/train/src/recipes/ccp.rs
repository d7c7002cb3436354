//! Contrastive context prediction (Wu et al. 2022, arXiv 2206.03281): from plain documents alone, a sentence learns to find a neighbour of its own among
//! sentences of the same language (docs/methods/ccp.md).

use isogloss_dense::Side;
use isogloss_engine::{Key, Tensor, no_grad};
use isogloss_model::BiEncoder;
use serde::{Deserialize, Serialize};

use super::ccp_monitor::{Monitor, merge, split};
use crate::config::positive;
use crate::data::Place;
use crate::error::{Error, Result};
use crate::loss::{Ccp as Options, Loss, ccp};
use crate::memory_bank::{BankScope, MemoryBank};
use crate::projection_head::{ProjectionHead, ProjectionHeadConfig};
use crate::recipe::{Group, Part, Recipe, RecipeState};

/// Options of the recipe.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CcpConfig {
    /// Cosines are divided by it.
    pub temperature: f32,
    /// Whether half of the loss is context → centre.
    pub bidirectional: bool,
    /// Whether the other rows of a row's own side are in its denominator.
    pub same_side: bool,
    /// How far a context may be from its centre, in units.
    pub window: usize,
    /// Tokens of a unit: consecutive sentences are packed up to it.
    pub unit_tokens: usize,
    /// Rows of a memory bank; 0 for none.
    pub bank: usize,
    /// Whether every language has a bank of its own.
    pub bank_scope: BankScope,
    /// Whether rows of overlapping windows are kept out of each other's denominators.
    pub mask_windows: bool,
    /// Width between the two linear maps of the head; that of the embedding if not given.
    pub head_hidden: Option<usize>,
    /// Width of what the head gives; that of the embedding if not given.
    pub head_output: Option<usize>,
    /// Activation, statistics and batch norm of the head.
    pub head: ProjectionHeadConfig,
    /// Batches that the running statistics see before the first step.
    pub warm_up_batches: usize,
    /// Batches between two looks of the monitors; 0 for none.
    pub monitor_every: usize,
}

impl Default for CcpConfig {
    fn default() -> CcpConfig {
        CcpConfig {
            temperature: 0.1,
            bidirectional: true,
            same_side: true,
            window: 5,
            unit_tokens: 64,
            bank: 4096,
            bank_scope: BankScope::Language,
            mask_windows: true,
            head_hidden: None,
            head_output: None,
            head: ProjectionHeadConfig::default(),
            warm_up_batches: 100,
            monitor_every: 100,
        }
    }
}

impl CcpConfig {
    pub(super) fn check(&self, at: &str) -> Result<()> {
        let key = |key: &str| format!("{at}.{key}");
        positive(&key("temperature"), self.temperature > 0.0)?;
        positive(&key("window"), self.window > 0)?;
        positive(&key("unit_tokens"), self.unit_tokens > 0)?;
        positive(&key("head_hidden"), self.head_hidden != Some(0))?;
        positive(&key("head_output"), self.head_output != Some(0))?;
        positive(&key("head.eps"), self.head.eps > 0.0)?;
        match self.head.momentum > 0.0 && self.head.momentum <= 1.0 {
            true => Ok(()),
            false => Err(Error::value(&key("head.momentum"), "must be above 0 and at most 1")),
        }
    }
}

/// The recipe. Its batches hold one language each.
pub struct Ccp {
    config: CcpConfig,
    head: ProjectionHead,
    bank: MemoryBank,
    monitor: Monitor,
}

impl Ccp {
    /// The recipe with the given options; `key` is that of the head.
    pub fn new(config: CcpConfig, model: &BiEncoder, key: Key) -> Ccp {
        let dim = model.layout().dim();
        let widths = [dim, config.head_hidden.unwrap_or(dim), config.head_output.unwrap_or(dim)];
        Ccp {
            head: ProjectionHead::fresh(config.head, widths, key),
            bank: MemoryBank::new(config.bank, config.bank_scope),
            monitor: Monitor::new(config.monitor_every),
            config,
        }
    }

    /// The unit that stands for the context of a place: any but itself within the window and the document.
    fn context(&self, place: &Place, key: Key) -> usize {
        let first = place.at.saturating_sub(self.config.window);
        let last = (place.at + self.config.window).min(place.units.len() - 1);
        let drawn = first + key.below(0, last - first);
        if drawn < place.at { drawn } else { drawn + 1 }
    }
}

/// A number per row, the same for rows of one document that are at most `window` apart, or joined by others that are.
fn windows(batch: &[Place], window: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..batch.len()).collect();
    order.sort_by_key(|&row| (batch[row].document, batch[row].at));
    let mut numbers = vec![0; batch.len()];
    for pair in order.windows(2) {
        let [before, after] = [&batch[pair[0]], &batch[pair[1]]];
        let joined = before.document == after.document && after.at - before.at <= window;
        numbers[pair[1]] = numbers[pair[0]] + usize::from(!joined);
    }
    numbers
}

impl Recipe<2> for Ccp {
    type Example = Place;

    fn groups<'a>(&self, batch: &'a [Place], key: Key) -> [Group<'a>; 2] {
        let centre = batch.iter().map(|place| place.units[place.at].as_str()).collect();
        let context =
            |(row, place): (usize, &'a Place)| place.units[self.context(place, key.derive(row as u64))].as_str();
        let context = batch.iter().enumerate().map(context).collect();
        [centre, context].map(|texts| Group { texts, side: Side::Doc })
    }

    fn loss(&mut self, batch: &[Place], _key: Key, [centre, context]: [Tensor; 2]) -> Loss {
        let lang = batch[0].lang.as_ref().map_or(String::new(), |lang| lang.to_string());
        // Rows of a checkpoint come in main memory; products depend on where they are made in their last bits.
        let bank = self.bank.rows(&lang).map(|mut rows| {
            rows.set_device(centre.device()).expect("a device in use");
            rows
        });
        let windows = self.config.mask_windows.then(|| windows(batch, self.config.window));
        let CcpConfig { temperature, bidirectional, same_side, .. } = self.config;
        let options =
            Options { temperature, bidirectional, same_side, bank: bank.as_ref(), windows: windows.as_deref() };
        let seen = no_grad(|| self.monitor.look(&self.head, &lang, [&centre, &context], options));
        let (u, v) = self.head.forward(&centre, &context);
        let mut loss = ccp(&u, &v, options);
        loss.terms.extend(seen);
        self.bank.push(&lang, &u);
        self.bank.push(&lang, &v);
        loss
    }

    fn parts<'a>(&self, place: &'a Place) -> Vec<Part<'a>> {
        vec![Part { text: &place.units[place.at], side: Side::Doc, lang: place.lang.as_ref() }]
    }

    fn similarities(&self, [centre, context]: [usize; 2]) -> usize {
        let own_side = if self.config.same_side { centre } else { 0 };
        let directions = if self.config.bidirectional { 2 } else { 1 };
        directions * centre * (context + own_side + self.config.bank)
    }

    /// The bank.
    fn held_bytes(&self, _rows: usize, langs: usize) -> usize {
        let rings = if self.config.bank_scope == BankScope::Mixed { 1 } else { langs };
        rings * self.config.bank * self.head.width() * size_of::<f32>()
    }

    fn texts<'a>(&self, place: &'a Place) -> Vec<&'a str> {
        vec![&place.units[place.at]]
    }

    fn normalized(&self) -> bool {
        false
    }

    fn warm_up_batches(&self) -> usize {
        self.config.warm_up_batches
    }

    fn warm_up(&mut self, [centre, context]: [Tensor; 2]) {
        no_grad(|| self.head.forward(&centre, &context));
    }

    fn parameters(&self) -> Vec<(String, &Tensor)> {
        self.head.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(String, &mut Tensor)> {
        self.head.parameters_mut()
    }

    fn state(&self) -> RecipeState {
        merge([("head", self.head.state()), ("bank", self.bank.state()), ("monitor", self.monitor.state())])
    }

    fn restore(&mut self, state: RecipeState) -> Result<()> {
        let part = |name| split(&state, name);
        let (tensors, counts) = part("head");
        self.head.restore(&tensors, &counts)?;
        let (tensors, counts) = part("bank");
        self.bank.restore(&tensors, &counts)?;
        let (tensors, counts) = part("monitor");
        self.monitor.restore(&tensors, &counts)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn place(document: usize, at: usize) -> Place {
        let units = Arc::new((0..20).map(|n| n.to_string()).collect());
        Place { units, document, at, lang: "sw".parse().ok() }
    }

    #[test]
    fn rows_near_each_other_in_a_document_are_one_window() {
        let batch = [place(0, 0), place(1, 0), place(0, 9), place(0, 3), place(0, 15)];
        let numbers = windows(&batch, 5);
        assert_eq!(numbers[0], numbers[3]);
        assert_eq!([numbers[1], numbers[2], numbers[4]].map(|n| n == numbers[0]), [false; 3]);
        assert_ne!(numbers[2], numbers[4]);
    }
}
