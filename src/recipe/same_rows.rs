//! [`SameRows`]: refuses to resume a run on other data.

use crate::error::{Error, Result};
use crate::io::{Kind, State};
use crate::nn::Model;
use crate::train::Callback;

/// A callback whose state is the checksum of what was fitted to the rows, so that a checkpoint is not resumed with other
/// preprocessing: its ids and scales would mean something else to the model.
pub(super) struct SameRows(pub u32);

impl Callback for SameRows {
    fn name(&self) -> &str {
        "recipe"
    }

    fn kind(&self) -> Option<Kind> {
        Some(const { Kind::builtin("recipe") })
    }

    fn state(&self) -> Option<State> {
        Some(State::new().integer("fitted", u64::from(self.0)))
    }

    fn load_state(&mut self, state: &mut State, _: &dyn Model) -> Result<()> {
        let found: u64 = state.take_integer("fitted")?;
        if found == u64::from(self.0) {
            return Ok(());
        }
        let expected = "give the fitted preprocessing of the checkpoint";
        Err(Error::data("the table and the recipe", expected, "another")
            .help("Resume with the same table, recipe and seed, or begin in another folder."))
    }
}
