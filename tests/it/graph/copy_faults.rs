//! Tees and spools whose calls are refused or meet limits, and the memory of spools.

use super::plans::run_as_explained;
use super::{Files, LONG, SHORT, shell_with, tool, ways};
use crate::own_process;
use crate::support::seccomp::refuse_to_thread;
use crate::support::table::open_numbers;
use crate::support::threads::{threads, wait_for_threads};
use crate::support::tools::skip;
use crate::support::{children, rounds};
use fdspawn::{Command, Graph, Launcher};
use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

own_process! {
    fn kernel_that_does_not_move_bytes_starts_no_stage() {
        let files = Files::new();
        let mark = files.path("mark");
        let (before, started, count) = (open_numbers(), children(), threads());
        for (call, errno, text) in [
            (libc::SYS_tee, libc::ENOSYS, "cannot move bytes between the stages of a graph: Function not implemented"),
            (libc::SYS_splice, libc::EPERM, "cannot move bytes between the stages of a graph: Operation not permitted"),
            (libc::SYS_memfd_create, libc::EPERM, "cannot spawn the graph: cannot open a descriptor of a tee or a spool: Operation not permitted"),
        ] {
            let mark = &mark;
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    refuse_to_thread(&[call], errno);
                    for way in ways() {
                        // A reader that has been started would take the end of its input for that of the source.
                        let mut graph = Graph::new();
                        let source = graph.stage(tool(way, &["seq", "10"]));
                        let readers = [(); 2].map(|()| graph.stage(shell_with(way, "echo >>\"$0\"; cat", mark)));
                        let join = graph.stage(tool(way, &["cat"]));
                        graph.tee(source.stdout(), readers.map(|stage| stage.stdin()));
                        graph.spool(readers[0].stdout(), join.stdin());
                        let error = graph.output().unwrap_err();
                        assert_eq!((error.to_string().as_str(), error.raw_os_error()), (text, Some(errno)));
                        assert!(!mark.exists(), "no stage is started");
                    }
                });
            });
        }
        wait_for_threads(count);
        assert_eq!((open_numbers(), children()), (before, started));
    }
}

fn limit_file_size(bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the structure is read.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
}

/// A spool of three megabytes to a reader that starts to read when all of them have been written.
fn waiting_spool<'fd>(way: (Launcher, bool), mark: &Path) -> Graph<'fd> {
    let mut graph = Graph::new();
    let source = graph.stage(shell_with(way, "seq 400000; : >\"$0\"", mark));
    let reader = graph.stage(shell_with(way, "while ! test -e \"$0\"; do sleep 0.01; done; cat", mark));
    graph.spool(source.stdout(), reader.stdin());
    graph
}

own_process! {
    fn limit_of_file_sizes_does_not_end_a_spool_or_this_process() {
        let text: String = (1..=400_000).map(|number| format!("{number}\n")).collect();
        let (before, started, count) = (open_numbers(), children(), threads());
        for way in ways() {
            let files = Files::new();
            for limit in [1 << 20, 100_000] {
                limit_file_size(limit);
                let _ = std::fs::remove_file(files.path("mark"));
                let output = waiting_spool(way, &files.path("mark")).output();
                assert!(output.unwrap().check().unwrap().stdout == text.as_bytes());
            }
            // With no room at all it is an error, and each wait returns it. SIGXFSZ would end this process.
            limit_file_size(0);
            let _ = std::fs::remove_file(files.path("mark"));
            let mut graph = waiting_spool(way, &files.path("mark"));
            graph.command(graph.stages().last().unwrap()).stdout(fdspawn::Stdio::null());
            let mut running = graph.spawn().unwrap();
            for _ in 0..3 {
                let error = running.wait_timeout(LONG).unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::EFBIG), "{error}");
            }
            limit_file_size(libc::RLIM_INFINITY);
            drop(running);
            wait_for_threads(count);
            assert_eq!((open_numbers(), children()), (before.clone(), started));
        }
    }
}

