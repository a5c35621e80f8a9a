//! Everything that takes time, under tokio: no thread, no handler for SIGCHLD, and a dropped future loses nothing.

use fdspawn::{Capture, Children, Command, Driven, Exchange, Keep, Stdio, Stop, Teardown};
use std::io;
use std::task::Poll;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

/// Drives anything to its result.
async fn drive<D: Driven>(driven: &mut D) -> io::Result<D::Output> {
    let mut polled = None;
    loop {
        if let Poll::Ready(output) = driven.step()? {
            return Ok(output);
        }
        let polled = match &mut polled {
            Some(polled) => polled,
            none => {
                let own = driven.descriptor()?.try_clone_to_owned()?;
                // SAFETY: tokio owns this duplicate, so nothing else closes it.
                none.insert(unsafe { AsyncFd::register_with_interest(own, Interest::READABLE) }?)
            }
        };
        polled.readable().await?.clear_ready();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    // A task of its own, while the others run.
    let captured = tokio::spawn(async {
        let mut capturing = Command::new("sort").start_capture(&Capture::new().input("b\na\n"))?;
        drive(&mut capturing).await
    });

    // The future is dropped at each timeout. The next one goes on where it was.
    let mut command = Command::new("sh");
    command.args(["-c", "for n in 1 2 3 4; do echo $n; sleep 0.1; done"]);
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut exchange = Exchange::new();
    let output = exchange.drain(child.stdout.take().expect("piped"), Keep::All);
    let mut dropped = 0;
    let stop = loop {
        match timeout(Duration::from_millis(30), drive(&mut exchange)).await {
            Ok(stop) => break stop?,
            Err(_) => dropped += 1,
        }
    };
    assert!(stop == Stop::Done && dropped > 1);
    println!("{:?}: {}", stop, String::from_utf8_lossy(&exchange.bytes(output)).replace('\n', " "));
    println!("{}", drive(&mut child.process()).await?);

    // A set of children, and the end of one of them.
    let mut children = Children::new();
    for seconds in ["60", "0.1", "0"] {
        children.insert(Command::new("sleep").arg(seconds).spawn()?, seconds);
    }
    while let Some(finished) = drive(&mut children).await? {
        println!("sleep {}: {}", finished.tag, finished.status?);
        if children.len() == 1 {
            children.end_all(&Teardown::default())?;
        }
    }

    println!("sorted: {:?}", String::from_utf8_lossy(&captured.await??.stdout));
    Ok(())
}
