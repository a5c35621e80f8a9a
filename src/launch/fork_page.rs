//! The shared page of a thread's last fork. The thread's next fork uses it again, since the kernel takes 20 us to map a page
//! and to unmap it.

use super::release::{ForkPage, Release};
use crate::sys::ProcessCopy;
use rustix::io::Errno;
use std::cell::Cell;
use std::os::fd::RawFd;

thread_local! {
    #[allow(clippy::missing_const_for_thread_local, reason = "it is const, which clippy does not see on Android")]
    /// The page, and the process that has mapped it: a forked copy of that process shares the page, and must not use it.
    static SPARE: Cell<Option<(ProcessCopy, ForkPage)>> = const { Cell::new(None) };
}

/// Runs one fork with a page that has no report yet. If a child keeps the page, no later fork may use it.
pub(super) fn with_page<T>(
    writer: Option<RawFd>,
    may_be_used_again: bool,
    act: impl FnOnce(&ForkPage) -> T,
) -> Result<T, Errno> {
    let process = ProcessCopy::current();
    let spare = SPARE.try_with(Cell::take).ok().flatten();
    let page = match spare.filter(|(owner, _)| *owner == process && writer.is_none()) {
        Some((_, page)) => {
            page.content().report.reset();
            page.content().release.reset();
            page
        }
        None => ForkPage::map(Release::new(writer))?,
    };
    let result = act(&page);
    if may_be_used_again {
        let _ = SPARE.try_with(|spare| spare.set(Some((process, page))));
    }
    Ok(result)
}
