//! Inheritance: a parent, its forked child and a program that it starts share one open file description, and therefore
//! one file offset. A second open(2) of the same file makes another open file description, with an offset of its own.

use fdspawn::{Command, FdMap, fork_run};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd};

fn main() -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(b"one two three four\n")?;
    let path = file.into_temp_path();
    let mut file = File::open(&path)?;
    let mut reopened = File::open(&path)?; // another open file description of the same file

    println!("parent reads     {:?}", word(&mut file, 4)?);

    let number = file.as_raw_fd();
    let mut map = FdMap::new();
    map.keep(&file);
    // SAFETY: this program has one thread. The child uses only 0 to 2 and the kept descriptor, and does not close them.
    let mut child = unsafe {
        fork_run(&mut map, || {
            let mut file = ManuallyDrop::new(File::from_raw_fd(number));
            println!("child reads      {:?}", word(&mut file, 4).unwrap_or_default());
            0
        })?
    };
    child.wait()?;
    println!("the offset is    {}", file.stream_position()?);

    // The offset is also shared after execve(2). The shell reads single bytes, so it does not read beyond the line.
    let mut shell = Command::new("sh");
    shell.args(["-c", "read -r rest; printf '%s' \"$rest\""]).stdin(&file);
    println!("program reads    {:?}", String::from_utf8_lossy(&shell.output()?.stdout));
    println!("the offset is    {}", file.stream_position()?);

    println!("opened again     {:?}", word(&mut reopened, 3)?);
    Ok(())
}

fn word(file: &mut File, length: usize) -> io::Result<String> {
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
