//! Which tasks of a run a batch is drawn for, and how their losses weigh.

use isogloss_engine::Key;

use crate::config::{RunConfig, TaskConfig};

/// The tasks of a run as parts of its steps.
pub struct Mixture {
    tasks: Vec<TaskConfig>,
}

impl Mixture {
    /// The mixture of the given tasks.
    pub fn new(tasks: &[TaskConfig]) -> Mixture {
        Mixture { tasks: tasks.to_vec() }
    }

    /// The tasks that take part in one round: all without a share, and one of those with, drawn by share.
    pub fn draw(&self, key: Key) -> Vec<usize> {
        let shares: Vec<f64> = self.tasks.iter().map(|task| task.share.unwrap_or(0.0)).collect();
        let mut left = f64::from(key.derive(u64::MAX - 1).uniform(0)) * shares.iter().sum::<f64>();
        let drawn = shares.iter().position(|share| {
            left -= share;
            *share > 0.0 && left < 0.0
        });
        let drawn = drawn.or_else(|| shares.iter().rposition(|share| *share > 0.0));
        (0..self.tasks.len()).filter(|n| self.tasks[*n].share.is_none() || drawn == Some(*n)).collect()
    }

    /// In what share of the rounds a task takes part.
    pub fn frequency(&self, task: usize) -> f64 {
        let all: f64 = self.tasks.iter().filter_map(|task| task.share).sum();
        self.tasks[task].share.map_or(1.0, |share| share / all)
    }

    /// What a task's loss is multiplied by.
    pub fn weight(&self, task: usize) -> f32 {
        self.tasks[task].weight
    }

    /// What stands before the names of a task's terms: nothing in a run of one task.
    pub fn prefix(&self, task: usize) -> String {
        if self.tasks.len() == 1 { String::new() } else { format!("{}.", self.tasks[task].name()) }
    }

    /// The limit of tokens that a task's batches are encoded with at once.
    pub fn chunk_tokens(&self, task: usize, run: &RunConfig) -> Option<usize> {
        run.batch_of(&self.tasks[task]).chunk_tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(share: Option<f64>) -> TaskConfig {
        let toml = "recipe = { name = \"contrastive\" }\ndata = []";
        TaskConfig { share, ..toml::from_str(toml).unwrap() }
    }

    #[test]
    fn a_round_has_every_task_without_a_share_and_one_of_the_others() {
        let mixture = Mixture::new(&[task(Some(1.0)), task(None), task(Some(3.0))]);
        let rounds: Vec<Vec<usize>> = (0..1000).map(|n| mixture.draw(Key::new(n))).collect();
        assert!(rounds.iter().all(|r| r == &[0, 1] || r == &[1, 2]));
        let last = rounds.iter().filter(|r| r.contains(&2)).count();
        assert!((700..800).contains(&last), "{last}");
        assert_eq!([0, 1, 2].map(|task| mixture.frequency(task)), [0.25, 1.0, 0.75]);
    }

    #[test]
    fn without_shares_every_round_has_every_task() {
        assert_eq!(Mixture::new(&[task(None), task(None)]).draw(Key::new(1)), [0, 1]);
    }
}