/// Makes one huge page of the third and the fourth mebibyte of a file in memory.
fn collapse(file: &std::fs::File) -> bool {
    const HUGE: usize = 2 << 20;
    const MADV_COLLAPSE: i32 = 25;
    // SAFETY: the mappings are this function's own.
    unsafe {
        let (read, none) = (libc::PROT_READ | libc::PROT_WRITE, std::ptr::null_mut());
        let all = libc::mmap(none, 2 * HUGE, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
        let place = all.byte_add(all.addr().next_multiple_of(HUGE) - all.addr());
        let map = libc::mmap(place, HUGE, read, libc::MAP_SHARED | libc::MAP_FIXED, file.as_raw_fd(), HUGE as i64);
        assert_eq!(map, place);
        let result = libc::madvise(map, HUGE, MADV_COLLAPSE);
        libc::munmap(all, 2 * HUGE);
        result == 0
    }
}

own_process! {
    fn spool_in_huge_pages_keeps_its_bytes() {
        let text: String = (1..=1_000_000).map(|number| format!("{number}\n")).collect();
        for way in ways() {
            let files = Files::new();
            let (full, go, part) = (files.path("full"), files.path("go"), files.path("go.part"));
            // The reader stops below three mebibytes when the pipe behind it already has bytes above. Two to four are the huge page.
            const PART: usize = 3_137_000;
            let script = "while ! test -e \"$0\"; do sleep 0.01; done; dd bs=1000 count=3137 iflag=fullblock 2>/dev/null; \
                          while ! test -e \"$0.part\"; do sleep 0.01; done; exec cat";
            let mut graph = Graph::new();
            let source = graph.stage(shell_with(way, "seq 1000000; : >\"$0\"", &full));
            let reader = graph.stage(shell_with(way, script, &go));
            graph.spool(source.stdout(), reader.stdin());
            let slot = graph.reader([reader.stdout()]);
            let mut running = graph.spawn().unwrap();
            while !full.exists() {
                std::thread::sleep(SHORT / 50);
            }
            let spool = open_numbers().into_iter().map(|number| format!("/proc/self/fd/{number}")).find(|path| {
                std::fs::read_link(path).is_ok_and(|link| link.to_string_lossy().starts_with("/memfd:fdspawn spool"))
            });
            let memory = std::fs::File::options().read(true).write(true).open(spool.expect("a spool has memory")).unwrap();
            let is_huge = collapse(&memory);
            drop(memory);
            std::fs::write(&go, "").unwrap();
            let (mut end, mut found) = (running.take(slot).unwrap(), vec![0; PART]);
            std::io::Read::read_exact(&mut end, &mut found).unwrap();
            // A thread that gave memory back here would do it in this time.
            std::thread::sleep(SHORT / 2);
            std::fs::write(&part, "").unwrap();
            std::io::Read::read_to_end(&mut end, &mut found).unwrap();
            running.wait_timeout(LONG).unwrap().unwrap().check().unwrap();
            assert!(found == text.as_bytes(), "bytes of the spool have changed");
            if !is_huge {
                skip("this kernel makes no huge pages of files in memory");
                return;
            }
        }
    }
}

/// How much memory the spools of this process have, in blocks of 512 bytes, and how many files.
fn spool_memory() -> (u64, usize) {
    let (mut blocks, mut files) = (0, 0);
    for number in open_numbers() {
        let path = format!("/proc/self/fd/{number}");
        let is_spool = std::fs::read_link(&path).is_ok_and(|link| link.to_string_lossy().contains("fdspawn spool"));
        // The thread may have closed it by now.
        if let (true, Ok(metadata)) = (is_spool, std::fs::metadata(&path)) {
            blocks += metadata.blocks();
            files += 1;
        }
    }
    (blocks, files)
}

own_process! {
    fn spool_gives_its_memory_back_while_its_reader_keeps_pace() {
        for way in ways() {
            let mut graph = Graph::new();
            let bytes = rounds(24, 64) << 20;
            let source = graph.stage(tool(way, &["head", "-c", &bytes.to_string(), "/dev/zero"]));
            // The source waits for a reader that is slower, by the tee.
            let (one, other) = (graph.stage(tool(way, &["cat"])), graph.stage(tool(way, &["cat"])));
            graph.tee(source.stdout(), [one.stdin(), other.stdin()]);
            let last = graph.stage(Command::new("cat"));
            graph.spool(one.stdout(), last.stdin());
            let slots = [graph.reader([other.stdout()]), graph.reader([last.stdout()])];
            let mut running = graph.spawn().unwrap();
            let mut ends = slots.map(|slot| running.take(slot).unwrap());
            let (mut buffer, mut most) = (vec![0; 65_536], 0);
            // Both branches are read in turn, so little is left between them.
            for round in 0..bytes / buffer.len() {
                for end in &mut ends {
                    std::io::Read::read_exact(end, &mut buffer).unwrap();
                }
                if round % 64 == 0 {
                    let (blocks, files) = spool_memory();
                    assert!(files <= 2, "{files} files");
                    most = most.max(blocks * 512);
                }
            }
            running.wait_timeout(LONG).unwrap().unwrap().check().unwrap();
            assert!(most < 8 << 20, "{most} bytes of memory for a stream of {bytes}");
        }
    }
}

own_process! {
    fn spool_gives_its_memory_back_if_nothing_follows() {
        for way in ways() {
            let (files, text) = (Files::new(), (1..=600_000).map(|number| format!("{number}\n")).collect::<String>());
            let mut graph = Graph::new();
            let source = graph.stage(shell_with(way, "seq 600000; : >\"$0\"; exec cat", &files.path("all")));
            let last = graph.stage(tool(way, &["cat"]));
            graph.spool(source.stdout(), last.stdin());
            let (input, output) = (graph.writer([source.stdin()]), graph.reader([last.stdout()]));
            let mut running = graph.spawn().unwrap();
            let mut output = running.take(output).unwrap();
            let wait_until = |is_so: &dyn Fn() -> bool| {
                let start = Instant::now();
                while !is_so() {
                    assert!(start.elapsed() < LONG, "{:?}", spool_memory());
                    std::thread::yield_now();
                }
            };
            wait_until(&|| files.path("all").exists());
            assert!(spool_memory().0 * 512 > 2 << 20);
            let mut read = vec![0; text.len()];
            std::io::Read::read_exact(&mut output, &mut read).unwrap();
            assert!(read == text.as_bytes());
            wait_until(&|| spool_memory().0 * 512 < 1 << 20);
            drop((running.take(input), output));
            running.wait_timeout(LONG).unwrap().unwrap().check().unwrap();
        }
    }
}

own_process! {
    fn spool_opens_no_file_before_all_stages_are_launched() {
        for way in ways() {
            let files = Files::new();
            let all = CString::new(files.path("all").to_str().unwrap()).unwrap();
            const SOURCE: &str = "seq 300000; while ! test -e \"$0\"; do sleep 0.01; done; seq 10000; : >\"${0%part}all\"";
            let mut graph = Graph::new();
            // A spool gets another file after a mebibyte. A third one could have the number of the first.
            let source = graph.stage(shell_with(way, SOURCE, &files.path("part")));
            let reader = graph.stage(shell_with(way, "head -c 1500000 >/dev/null; : >\"$0\"; exec cat >/dev/null", &files.path("part")));
            graph.spool(source.stdout(), reader.stdin());
            let mut command = tool((Launcher::Auto, false), &["true"]); // A pidfd would take the number of the first file.
            // SAFETY: access(2) and poll(2) may be called in a child of a process with threads.
            unsafe {
                command.pre_exec(move || {
                    while libc::access(all.as_ptr(), libc::F_OK) != 0 {
                        libc::poll(std::ptr::null_mut(), 0, 1);
                    }
                    Ok(())
                })
            };
            graph.stage(command);
            let mut command = tool(way, &["true"]);
            let _ = command.writer(200); // The child has the lower end of the pipe.
            graph.stage(command);
            run_as_explained(&mut graph);
        }
    }
}
