//! Preprocessing that is saved with a model: from raw values to a model's inputs.
//!
//! | values | before fitting | fitted |
//! |---|---|---|
//! | images | [`Image`] | [`Image`] |
//! | texts | [`Text`] | [`TextEncoder`] |
//! | numbers, categories and dates of a table | [`Columns`] | [`ColumnsEncoder`] |
//! | categories, for an embedding | [`CategoryIds`] | [`CategoryIdsEncoder`] |
//! | numbers as they are, or normalized | [`Features`] | [`Features`] |
//! | your own | [`InputSpec`] | [`InputBlock`] |

// | file | what is in it |
// |---|---|
// | `input.rs`, `note.rs` | `InputSpec`, `InputBlock`; `Note`: what was filled, unknown, cut or resized |
// | `image.rs`, `text.rs`, `features.rs` | the blocks of these names |
// | `columns/` | `Columns`, `CategoryIds` |
// | `place.rs` | checks of columns, with the names of their values |

mod columns;
mod features;
mod image;
mod input;
mod note;
mod place;
mod text;

pub use columns::{CategoryIds, CategoryIdsEncoder, ColumnSettings, Columns, ColumnsEncoder, Fill, Scaling};
pub use features::Features;
pub use image::Image;
pub(crate) use input::{AnyInput, AnySpec, decode_input};
pub use input::{Field, InputBlock, InputSpec};
pub use note::{Note, Notes, Remark};
pub use text::{Text, TextEncoder};

use crate::error::Result;
use std::sync::Arc;

/// A kind of block, and the function that decodes it.
type Known = (&'static str, fn(&[u8]) -> Result<Arc<dyn AnyInput>>);

/// The crate's blocks in front of inputs: the list of those that can be loaded.
pub(crate) fn builtin_inputs() -> Vec<Known> {
    fn known<B: InputBlock>() -> Known {
        (B::KIND.name(), decode_input::<B>)
    }
    vec![
        known::<CategoryIdsEncoder>(),
        known::<ColumnsEncoder>(),
        known::<Features>(),
        known::<Image>(),
        known::<TextEncoder>(),
    ]
}
