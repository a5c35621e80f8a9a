//! `Signals`, a set of signals as plain data.

use rustix::process::Signal;
use std::ffi::c_int;
use std::fmt;

/// A set of signals. `Display` lists their names.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Signals([u64; 2]);

impl Signals {
    /// The empty set.
    pub const NONE: Self = Self([0; 2]);

    /// The set of these signals.
    pub fn of(signals: &[Signal]) -> Self {
        let mut set = Self::default();
        signals.iter().for_each(|&signal| set.insert(signal));
        set
    }

    /// Adds a signal.
    pub fn insert(&mut self, signal: Signal) {
        *self = *self | bit(signal.as_raw());
    }

    /// Removes a signal.
    pub fn remove(&mut self, signal: Signal) {
        let Self([low, high]) = bit(signal.as_raw());
        self.0 = [self.0[0] & !low, self.0[1] & !high];
    }

    /// Whether the set has a signal.
    pub fn contains(self, signal: Signal) -> bool {
        let Self([low, high]) = bit(signal.as_raw());
        self.0[0] & low != 0 || self.0[1] & high != 0
    }

    /// Whether the set has no signal.
    pub fn is_empty(self) -> bool {
        self.0 == [0; 2]
    }

    /// The numbers of the signals, in order.
    pub fn numbers(self) -> impl Iterator<Item = c_int> {
        let mut left = self.0;
        // The child reads the set in each spawn: one turn for each signal of the set, not for each number.
        std::iter::from_fn(move || {
            let (word, first) = left.iter_mut().zip([1, 65]).find(|(word, _)| **word != 0)?;
            let lowest = word.trailing_zeros().cast_signed();
            *word &= *word - 1;
            Some(first + lowest)
        })
    }
}

/// The set of one signal. Signal 1 is the lowest bit of the first word. No system has more than 128 signals.
fn bit(number: c_int) -> Signals {
    let index = (number - 1).cast_unsigned();
    Signals(match index {
        0..64 => [1 << index, 0],
        64..128 => [0, 1 << (index - 64)],
        _ => [0; 2],
    })
}

impl std::ops::BitOr for Signals {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self([self.0[0] | other.0[0], self.0[1] | other.0[1]])
    }
}

impl fmt::Display for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("no signal");
        }
        for (index, number) in self.numbers().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            SignalName(number).fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signals({self})")
    }
}

/// The name of a signal, or "signal" and its number if it has no name.
pub(crate) struct SignalName(pub(crate) c_int);

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

macro_rules! names {
    ($($name:ident),* $(,)?) => { &[$((libc::$name, stringify!($name))),*] };
}

/// The signals that all systems have.
const NAMES: &[(c_int, &str)] = names![
    SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE,
    SIGALRM, SIGTERM, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGXCPU, SIGXFSZ, SIGVTALRM,
    SIGPROF, SIGWINCH, SIGIO, SIGSYS,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_has_the_signals_that_were_put_into_it() {
        let mut set = Signals::of(&[Signal::TERM, Signal::HUP]);
        set.insert(Signal::PIPE);
        set.remove(Signal::HUP);
        assert_eq!(set.numbers().collect::<Vec<_>>(), [libc::SIGPIPE, libc::SIGTERM]);
        assert_eq!(set.to_string(), "SIGPIPE, SIGTERM");
        assert!(set.contains(Signal::PIPE) && !set.contains(Signal::HUP) && !set.is_empty());
        assert_eq!(Signals::default().to_string(), "no signal");
        assert_eq!(SignalName(64).to_string(), "signal 64");
        assert_eq!(Signals([1, 1 | 1 << 63]).numbers().collect::<Vec<_>>(), [1, 65, 128]);
        assert_eq!(Signals::NONE.numbers().count(), 0);
        assert_eq!([bit(1), bit(128), bit(129), bit(0)].map(|set| set.0), [[1, 0], [0, 1 << 63], [0, 0], [0, 0]]);
    }
}
