//! Any recipe with its loss at several lengths of the embeddings (Kusupati et al. 2022): what is left after cutting still searches.

use isogloss_engine::{Key, Tensor};

use crate::config::MatryoshkaConfig;
use crate::error::Result;
use crate::loss::{Loss, matryoshka};
use crate::recipe::{Group, Part, Recipe, RecipeState};

/// A recipe and the lengths.
pub struct Matryoshka<R> {
    recipe: R,
    dims: Vec<(usize, f32)>,
}

impl<R> Matryoshka<R> {
    /// The recipe at the given lengths.
    pub fn new(recipe: R, config: &MatryoshkaConfig) -> Matryoshka<R> {
        let weights = config.weights.clone().unwrap_or_else(|| vec![1.0; config.dims.len()]);
        Matryoshka { recipe, dims: config.dims.iter().copied().zip(weights).collect() }
    }
}

impl<R: Recipe<GROUPS>, const GROUPS: usize> Recipe<GROUPS> for Matryoshka<R> {
    type Example = R::Example;

    fn groups<'a>(&self, batch: &'a [R::Example], key: Key) -> [Group<'a>; GROUPS] {
        self.recipe.groups(batch, key)
    }

    fn loss(&mut self, batch: &[R::Example], key: Key, embeddings: [Tensor; GROUPS]) -> Loss {
        let recipe = &mut self.recipe;
        matryoshka(embeddings.each_ref(), &self.dims, |cut| recipe.loss(batch, key, cut))
    }

    fn parts<'a>(&self, example: &'a R::Example) -> Vec<Part<'a>> {
        self.recipe.parts(example)
    }

    fn similarities(&self, texts: [usize; GROUPS]) -> usize {
        self.dims.len() * self.recipe.similarities(texts)
    }

    fn held_bytes(&self, rows: usize, langs: usize) -> usize {
        self.recipe.held_bytes(rows, langs)
    }

    fn texts<'a>(&self, example: &'a R::Example) -> Vec<&'a str> {
        self.recipe.texts(example)
    }

    fn normalized(&self) -> bool {
        self.recipe.normalized()
    }

    fn parameters(&self) -> Vec<(String, &Tensor)> {
        self.recipe.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(String, &mut Tensor)> {
        self.recipe.parameters_mut()
    }

    fn state(&self) -> RecipeState {
        self.recipe.state()
    }

    fn restore(&mut self, state: RecipeState) -> Result<()> {
        self.recipe.restore(state)
    }
}
