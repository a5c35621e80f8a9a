//! The inherited environment of a program with `pre_exec` hooks.

use crate::own_process;
use crate::support;
use crate::support::exhaustive;
use crate::support::seccomp::refuse;
use fdspawn::{Command, FdMap, fork_run};
use std::ffi::{CStr, c_char};
use std::io;
use std::ptr::null;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

unsafe extern "C" {
    static mut environ: *const *const c_char;
}

const SECRET: &CStr = c"FDSPAWN_SECRET";

/// A command that prints its environment, with a hook.
fn with_hook(hook: fn()) -> Command<'static> {
    let mut command = support::command("env");
    // SAFETY: the hooks of these tests take no lock that another thread may hold, and allocate only if there is no other thread.
    unsafe {
        command.arg("-0").pre_exec(move || {
            hook();
            Ok::<(), io::Error>(())
        })
    };
    command
}

/// The strings that the command prints. Each ends in a NUL.
fn printed(command: &mut Command<'_>) -> Vec<String> {
    let output = command.output().unwrap();
    assert!(output.status.success());
    let mut strings: Vec<String> = String::from_utf8(output.stdout).unwrap().split('\0').map(str::to_owned).collect();
    assert_eq!(strings.pop().as_deref(), Some(""));
    strings
}

/// What the child of each fork finds in `environ`, as if another thread had been in `set_var` at the fork. 0 for what is there.
static IN_CHILD: AtomicUsize = AtomicUsize::new(0);

extern "C" fn replace_in_child() {
    let address = IN_CHILD.load(Ordering::Relaxed);
    if address != 0 {
        // SAFETY: the child has one thread. What reads the array is what these tests are about.
        unsafe { environ = address as *const *const c_char };
    }
}

