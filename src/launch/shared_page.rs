//! A page of memory that parent and forked child share.

use super::report::{SharedReport, SharedText};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::ptr::NonNull;

/// What the page contains.
pub(super) struct PageContent<T> {
    pub(super) report: SharedReport,
    /// The text of a hook's error.
    pub(super) text: SharedText,
    /// By this the parent learns that the child has executed or ended.
    pub(super) release: T,
}

/// A mapping that a fork shares. A drop removes it from this process.
pub(super) struct SharedPage<T> {
    content: NonNull<PageContent<T>>,
}

impl<T> SharedPage<T> {
    /// Maps a page with an empty report.
    pub(super) fn map(release: T) -> Result<Self, Errno> {
        let size = size_of::<PageContent<T>>();
        // SAFETY: the kernel puts an anonymous mapping where no other mapping is.
        let address = unsafe {
            mmap_anonymous(std::ptr::null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED)
        }?;
        let content = NonNull::new(address.cast::<PageContent<T>>()).ok_or(Errno::NOMEM)?;
        // SAFETY: the mapping is new, large enough, and aligned to a page.
        unsafe { content.write(PageContent { report: SharedReport::new(), text: SharedText::new(), release }) };
        Ok(Self { content })
    }

    pub(super) fn content(&self) -> &PageContent<T> {
        // SAFETY: the mapping lives as long as this value, and its content is initialized.
        unsafe { self.content.as_ref() }
    }
}

impl<T> Drop for SharedPage<T> {
    fn drop(&mut self) {
        // SAFETY: this value owns the mapping, and no reference to the content is left.
        let _ = unsafe { munmap(self.content.as_ptr().cast(), size_of::<PageContent<T>>()) };
    }
}
