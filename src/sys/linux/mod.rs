//! System calls of Linux and Android.

mod attributes;
mod clone;
mod descriptor;
mod directory;
mod futex;
mod limit;
mod lock;
mod memory;
mod process;
mod signal;
mod stream;
mod syscall;
mod wait;

pub(crate) use self::attributes::{
    Whose, add_nice, change_root, count_groups, foreground_group, group_ids, join_cgroup, new_session, parent,
    set_affinity, set_controlling_terminal, set_foreground, set_foreground_group, set_gid, set_groups, set_limit,
    set_no_new_privs, set_oom_score_adj, set_parent_death_signal, set_scheduler, set_uid, set_umask, user_ids,
};
pub(crate) use self::clone::{Clone3, CloneArgs, clone, clone3, fork_to_exec};
pub(crate) use self::descriptor::{
    CLOSE_RANGE_CLOEXEC, CLOSE_RANGE_UNSHARE, clear_close_on_exec, close, close_range, duplicate, duplicate_above,
    duplicate_owned, event, is_open, set_close_on_exec, unshare_table,
};
pub(crate) use self::directory::{is_in_proc, open_directory, read_directory};
pub(crate) use self::futex::{
    RobustList, RobustListHead, futex_wait, futex_wake, robust_list, set_robust_futex, set_robust_list, thread_id,
};
pub(crate) use self::limit::{FILE_SIZE, OPEN_FILES, hard_limit, raise_limit, soft_limit};
pub(crate) use self::lock::lock_range;
pub(crate) use self::memory::{MemoryPart, read_own_memory};
pub(crate) use self::process::{
    change_directory, change_directory_to, exec, exec_fd, exit, group_of, is_file_at, is_same_table, open_pidfd,
    session_of, set_process_group, signal_group,
};
pub(crate) use self::signal::{
    SignalSet, default_handlers, default_signal, every_signal, ignore_signal, set_signal_mask, signal_mask, signal_set,
};
pub(crate) use self::stream::{append, write_and_take_signal, write_without_signal};
pub(crate) use self::wait::{
    AfterReap, ask_after_reap, signal_by_pidfd, signal_group_by_pidfd, status_by_pid, wait_by_pid, wait_by_pidfd, wait4,
};
