//! Plans of descriptors, carried out in real children.

mod closed_streams;
mod limits;
mod maps;
mod renumbering;
