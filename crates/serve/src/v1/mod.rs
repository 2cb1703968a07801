//! The friendly routes: what the models take, and answers to images, texts and rows.

mod json;
mod list;
mod parts;
mod predict;
mod reader;
mod rows;

pub(crate) use list::models;
pub(crate) use predict::predict;
