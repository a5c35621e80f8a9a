//! Makes a child, and finds out whether the launch succeeded. Code that runs between clone and exec starts here.
#![allow(unsafe_code, reason = "it makes processes by clone and fork, and passes addresses to the child")]

mod attributes;
mod child;
mod errpipe;
mod fork_page;
mod function;
mod hooks;
mod image;
mod mode;
mod outcome;
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "own_environment_unsupported.rs")]
mod own_environment;
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "probe_unsupported.rs")]
mod probe;
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "release_pipe.rs")]
mod release;
mod report;
mod shared_page;
mod signals;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod stack;
mod start;
mod unreleased;
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "vfork_unsupported.rs")]
mod vfork;

pub(crate) use self::errpipe::Errpipe;
pub(crate) use self::hooks::HookList;
pub(crate) use self::image::Image;
pub(crate) use self::mode::{Method, Mode, Needs};
pub(crate) use self::outcome::cpus_of;
pub(crate) use self::probe::{known_missing, missing, remember_missing};
pub(crate) use self::signals::{BlockedSignals, SavedAction, handle_ignored_sigpipe};
pub(crate) use self::start::{LaunchError, launch, with_pidfd};
