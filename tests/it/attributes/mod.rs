//! Attributes of a child: each by every launcher, from this thread and from an isolated one, and by `exec`.

mod all_at_once;
mod cgroup;
mod chroot;
mod credentials;
mod groups;
mod hooks;
mod in_place;
mod limits;
mod masks;
mod parent_death;
mod pipe_capacity;
mod program_fd;
mod programs;
mod scheduling;
mod signals;
mod stops;
mod storm;
mod terminal;
