//! How a child is made: clone and fork, fallbacks, hooks, signals, and the cost of it.

mod closing;
mod filters;
mod foreign_rules;
mod hooks;
mod hooks_environment;
mod leaks;
mod reruns;
mod signals;
mod system_calls;
mod traced;
mod valgrind;
