// What std's unit tests call of std's private builder, over the public one. `run` puts this text at the head of such a test; its paths
// are switched as all others are.
#[allow(unused)]
mod private {
    use std::fs::File;
    use std::io::{self, Read, Write};
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::os::unix::process::CommandExt;

    pub use libc::{sigaddset, sigemptyset};

    pub enum Stdio {
        MakePipe,
        Null,
    }

    pub struct Command(std::process::Command);

    impl Command {
        pub fn new(program: &std::ffi::OsStr) -> Self {
            Self(std::process::Command::new(program))
        }

        pub fn stdin(&mut self, _: Stdio) {
            self.0.stdin(std::process::Stdio::piped());
        }

        pub fn stdout(&mut self, _: Stdio) {
            self.0.stdout(std::process::Stdio::piped());
        }

        pub fn pgroup(&mut self, group: i32) {
            self.0.process_group(group);
        }

        pub fn setsid(&mut self, setsid: bool) {
            self.0.setsid(setsid);
        }

        pub unsafe fn pre_exec(&mut self, hook: Box<dyn FnMut() -> io::Result<()> + Send + Sync>) {
            unsafe { self.0.pre_exec(hook) };
        }

        pub fn spawn(&mut self, _: Stdio, _needs_stdin: bool) -> io::Result<(std::process::Child, Pipes)> {
            let mut child = self.0.stderr(std::process::Stdio::null()).spawn()?;
            let stdin = child.stdin.take().map(|pipe| Pipe(OwnedFd::from(pipe).into()));
            let stdout = child.stdout.take().map(|pipe| Pipe(OwnedFd::from(pipe).into()));
            Ok((child, Pipes { stdin, stdout }))
        }
    }

    pub struct Pipes {
        pub stdin: Option<Pipe>,
        pub stdout: Option<Pipe>,
    }

    pub struct Pipe(File);

    impl Pipe {
        pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
            (&self.0).read(buffer)
        }

        pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
            (&self.0).write(bytes)
        }
    }

    pub fn cvt(result: i32) -> io::Result<i32> {
        if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
    }

    pub fn cvt_nz(errno: i32) -> io::Result<()> {
        if errno == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(errno)) }
    }

    pub struct PidFd;

    impl PidFd {
        pub fn current_process() -> io::Result<()> {
            cvt(unsafe { libc::syscall(libc::SYS_pidfd_open, std::process::id(), 0) } as i32).map(|fd| drop(unsafe { libc::close(fd) }))
        }
    }

    pub struct Inner(i32);

    impl Inner {
        /// The process of a pidfd.
        pub fn pid(&self) -> io::Result<u32> {
            let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", self.0))?;
            let line = info.lines().find_map(|line| line.strip_prefix("Pid:"));
            line.and_then(|pid| pid.trim().parse().ok()).ok_or(io::ErrorKind::InvalidData.into())
        }
    }

    pub trait AsInner {
        fn as_inner(&self) -> Inner;
    }

    impl AsInner for std::os::linux::process::PidFd {
        fn as_inner(&self) -> Inner {
            Inner(self.as_raw_fd())
        }
    }
}
