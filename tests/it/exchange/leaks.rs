//! Many exchanges leave no descriptor and no memory.

use crate::own_process;
use crate::support::exhaustive;
use crate::support::memory::own_pages;
use crate::support::table::open_numbers;
use fdspawn::{Driven, Exchange, Keep, Stop};
use std::io::pipe;
use std::task::Poll;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

own_process! {
    fn memory_of_many_exchanges_is_flat() {
        let rounds = if exhaustive() { 50_000 } else { 2_000 };
        let mut before = 0;
        for round in 0..rounds {
            let (reader, mut writer) = pipe().unwrap();
            std::io::Write::write_all(&mut writer, b"text").unwrap();
            drop(writer);
            let mut exchange = Exchange::new();
            let text = exchange.drain(reader, Keep::Ends { first: 2, last: 2 });
            assert_eq!(exchange.run().unwrap(), Stop::Done);
            assert_eq!(exchange.bytes(text), b"text");
            if round == 500 {
                before = own_pages();
            }
        }
        let after = own_pages();
        assert!(after < before + 1024, "{before} pages, then {after}");
    }
}

own_process! {
    fn exchanges_leave_no_memory_and_no_descriptor() {
        let count = if exhaustive() { 50_000 } else { 5_000 };
        let before = open_numbers();
        let (mut pages, mut late) = (0, 0);
        for round in 0..count {
            let (reader, writer) = pipe().unwrap();
            let mut exchange = Exchange::new();
            exchange.feed_owned(writer, [1; 100]);
            let flow = exchange.drain(reader, Keep::All);
            if round % 2 == 0 {
                exchange.timeout(LONG).descriptor().unwrap();
                let step = exchange.step().unwrap();
                // The end comes later if another process looks at the write end in /proc while this one closes it.
                late += u32::from(step.is_pending());
                let stop = if let Poll::Ready(stop) = step { stop } else { fdspawn::block_on(&mut exchange).unwrap() };
                assert_eq!(stop, Stop::Done);
            } else {
                assert_eq!(exchange.run().unwrap(), Stop::Done);
            }
            assert_eq!(exchange.bytes(flow).len(), 100);
            if round == 1_000 {
                pages = own_pages();
            }
        }
        assert!(late <= count / 100, "{late} of {count} first steps have left something to do");
        assert!(own_pages() <= pages + 64, "{pages} pages have become {}", own_pages());
        assert_eq!(open_numbers(), before);
    }
}
