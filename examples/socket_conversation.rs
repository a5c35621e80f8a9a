//! A conversation over a pair of sockets: the child reads and writes with one descriptor.

use fdspawn::Command;
use std::io::{self, BufRead, BufReader, Write};
use std::net::Shutdown;

const SCRIPT: &str = "\
while read -r line <&5; do
    echo \"you said: $line\" >&5
done
echo 'nothing more to say' >&5";

fn main() -> io::Result<()> {
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT]);
    let socket = command.socket(5);
    let mut child = command.spawn()?;
    let mut socket = child.take(socket).expect("taken once");
    let mut answers = BufReader::new(socket.try_clone()?).lines();

    for line in ["hello", "goodbye"] {
        writeln!(socket, "{line}")?;
        println!("{}", answers.next().transpose()?.unwrap_or_default());
    }
    // A socket can signal end-of-file in one direction with shutdown(2), and the program can still read from it.
    socket.shutdown(Shutdown::Write)?;
    for line in answers {
        println!("{}", line?);
    }
    println!("{}", child.wait()?);
    Ok(())
}
