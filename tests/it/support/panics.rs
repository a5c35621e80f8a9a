//! Panics that a test expects.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

/// The message of the panic with which a call ends.
///
/// It is not printed: with `RUST_BACKTRACE`, std reads the names of all functions for that, and keeps them in 90 MB of memory, which each fork
/// of the test process would copy from then on.
#[track_caller]
pub fn panic_of<T>(call: impl FnOnce() -> T) -> String {
    thread_local! {
        static IS_EXPECTED: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_EXPECTED.get() {
                others(panic);
            }
        }));
    });
    IS_EXPECTED.set(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    IS_EXPECTED.set(false);
    let Err(panic) = result else { panic!("there was no panic") };
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.unwrap_or_else(|| panic.downcast_ref::<String>().expect("a message").clone())
}
