//! Distillation: a student follows a teacher's embeddings over translations (Reimers and Gurevych 2020; docs/methods/distill.md).

use std::collections::HashMap;

use isogloss_dense::{Encoder, Side};
use isogloss_engine::op::{self, Activation};
use isogloss_engine::{Device, Key, Tensor};
use isogloss_ir::{Lang, Pair};
use isogloss_model::BiEncoder;
use serde::{Deserialize, Serialize};

use crate::config::positive;
use crate::error::{Error, Result};
use crate::loss::{Loss, Similarity, embedding_cosine, embedding_mse, margin_mse, own_scores, score_kl};
use crate::recipe::{Group, Part, Recipe};

/// What the student follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Follow {
    /// The teacher's embedding, by squared error.
    #[default]
    Mse,
    /// The direction of the teacher's embedding.
    Cosine,
    /// By how much the teacher prefers a text's own translation to the other texts of the batch, by squared error.
    Margin,
    /// The teacher's distribution over the texts of the batch.
    Kl,
}

/// Options of the recipe.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DistillConfig {
    /// Folder or hub name of the teacher, which encodes the first text of every pair.
    pub teacher: String,
    /// What the student follows.
    #[serde(default)]
    pub follow: Follow,
    /// Whether the student encodes the first text of a pair as well, and follows there too.
    #[serde(default = "yes")]
    pub both_sides: bool,
    /// Temperature of [`Follow::Kl`]; similarities of student and teacher are divided by it.
    #[serde(default = "default_temperature")]
    pub temperature: f32,
    /// Texts of the batch that [`Follow::Margin`] compares a text's own translation with.
    #[serde(default = "default_negatives")]
    pub negatives: usize,
    /// Whether a linear map, thrown away after training, stands between the student's embedding and the teacher's, so that their dimensions may differ.
    #[serde(default)]
    pub projection: bool,
    /// Whether the teacher's embeddings are kept in memory for the next pass over the data.
    #[serde(default = "yes")]
    pub remember: bool,
}

fn yes() -> bool {
    true
}

fn default_temperature() -> f32 {
    0.05
}

fn default_negatives() -> usize {
    15
}

impl DistillConfig {
    pub(super) fn check(&self, at: &str) -> Result<()> {
        positive(&format!("{at}.temperature"), self.temperature > 0.0)?;
        positive(&format!("{at}.negatives"), self.negatives > 0)?;
        match (self.projection, self.follow) {
            (true, Follow::Margin | Follow::Kl) => Err(Error::value(
                &format!("{at}.projection"),
                "is for follow = \"mse\" or \"cosine\" only; take it out",
            )),
            _ => Ok(()),
        }
    }
}

/// The recipe.
pub struct Distill {
    config: DistillConfig,
    teacher: BiEncoder,
    projection: Option<Tensor>,
    remembered: HashMap<String, Vec<f32>>,
}

impl Distill {
    /// The recipe with the given options, for a student of `dim` dimensions; `key` is that of the projection.
    ///
    /// # Errors
    /// The teacher cannot be loaded, or the dimensions differ where they must not.
    pub fn new(config: DistillConfig, dim: usize, key: Key) -> Result<Distill> {
        let teacher = BiEncoder::load(&config.teacher, &Default::default())?;
        let wanted = teacher.dim();
        let by_embedding = matches!(config.follow, Follow::Mse | Follow::Cosine);
        if by_embedding && !config.projection && dim != wanted {
            let cure = "set projection = true, or follow = \"margin\" or \"kl\"";
            let problem = format!("gives {wanted} dimensions and the student {dim}; {cure}");
            return Err(Error::value("recipe.teacher", problem));
        }
        let projection = config.projection.then(|| {
            let deviation = (dim as f32).sqrt().recip();
            let values: Vec<f32> = (0..(wanted * dim) as u64).map(|i| deviation * key.normal(i)).collect();
            Tensor::parameter(values, &[wanted, dim])
        });
        Ok(Distill { config, teacher, projection, remembered: HashMap::new() })
    }

    /// The same with the teacher moved to where the student is.
    ///
    /// # Errors
    /// There is no such device.
    pub fn with_teacher_on(mut self, device: Device) -> Result<Distill> {
        self.teacher.set_device(device)?;
        Ok(self)
    }

    /// Whether the student encodes the first texts of the pairs.
    fn needs_sources(&self) -> bool {
        self.config.both_sides || matches!(self.config.follow, Follow::Margin | Follow::Kl)
    }

    /// The teacher's embeddings of the first texts, `[B, D]`.
    fn taught(&mut self, batch: &[Pair]) -> Tensor {
        let known = |pair: &&Pair| !self.remembered.contains_key(&pair.src);
        let new: Vec<&str> = batch.iter().filter(known).map(|pair| pair.src.as_str()).collect();
        let vectors = self.teacher.encode(&new, Side::Doc).expect("a teacher whose tokenizer takes any text");
        for (row, text) in new.iter().enumerate() {
            self.remembered.insert((*text).to_string(), vectors.row(row).to_vec());
        }
        let rows: Vec<f32> = batch.iter().flat_map(|pair| &self.remembered[&pair.src]).copied().collect();
        if !self.config.remember {
            self.remembered.clear();
        }
        Tensor::new(rows, &[batch.len(), self.teacher.dim()])
    }