/// Registers the replacement, and returns the arrays that a child may find: each has addresses that are not mapped.
fn freed_arrays() -> [usize; 5] {
    // SAFETY: the handler makes no call. The mapping is new, and its second page is removed again.
    unsafe {
        libc::pthread_atfork(None, None, Some(replace_in_child));
        let (read, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let pages = libc::mmap(std::ptr::null_mut(), 8192, read, flags, -1, 0);
        assert_ne!(pages, libc::MAP_FAILED);
        libc::munmap(pages.byte_add(4096), 4096);
        // An array that goes on in the page that is gone.
        let cut = pages.byte_add(4096 - 16).cast::<*const c_char>();
        cut.write(c"A=1".as_ptr());
        cut.add(1).write(c"B=2".as_ptr());
        let strings = vec![c"A=1".as_ptr(), 8 as *const c_char, null()].leak();
        [pages as usize + 4096, cut as usize, strings.as_ptr() as usize, 1, usize::MAX - 4095]
    }
}

own_process! {
    fn program_gets_the_parents_copy_if_environ_was_freed_at_the_fork() {
        let expected = printed(support::command("env").arg("-0"));
        for array in freed_arrays() {
            IN_CHILD.store(array, Ordering::Relaxed);
            assert_eq!(printed(&mut with_hook(|| {})), expected, "{array:#x}");
        }
    }
}

own_process! {
    fn program_gets_what_a_hook_makes_of_an_environ_that_was_freed_at_the_fork() {
        for array in freed_arrays() {
            IN_CHILD.store(array, Ordering::Relaxed);
            let mut command = with_hook(|| {
                static NEW: [usize; 1] = [0];
                // SAFETY: the child has one thread.
                unsafe { environ = NEW.as_ptr().cast() };
            });
            assert!(printed(&mut command).is_empty(), "{array:#x}");
        }
    }
}

own_process! {
    fn program_gets_the_parents_copy_if_the_array_at_the_fork_is_half_written() {
        let expected = printed(support::command("env").arg("-0"));
        freed_arrays();
        for array in [vec![null()], vec![c"A=1".as_ptr(), null()], vec![c"PATH=/else".as_ptr(); 3000]] {
            let array = [array, vec![null()]].concat().leak();
            IN_CHILD.store(array.as_ptr() as usize, Ordering::Relaxed);
            assert_eq!(printed(&mut with_hook(|| {})), expected);
        }
    }
}

fn set(name: &CStr, value: &CStr) {
    // SAFETY: the child has one thread.
    unsafe { libc::setenv(name.as_ptr(), value.as_ptr(), 1) };
}

fn put_secret() {
    // SAFETY: the child has one thread, and nothing writes to the string.
    unsafe { libc::putenv(c"FDSPAWN_SECRET=put".as_ptr().cast_mut()) };
}

fn remove_secret() {
    // SAFETY: the child has one thread.
    unsafe { libc::unsetenv(SECRET.as_ptr()) };
}

fn clear() {
    // SAFETY: the child has one thread.
    unsafe { libc::clearenv() };
}

/// Writes into the string that is there, as a hook may do that wipes a secret.
fn overwrite_secret() {
    // SAFETY: the child has one thread, and the variable is set and not empty.
    unsafe { libc::getenv(SECRET.as_ptr()).write(b'x' as c_char) };
}

/// Hooks change the environment in different ways, and the program gets each change.
fn changes_of_hooks_reach_the_program() {
    // SAFETY: no other code in this process reads or writes the environment now.
    unsafe { std::env::set_var("FDSPAWN_SECRET", "secret") };
    let plain = printed(support::command("env").arg("-0"));
    assert_eq!(printed(&mut with_hook(|| {})), plain);
    let hooks: [(fn(), &str); 3] =
        [(|| set(SECRET, c"new"), "=new"), (overwrite_secret, "=xecret"), (put_secret, "=put")];
    for (hook, value) in hooks {
        let expected: Vec<String> = plain.iter().map(|string| string.replace("=secret", value)).collect();
        assert_eq!(printed(&mut with_hook(hook)), expected);
    }
    let mut removed = plain.clone();
    removed.retain(|string| string != "FDSPAWN_SECRET=secret");
    assert_eq!(printed(&mut with_hook(remove_secret)), removed);
    let added = [&plain[..], &["FDSPAWN_MORE=".to_owned()]].concat();
    let add = || set(c"FDSPAWN_MORE", c"");
    assert_eq!(printed(&mut with_hook(add)), added);
    assert!(printed(&mut with_hook(clear)).is_empty());
}

own_process! {
    fn each_change_that_a_hook_makes_of_the_environment_reaches_the_program() {
        changes_of_hooks_reach_the_program();
    }
}

own_process! {
    fn changes_of_hooks_reach_the_program_if_process_vm_readv_answers_eperm() {
        if refuse(&[libc::SYS_process_vm_readv], libc::EPERM) {
            changes_of_hooks_reach_the_program();
        }
    }
}

own_process! {
    fn changes_of_hooks_reach_the_program_if_process_vm_readv_answers_enosys() {
        if refuse(&[libc::SYS_process_vm_readv], libc::ENOSYS) {
            changes_of_hooks_reach_the_program();
        }
    }
}

own_process! {
    fn changes_of_hooks_reach_the_program_of_an_exec() {
        // SAFETY: no other code in this process reads or writes the environment now.
        unsafe { std::env::set_var("FDSPAWN_SECRET", "secret") };
        let plain = printed(support::command("env").arg("-0"));
        // SAFETY: the child has one thread.
        let hooks: [(fn(), &str); 2] =
            [(|| {}, "=secret"), (|| set(SECRET, c"new"), "=new")];
        for (hook, value) in hooks {
            let mut map = FdMap::new();
            let reader = map.reader(1);
            let run = || {
                with_hook(hook).exec();
                1
            };
            // SAFETY: no other thread of this process works meanwhile.
            let mut child = unsafe { fork_run(&mut map, run) }.unwrap();
            let text = std::io::read_to_string(child.take(reader).unwrap()).unwrap();
            assert!(child.wait().unwrap().success());
            let expected: String = plain.iter().map(|string| string.replace("=secret", value) + "\0").collect();
            assert_eq!(text, expected);
        }
    }
}

own_process! {
    fn environment_of_many_large_variables_is_compared_as_a_whole() {
        // SAFETY: no other code in this process reads or writes the environment now.
        unsafe {
            for count in 0..1500 {
                std::env::set_var(format!("FDSPAWN_{count}"), "x".repeat(count * 7 % 5000 / 20));
            }
            std::env::set_var("FDSPAWN_LARGE", "y".repeat(100_000));
        }
        let expected = printed(support::command("env").arg("-0"));
        assert_eq!(printed(&mut with_hook(|| {})), expected);
        let mut command = with_hook(|| {
            // SAFETY: the child has one thread.
            unsafe {
                let value = libc::getenv(c"FDSPAWN_LARGE".as_ptr());
                let length = CStr::from_ptr(value).count_bytes();
                value.add(length - 1).write(b'z' as c_char);
            }
        });
        let found = printed(&mut command);
        let differ: Vec<&String> = found.iter().zip(&expected).filter(|(a, b)| a != b).map(|(a, _)| a).collect();
        assert_eq!(differ.len(), 1);
        assert!(differ[0].ends_with("yyyz"));
    }
}

own_process! {
    fn environment_is_whole_though_another_thread_sets_variables_at_the_fork() {
        const KEPT: usize = 50;
        // SAFETY: no other code in this process reads or writes the environment now.
        unsafe { (0..KEPT).for_each(|count| std::env::set_var(format!("KEPT_{count}"), "kept")) };
        let over = AtomicBool::new(false);
        let rounds = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let names: Vec<String> = (0..200).map(|count| format!("STORM_{count}")).collect();
                while !over.load(Ordering::Relaxed) {
                    // SAFETY: other threads read the environment through std only.
                    unsafe {
                        names.iter().for_each(|name| std::env::set_var(name, "storm"));
                        names.iter().for_each(|name| std::env::remove_var(name));
                    }
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            });
            let _over = support::Over(&over);
            for _ in 0..if exhaustive() { 300 } else { 40 } {
                let strings = printed(&mut with_hook(|| {}));
                for count in 0..KEPT {
                    let kept = format!("KEPT_{count}=kept");
                    assert_eq!(strings.iter().filter(|string| **string == kept).count(), 1, "{kept}");
                }
                assert!(strings.iter().all(|string| !string.starts_with("STORM_") || string.ends_with("=storm")));
                let mut sorted = strings.clone();
                sorted.sort();
                sorted.dedup();
                assert_eq!(sorted.len(), strings.len(), "no string is there twice");
            }
        });
        assert!(rounds.into_inner() > 0);
    }
}
