//! A wait, an end and an exchange under async-io, which smol and others use.

use async_io::{Async, Timer, block_on};
use fdspawn::{Command, Driven, Exchange, Keep, Stdio, Teardown};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Drives anything to its result.
async fn drive<D: Driven>(driven: &mut D) -> io::Result<D::Output> {
    let mut polled = None;
    loop {
        if let Poll::Ready(output) = driven.step()? {
            return Ok(output);
        }
        let polled = match &mut polled {
            Some(polled) => polled,
            // async-io owns what it polls, so it gets a duplicate.
            none => none.insert(Async::new_nonblocking(driven.descriptor()?.try_clone_to_owned()?)?),
        };
        polled.readable().await?;
    }
}

/// Drives anything for some time. `None` if that was not enough; a next call goes on.
async fn drive_for<D: Driven>(time: Duration, driven: &mut D) -> io::Result<Option<D::Output>> {
    let (mut driving, mut timer) = (pin!(drive(driven)), pin!(Timer::after(time)));
    poll_fn(|context| match driving.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(output.map(Some)),
        Poll::Pending => timer.as_mut().poll(context).map(|_| Ok(None)),
    })
    .await
}

fn main() -> io::Result<()> {
    block_on(async {
        let script = "cat; echo 'and now it sleeps'; exec >/dev/null; exec sleep 60";
        let mut command = Command::new("sh");
        let mut child = command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut exchange = Exchange::new();
        exchange.feed(child.stdin.take().expect("piped"), b"fed\n");
        let output = exchange.drain(child.stdout.take().expect("piped"), Keep::All);
        let stop = drive(&mut exchange).await?;
        print!("{stop:?}: {}", String::from_utf8_lossy(&exchange.bytes(output)));

        let mut process = child.process();
        let status = drive_for(Duration::from_millis(50), &mut process).await?;
        println!("after 50 ms: {status:?}");
        let mut ending = process.ending(&Teardown::term(Duration::from_secs(1)))?;
        println!("ended: {}", drive(&mut ending).await?.status);
        Ok(())
    })
}
