//! The errors: an `io::Error` with the number of the call, or with the typed error inside.

use fdspawn::os::unix::process::CommandExt;
use fdspawn::process::{Command, CommandFdExt, Stdio};
use fdspawn::{Error, Failure, plan::Refusal};
use std::io::{self, ErrorKind};

fn inside(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

#[test]
fn error_of_a_call_has_its_number_and_the_command_keeps_the_step() {
    let mut command = Command::new("true");
    command.current_dir("/nope");
    for result in [command.spawn().map(drop), command.status().map(drop), command.output().map(drop)] {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::NotFound, Some(2)));
        let error = command.last_error().unwrap();
        assert!(matches!(error.failure(), Failure::WorkingDirectory(Some(path)) if path.as_os_str() == "/nope"));
        assert_eq!(error.to_string(), "cannot spawn `true`: working directory `/nope`: No such file or directory");
    }
    let error = command.exec();
    assert_eq!(error.raw_os_error(), Some(2));
    let text = "cannot exec `true`: working directory `/nope`: No such file or directory";
    assert_eq!(command.last_error().unwrap().to_string(), text);
    command.current_dir("/");
    assert!(command.status().unwrap().success());
    assert!(command.last_error().is_none());
}

#[test]
fn error_without_a_call_contains_the_typed_error() {
    let error = Command::new("a\0b").spawn().unwrap_err();
    assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::InvalidInput, None));
    assert!(matches!(inside(&error).unwrap().failure(), Failure::NulByte(fdspawn::Text::Program)));

    let mut command = Command::new("true");
    let _slots = (command.reader(7), command.writer(7));
    let error = command.status().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(matches!(inside(&error).unwrap().failure(), Failure::Refused(Refusal::TargetTwice { target: 7 })));
    assert_eq!(inside(&error).unwrap().to_string(), command.last_error().unwrap().to_string());

    let mut command = Command::new("true");
    // SAFETY: the error needs no memory.
    unsafe { command.pre_exec(|| Err(ErrorKind::TimedOut.into())) };
    let error = command.status().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput); // std's EINVAL has this kind
    assert_eq!(error.to_string(), "cannot spawn `true`: pre_exec hook 0: timed out");
}

#[test]
fn values_that_the_kernel_would_refuse_have_its_number() {
    let mut command = Command::new("true");
    command.process_group(-1);
    let error = command.spawn().unwrap_err();
    assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::InvalidInput, Some(libc::EINVAL)));
    assert!(matches!(command.last_error().unwrap().failure(), Failure::Refused(Refusal::NegativeGroup { .. })));
    for error in [Command::new("true").uid(u32::MAX).spawn(), Command::new("true").groups(&[0; 70_000]).spawn()] {
        assert_eq!(error.unwrap_err().raw_os_error(), Some(libc::EINVAL));
    }
}

#[test]
fn error_of_a_wait_has_its_number() {
    let mut child = Command::new("true").stdin(Stdio::null()).spawn().unwrap();
    let pid = child.id().cast_signed();
    // SAFETY: the call names a child of this process.
    assert_eq!(unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) }, pid);
    assert_eq!(child.wait().unwrap_err().raw_os_error(), Some(libc::ECHILD));
    assert_eq!(child.try_wait().unwrap_err().raw_os_error(), Some(libc::ECHILD));
}
