//! std's API over this library. `tests/std_behaviour` compares it with std; here is what std does not have, and what holds for both.

mod beyond;
mod errors;
mod layout;
mod life;
mod pidfds;
