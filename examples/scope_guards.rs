//! Scope guards: a value that owns a descriptor closes it on every way out of its scope. Where the errors of a close
//! matter, it is closed by name at the end of the good way, and the guard is for all the others.

use fdspawn::fd::close;
use fdspawn::inspect::DescriptorTable;
use std::fs::File;
use std::io::{self, Write};
use std::panic::catch_unwind;

/// How a scope is left.
#[derive(Clone, Copy, Debug)]
enum WayOut {
    End,
    Return,
    Error,
    Panic,
}

fn main() -> io::Result<()> {
    std::panic::set_hook(Box::new(|_| {})); // The panic below is meant.
    let before = DescriptorTable::current()?;
    println!("open before: {}", before.len());
    for way_out in [WayOut::End, WayOut::Return, WayOut::Error, WayOut::Panic] {
        let result = catch_unwind(|| save(way_out));
        let result = match &result {
            Ok(Ok(open)) => format!("returned, with {} more open at that time", open - before.len()),
            Ok(Err(error)) => format!("failed: {error}"),
            Err(_) => "panicked".to_owned(),
        };
        println!("{way_out:?}: {result}");
        assert!(DescriptorTable::diff(&before, &DescriptorTable::current()?).is_empty());
    }
    println!("open after:  {}", DescriptorTable::current()?.len());
    Ok(())
}

/// Opens three descriptors, and leaves in one way or another. No way closes any but by leaving, other than the good one.
fn save(way_out: WayOut) -> io::Result<usize> {
    let (_reader, _writer) = io::pipe()?;
    let mut file = File::options().write(true).open("/dev/null")?;
    let _undo = OnExit(|| println!("  (this runs on every way out, too)"));
    let open = DescriptorTable::current()?.len();
    file.write_all(b"data")?;
    match way_out {
        WayOut::End => {}
        WayOut::Return => return Ok(open),
        WayOut::Error => return Err(io::Error::other("something else went wrong")),
        WayOut::Panic => panic!("a bug"),
    }
    // A dropped file tells nobody that its last writes were lost: this does.
    close(file)?;
    Ok(open)
}

/// A guard of one's own: it runs a function when it is dropped.
struct OnExit<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnExit<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
