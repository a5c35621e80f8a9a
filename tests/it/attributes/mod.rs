//! What a child is besides its descriptors: user, group, session, terminal, cgroup.

mod cgroup;
mod chroot;
mod credentials;
mod parent_death;
mod terminal;
