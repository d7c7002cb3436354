//! Things that threads need for a while, as many as threads at work.

use std::sync::Mutex;

#[derive(Debug, Default)]
pub(crate) struct Pool<T>(Mutex<Vec<T>>);

impl<T: Default> Pool<T> {
    /// Lends one to `work`.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let taken = self.0.lock().expect("no panic while held").pop();
        let mut thing = taken.unwrap_or_default();
        let result = work(&mut thing);
        self.0.lock().expect("no panic while held").push(thing);
        result
    }
}
