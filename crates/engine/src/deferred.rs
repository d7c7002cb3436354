//! Values that the process asked for and need not have at once.

use crate::cuda::{Landing, Plain};

/// Values that may still be on their way from a GPU. What was computed in main memory is there already.
pub struct Deferred<T>(State<T>);

enum State<T> {
    Here(Vec<T>),
    There(Box<dyn FnOnce() -> Vec<T>>),
}

impl<T> Deferred<T> {
    pub(crate) fn here(values: Vec<T>) -> Deferred<T> {
        Deferred(State::Here(values))
    }

    /// What lands, as values of this type.
    pub(crate) fn landing(landing: Landing) -> Deferred<T>
    where
        T: Plain,
    {
        Deferred(State::There(Box::new(|| landing.wait())))
    }

    /// Whether [`Deferred::wait`] has no GPU to wait for.
    pub fn is_here(&self) -> bool {
        matches!(self.0, State::Here(_))
    }

    /// The values; a GPU is waited for, but not for what it was given to do after them.
    pub fn wait(self) -> Vec<T> {
        match self.0 {
            State::Here(values) => values,
            State::There(values) => values(),
        }
    }
}
