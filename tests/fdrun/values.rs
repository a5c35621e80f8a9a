//! The parsers of the values of attributes.

#[path = "../../examples/fdrun/attributes/parsers.rs"]
mod parsers;

use fdspawn::Resource;
use parsers::{duration, limit, mask, signal};
use std::time::Duration;

#[test]
fn masks_are_octal() {
    let cases = [("0", 0), ("22", 0o22), ("022", 0o22), ("0777", 0o777), ("777", 0o777)];
    for (text, expected) in cases {
        assert_eq!(mask(text), Some(expected), "{text}");
    }
    for text in ["", "8", "1000", "+22", "-1", "0x12", "u=rwx", " 22", "77777777777777"] {
        assert_eq!(mask(text), None, "{text}");
    }
}

#[test]
fn limits_have_bounds_that_may_be_left_out() {
    let cases = [
        ("nofile=64:128", Resource::Nofile, Some(Some(64)), Some(Some(128))),
        ("nofile=64", Resource::Nofile, Some(Some(64)), Some(Some(64))),
        ("core=0:", Resource::Core, Some(Some(0)), None),
        ("core=:7", Resource::Core, None, Some(Some(7))),
        ("cpu=unlimited", Resource::Cpu, Some(None), Some(None)),
        ("stack=1:unlimited", Resource::Stack, Some(Some(1)), Some(None)),
        ("stack=:-1", Resource::Stack, None, Some(None)),
        ("data=18446744073709551614:", Resource::Data, Some(Some(u64::MAX - 1)), None),
    ];
    for (text, resource, soft, hard) in cases {
        assert_eq!(limit(text), Some((resource, soft, hard)), "{text}");
    }
    let nothing = ["", "nofile", "=64", "nofile=", "nofile=:", "spoons=64", "NOFILE=64"];
    let not_numbers = ["nofile=64:128:256", "nofile=1k", "nofile=0x40", "nofile=-2", "nofile=+1", "nofile=infinity"];
    for text in nothing.iter().chain(&not_numbers).chain(&["nofile= 64", "data=18446744073709551616"]) {
        assert_eq!(limit(text), None, "{text}");
    }
}

#[test]
fn times_have_fractions_and_units() {
    let cases = [
        ("0", Duration::ZERO),
        ("0.0d", Duration::ZERO),
        ("5", Duration::from_secs(5)),
        ("5s", Duration::from_secs(5)),
        ("1.5", Duration::from_millis(1500)),
        (".25s", Duration::from_millis(250)),
        ("2.", Duration::from_secs(2)),
        ("2m", Duration::from_secs(120)),
        ("0.5h", Duration::from_secs(1800)),
        ("1d", Duration::from_secs(86400)),
        ("0.0000000000001", Duration::from_nanos(1)),
        ("99999999999999999999d", Duration::MAX),
    ];
    for (text, expected) in cases {
        assert_eq!(duration(text), Some(expected), "{text}");
    }
    for text in
        ["", "s", ".", ".s", "x", "1x", "1ms", "-1", "+1", " 1", "1 ", "1,5", "1.2.3", "1e3", "inf", "nan", "1S", "1é"]
    {
        assert_eq!(duration(text), None, "{text}");
    }
}

#[test]
fn signals_have_names_and_numbers() {
    let cases = [
        ("TERM", libc::SIGTERM),
        ("SIGTERM", libc::SIGTERM),
        ("sigterm", libc::SIGTERM),
        ("int", libc::SIGINT),
        ("15", 15),
        ("CLD", libc::SIGCHLD),
        ("IOT", libc::SIGABRT),
        ("SYS", libc::SIGSYS),
    ];
    for (text, number) in cases {
        assert_eq!(signal(text), Some(number), "{text}");
    }
    for text in ["", "SIG", "SIGSIGINT", "EXIT", "+2", "-2", "99999999999", "RTMIN-1", "RTMAX+1", "RTMIN+99", "RTMIN+"]
    {
        assert_eq!(signal(text), None, "{text}");
    }
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn real_time_signals_are_counted_from_both_ends() {
    let (least, most) = (libc::SIGRTMIN(), libc::SIGRTMAX());
    let cases = [("RTMIN", least), ("rtmin+2", least + 2), ("SIGRTMAX", most), ("RTMAX-3", most - 3)];
    for (text, number) in cases {
        assert_eq!(signal(text), Some(number), "{text}");
    }
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn lists_of_cpus_have_ranges_and_strides() {
    let cases: [(&str, &[usize]); 6] = [
        ("0", &[0]),
        ("3,1,3", &[1, 3]),
        ("0,2-4", &[0, 2, 3, 4]),
        ("0-7:3,9", &[0, 3, 6, 9]),
        ("5-5", &[5]),
        ("1023", &[1023]),
    ];
    for (text, expected) in cases {
        let cpus = parsers::cpus(text).expect(text);
        let found: Vec<usize> = (0..1024).filter(|&cpu| cpus.is_set(cpu)).collect();
        assert_eq!(found, expected, "{text}");
    }
    for text in ["", ",", "0,", "x", "1-0", "1024", "0-1024", "-1", "0-", "0-3:0", "0-3:", "0:2", "+1", " 1"] {
        assert!(parsers::cpus(text).is_none(), "{text}");
    }
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn real_time_schedulers_have_priorities() {
    use fdspawn::Scheduler::{Batch, Fifo, Idle, Other, RoundRobin};
    let cases = [("other", Other), ("batch", Batch), ("idle", Idle), ("fifo:1", Fifo(1)), ("rr:99", RoundRobin(99))];
    for (text, scheduler) in cases {
        assert_eq!(parsers::scheduler(text), Some(scheduler), "{text}");
    }
    for text in ["", "Other", "other:0", "fifo", "fifo:", "fifo:0", "rr:100", "rr:256", "rr:+1", "deadline"] {
        assert_eq!(parsers::scheduler(text), None, "{text}");
    }
}