    /// How far the student's embeddings of one side are from what was taught.
    fn distance(&self, student: &Tensor, taught: &Tensor) -> Loss {
        let student = match &self.projection {
            Some(projection) => op::linear(student, projection, None, Activation::Identity),
            None => student.clone(),
        };
        match self.config.follow {
            Follow::Mse => embedding_mse(&student, taught),
            Follow::Cosine => embedding_cosine(&student, taught),
            Follow::Margin | Follow::Kl => unreachable!("compares scores"),
        }
    }

    /// How the student compares `texts` with `candidates`, against how the teacher compares the first texts with each other.
    fn preference(&self, texts: &Tensor, candidates: &Tensor, taught: &Tensor) -> Loss {
        match self.config.follow {
            Follow::Kl => {
                let cosines = |a: &Tensor, b: &Tensor| {
                    op::linear(&op::l2_normalize(a), &op::l2_normalize(b), None, Activation::Identity)
                };
                score_kl(&cosines(texts, candidates), &cosines(taught, taught), self.config.temperature, false)
            }
            _ => {
                let rows = own_and_next(texts.matrix().0, self.config.negatives);
                let scores = |a: &Tensor, b: &Tensor| own_scores(a, &op::gather_rows(b, &rows), Similarity::Cosine);
                margin_mse(&scores(texts, candidates), &scores(taught, taught))
            }
        }
    }
}

/// For every row itself, then the next rows around the batch: at most `most`, and never itself again.
fn own_and_next(batch: usize, most: usize) -> Vec<usize> {
    let next = most.min(batch - 1);
    (0..batch).flat_map(|row| (0..=next).map(move |k| (row + k) % batch)).collect()
}

impl Recipe<2> for Distill {
    type Example = Pair;

    fn groups<'a>(&self, batch: &'a [Pair], _key: Key) -> [Group<'a>; 2] {
        let group = |texts: Vec<&'a str>| Group { texts, side: Side::Doc };
        [
            group(batch.iter().map(|pair| pair.src.as_str()).filter(|_| self.needs_sources()).collect()),
            group(batch.iter().map(|pair| pair.tgt.as_str()).collect()),
        ]
    }

    fn loss(&mut self, batch: &[Pair], _key: Key, [source, target]: [Tensor; 2]) -> Loss {
        let taught = self.taught(batch);
        let side = |texts: &Tensor| match self.config.follow {
            Follow::Mse | Follow::Cosine => self.distance(texts, &taught),
            Follow::Margin | Follow::Kl => self.preference(texts, &source, &taught),
        };
        if !self.config.both_sides {
            return side(&target);
        }
        let [source, target] = [named("source", side(&source)), named("target", side(&target))];
        Loss::sum([(0.5, source), (0.5, target)])
    }

    fn parts<'a>(&self, pair: &'a Pair) -> Vec<Part<'a>> {
        let part = |text: &'a String, lang: &'a Option<Lang>| Part { text, side: Side::Doc, lang: lang.as_ref() };
        let source = self.needs_sources().then(|| part(&pair.src, &pair.src_lang));
        source.into_iter().chain([part(&pair.tgt, &pair.tgt_lang)]).collect()
    }

    fn similarities(&self, [_, targets]: [usize; 2]) -> usize {
        let sides = if self.config.both_sides { 2 } else { 1 };
        match self.config.follow {
            Follow::Mse | Follow::Cosine => 0,
            Follow::Margin => sides * 2 * targets * (1 + self.config.negatives),
            Follow::Kl => sides * 2 * targets * targets,
        }
    }

    /// The teacher, and what it said.
    fn held_bytes(&self, rows: usize, _langs: usize) -> usize {
        let teacher: usize = self.teacher.parameters().iter().map(|(_, tensor)| tensor.elements()).sum();
        let remembered = if self.config.remember { rows * self.teacher.dim() } else { 0 };
        (teacher + remembered) * size_of::<f32>()
    }

    fn texts<'a>(&self, pair: &'a Pair) -> Vec<&'a str> {
        vec![&pair.src, &pair.tgt]
    }

    fn parameters(&self) -> Vec<(String, &Tensor)> {
        self.projection.iter().map(|projection| ("projection.weight".to_string(), projection)).collect()
    }

    fn parameters_mut(&mut self) -> Vec<(String, &mut Tensor)> {
        self.projection.iter_mut().map(|projection| ("projection.weight".to_string(), projection)).collect()
    }
}

/// A loss whose only term has another name.
fn named(name: &'static str, loss: Loss) -> Loss {
    Loss { terms: vec![(name.into(), loss.total.detach())], ..loss }
}
