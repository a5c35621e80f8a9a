//! What the parent does with the child at the drop of its handle.

use super::builder::Command;
use crate::plan::OnDrop;

impl Command<'_> {
    /// Sets what the drop of the [`Child`](crate::Child) does. The default is [`OnDrop::Detach`], as with `std::process`.
    ///
    /// The setting is for [`Command::spawn`]; [`Command::status`] and [`Command::output`] wait for the child.
    ///
    /// # Errors
    ///
    /// The spawn refuses a teardown that could not find the processes that it should reach, since a drop cannot return an error:
    /// [`Reach::Group`] needs [`Command::process_group`] 0, [`Command::setsid`] or [`Command::group`], and [`Reach::Session`] needs
    /// [`Command::setsid`].
    ///
    /// [`Reach::Group`]: crate::Reach::Group
    /// [`Reach::Session`]: crate::Reach::Session
    ///
    /// ```
    /// use fdspawn::{Command, OnDrop, Teardown};
    /// use std::time::Duration;
    ///
    /// let how = Teardown::term(Duration::from_millis(500));
    /// let server = Command::new("sleep").arg("60").on_drop(OnDrop::End(how)).spawn()?;
    /// // If a panic unwinds here, it ends the server, too.
    /// drop(server);
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    #[doc(alias = "kill_on_drop")]
    pub fn on_drop(&mut self, on_drop: OnDrop) -> &mut Self {
        self.settings.on_drop = on_drop;
        self
    }
}
