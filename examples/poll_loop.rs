//! Children in a loop around poll(2) that waits for something else, too: here for what a socket says.

use fdspawn::{Capture, Children, Command, Driven};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, Read};
use std::task::Poll;
use std::time::Duration;

fn main() -> io::Result<()> {
    let mut children = Children::new();
    let how = Capture::new().timeout(Duration::from_secs(1));
    for script in ["sleep 0.2; echo quick", "echo slow; exec sleep 60"] {
        children.capture(Command::new("sh").args(["-c", script]), &how, script)?;
    }
    let mut talker = Command::new("sh");
    talker.args(["-c", "echo hello >&5"]);
    let socket = talker.socket(5);
    let mut child = talker.spawn()?;
    let mut socket = child.take(socket).expect("taken once");
    children.insert(child, "the talker");

    let mut is_open = true;
    loop {
        match children.step()? {
            Poll::Ready(None) => break,
            Poll::Ready(Some(finished)) => {
                let output = finished.captured.map(|captured| captured.stdout).unwrap_or_default();
                println!("{}: {:?}, {:?}", finished.tag, finished.stop, String::from_utf8_lossy(&output));
                continue;
            }
            Poll::Pending => {}
        }
        let descriptor = children.descriptor()?;
        let mut polls = vec![PollFd::new(&descriptor, PollFlags::IN)];
        if is_open {
            polls.push(PollFd::new(&socket, PollFlags::IN));
        }
        poll(&mut polls, None)?;
        if is_open && !polls[1].revents().is_empty() {
            let mut bytes = [0; 80];
            match socket.read(&mut bytes)? {
                0 => is_open = false,
                length => print!("the socket says: {}", String::from_utf8_lossy(&bytes[..length])),
            }
        }
    }
    Ok(())
}
