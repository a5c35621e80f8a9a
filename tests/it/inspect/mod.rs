//! `fdspawn::inspect`: descriptor tables, and the holders of a pipe.

mod pipe_holders;
mod table;
