//! Attributes of a child: each by every launcher, from this thread and from an isolated one, and by `exec`.

mod groups;
mod hooks;
mod limits;
mod masks;
mod pipe_capacity;
mod program_fd;
mod programs;
mod scheduling;
mod signals;
