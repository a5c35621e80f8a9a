//! `Command::explain`: the table and the steps that it prints.

use crate::own_process;
use crate::support;
use crate::support::sources::memory_at;
use fdspawn::{Command, Launcher, Rest, Stdio};
use std::os::fd::{AsFd, BorrowedFd};

own_process! {
    fn three_pipes_a_swap_and_a_keep_are_shown_as_a_table_and_steps() {
        let kept = memory_at(9, "kept", true);
        // SAFETY: 1 and 2 are open for as long as the process runs.
        let (stdout, stderr) = unsafe { (BorrowedFd::borrow_raw(1), BorrowedFd::borrow_raw(2)) };
        let mut command = Command::new("prog");
        command.launcher(Launcher::Clone).stdin(Stdio::piped()).stdout(stderr).stderr(stdout).keep(kept.as_fd());
        let _ = (command.reader(3), command.writer(4));
        let explanation = command.explain();
        assert_eq!(explanation.targets(), [0, 1, 2, 3, 4, 9]);
        let expected = "\
descriptors of `prog`; all others are closed
  target  source  what it is
       0       3  pipe: the parent writes, the child reads
       1       2  lent: stays open in the parent
       2       1  lent: stays open in the parent
       3       6  pipe: the child writes, the parent reads
       4       7  pipe: the parent writes, the child reads
       9       9  kept
steps in the child, launched by clone
       1  take a private table, without 10 and above
       2  clear close-on-exec of 9
       3  duplicate 3 as 0
       4  duplicate 6 as 3
       5  duplicate 7 as 4
       6  duplicate 1 as 5, which closes at exec
       7  duplicate 2 as 1
       8  duplicate 5 as 2
       9  close 5 to 8
      10  reset SIGPIPE
      11  restore the signal mask
      12  exec the program
";
        assert_eq!(explanation.to_string(), expected);
    }
}

own_process! {
    fn what_the_library_needs_itself_is_shown_without_a_target() {
        let mut command = Command::new("prog");
        command.launcher(Launcher::Fork).stderr(Stdio::same_as(1)).fd(3, Stdio::closed()).rest(Rest::Inherit);
        let text = command.explain().to_string();
        let expected = "\
descriptors of `prog`; all others are inherited unless close-on-exec is set
  target  source  what it is
       0       0  inherited
       1       1  inherited
       2       1  the same as 1
       3       -  closed
steps in the child, launched by fork
       1  duplicate 1 as 2
       2  close 3
       3  reset the handled signals
       4  reset SIGPIPE
       5  restore the signal mask
       6  exec the program
";
        assert_eq!(text, expected);
    }
}

#[test]
fn refused_plan_is_explained_by_its_error() {
    let mut command = support::command("prog");
    let explanation = command.fd(-3, Stdio::null()).explain();
    assert_eq!(explanation.to_string(), "cannot spawn `prog`: target -3 is below zero");
    assert!(explanation.steps().is_empty() && explanation.targets().is_empty());
}

#[test]
fn explaining_runs_nothing_and_leaves_nothing_changed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("touched");
    let mut command = support::command("touch");
    let (mut reader, writer) = std::io::pipe().unwrap();
    command.arg(&path).stdout(writer);
    for _ in 0..3 {
        assert!(command.explain().error().is_none());
    }
    assert!(!path.exists());
    assert!(command.status().unwrap().success(), "what was moved into the command is still there");
    std::io::Read::read_to_end(&mut reader, &mut Vec::new()).unwrap();
}
