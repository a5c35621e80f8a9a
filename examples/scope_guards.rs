//! Scope guards: a value that owns a descriptor closes it, however the program leaves the value's scope. If the errors
//! of close(2) matter, the program calls `close` at the end of the scope; on all other ways out the guard closes the
//! descriptor.

use fdspawn::fd::close;
use fdspawn::inspect::DescriptorTable;
use std::fs::File;
use std::io::{self, Write};
use std::panic::catch_unwind;

/// How the program leaves a scope.
#[derive(Clone, Copy, Debug)]
enum WayOut {
    End,
    Return,
    Error,
    Panic,
}

fn main() -> io::Result<()> {
    std::panic::set_hook(Box::new(|_| {})); // The panic of this example prints no message.
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

/// Opens three descriptors, and leaves the scope in the given way. Only `WayOut::End` calls `close`, and only for one
/// of the descriptors; the guards close all others.
fn save(way_out: WayOut) -> io::Result<usize> {
    let (_reader, _writer) = io::pipe()?;
    let mut file = File::options().write(true).open("/dev/null")?;
    let _undo = OnExit(|| println!("  (the guard runs its function)"));
    let open = DescriptorTable::current()?.len();
    file.write_all(b"data")?;
    match way_out {
        WayOut::End => {}
        WayOut::Return => return Ok(open),
        WayOut::Error => return Err(io::Error::other("something else went wrong")),
        WayOut::Panic => panic!("a bug"),
    }
    // Dropping the file would ignore the errors of close(2); `close` returns them.
    close(file)?;
    Ok(open)
}

/// A guard that calls a function when the program leaves its scope.
struct OnExit<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnExit<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
