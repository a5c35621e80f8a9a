//! What a child is besides its descriptors: user, group, session, terminal, cgroup.

mod all_at_once;
mod cgroup;
mod chroot;
mod credentials;
mod in_place;
mod parent_death;
mod storm;
mod terminal;
