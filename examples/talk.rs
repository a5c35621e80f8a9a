//! A conversation by lines with a program that answers questions, in one thread, with a deadline for each answer.
//!
//! ```text
//! cargo run --example talk -- [--timeout SECONDS] [bc|python3] [QUESTION]...
//! ```
//!
//! An answer is one line. One [`Exchange`] reads the program's lines for the whole conversation, and has one feed for each question. Each line stops the run, and the
//! next run goes on after it. Neither process can wait for the other for ever: a run that has no line in time stops at the deadline, and the
//! program is ended.

use fdspawn::{Command, Exchange, Stdio, Stop, Teardown};
use std::io;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::time::Duration;

/// How long the program has for an answer, if no other time is given.
const TIME: Duration = Duration::from_secs(5);

/// A longer line comes in pieces.
const LONGEST: usize = 4096;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut time = TIME;
    if arguments.first().is_some_and(|name| name == "--timeout") {
        arguments.remove(0);
        let seconds = if arguments.is_empty() { None } else { arguments.remove(0).parse().ok() };
        time =
            seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).ok_or("--timeout needs seconds")?;
    }
    let is_python = arguments.first().is_some_and(|name| name == "python3");
    if arguments.first().is_some_and(|name| is_python || name == "bc") {
        arguments.remove(0);
    }
    let (mut command, built_in) = if is_python { python() } else { bc() };
    let questions = if arguments.is_empty() { built_in.map(str::to_owned).to_vec() } else { arguments };

    let mut child = match command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            println!("skipped: {} is not installed", if is_python { "python3" } else { "bc" });
            return Ok(());
        }
        child => child?,
    };
    let questions_to = child.stdin.take().expect("piped");
    let answer = Mutex::new(String::new());
    let mut exchange = Exchange::new();
    let answers = exchange.lines(child.stdout.take().expect("piped"), LONGEST, |line| {
        *answer.lock().expect("no function panics with it") = String::from_utf8_lossy(line).into_owned();
        ControlFlow::Break(())
    });
    for question in questions {
        println!("{question}");
        // A feed closes its descriptor after its bytes, and the next question needs the pipe, too. So the feed gets a duplicate.
        exchange.feed_owned(questions_to.try_clone()?, question + "\n");
        match exchange.timeout(time).run()? {
            Stop::Asked(_) => println!("    {}", answer.lock().expect("no function panics with it").trim_end()),
            Stop::Deadline => {
                // A late answer would pass for the answer to the next question, so this question is the last one.
                println!("    no answer in time");
                let ended = child.end(&Teardown::term(Duration::from_secs(1)))?;
                println!("the program was ended: {}", ended.status);
                return Ok(());
            }
            _ => {
                println!("    no answer: the program has ended");
                break;
            }
        }
    }
    // The program finds the end of its input. What it still writes is no answer.
    drop(questions_to);
    exchange.close(answers);
    println!("the program has ended: {}", child.wait()?);
    Ok(())
}

/// `bc`, which writes its errors where it writes its answers, and questions for it.
fn bc() -> (Command<'static>, [&'static str; 4]) {
    let mut command = Command::new("bc");
    command.arg("-q").env("BC_LINE_LENGTH", "0").stderr(Stdio::same_as(1));
    (command, ["6 * 7", "scale = 3; 22 / 7", "2 ^ 100", "while (1) {}"])
}

/// Python, which writes its prompts to standard error, and questions for it.
fn python() -> (Command<'static>, [&'static str; 4]) {
    let mut command = Command::new("python3");
    command.args(["-i", "-q", "-u"]).stderr(Stdio::null());
    (command, ["6 * 7", "round(22 / 7, 3)", "2 ** 100", "import time; time.sleep(3600)"])
}
