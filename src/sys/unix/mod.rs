//! System calls of Unix systems other than Linux, through libc. There the launcher is fork, so the child has an `errno`
//! of its own.

mod attributes;
mod checked;
mod descriptor;
mod directory;
mod event;
mod limit;
mod lock;
mod process;
mod signal;
mod stream;

pub(crate) use self::attributes::{
    Whose, add_nice, change_root, count_groups, exec_fd, foreground_group, group_ids, ignore_signal, join_cgroup,
    new_session, parent, set_affinity, set_controlling_terminal, set_foreground, set_foreground_group, set_gid,
    set_groups, set_limit, set_no_new_privs, set_oom_score_adj, set_parent_death_signal, set_scheduler, set_uid,
    set_umask, user_ids,
};
pub(crate) use self::descriptor::{
    CLOSE_RANGE_CLOEXEC, CLOSE_RANGE_UNSHARE, clear_close_on_exec, close, close_range, duplicate, duplicate_owned,
    is_open, set_close_on_exec, unshare_table, write,
};
pub(crate) use self::directory::{is_in_proc, open_directory, read_directory};
pub(crate) use self::event::kevent;
pub(crate) use self::limit::{OPEN_FILES, hard_limit, soft_limit};
pub(crate) use self::lock::lock_range;
pub(crate) use self::process::{
    change_directory, change_directory_to, exec, exit, fork_to_exec, group_of, is_file_at, open_pidfd, session_of,
    set_process_group, signal_group, wait4,
};
pub(crate) use self::signal::{
    SignalSet, default_handlers, default_signal, every_signal, set_signal_mask, signal_mask, signal_set,
};
pub(crate) use self::stream::{append, write_and_take_signal, write_without_signal};
