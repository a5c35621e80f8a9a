//! The child of the parts that move bytes or collect children. Its three arguments say what it does:
//!
//! - `write PIECE COUNT` writes COUNT pieces of PIECE bytes to standard output;
//! - `read PIECE COUNT` reads standard input to its end, at most PIECE bytes at a time;
//! - `copy PIECE COUNT` copies standard input to standard output to its end, at most PIECE bytes at a time;
//! - `head PIECE COUNT` does the same with the first COUNT pieces of standard input, and does not look for its end;
//! - `once 0 0` reads standard input once.
//!
//! Then it exits with 0. It exits with 1 if a call fails, or if standard input has another length than COUNT pieces. It
//! exits with 2 if the arguments are wrong. It has no start files and no shared libraries, so that its start and its end
//! cost little.
#![no_std]
#![no_main]

use core::arch::{asm, global_asm};

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "mov rdi, rsp", "and rsp, -16", "call {start}", start = sym start);

#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x0, sp", "bl {start}", start = sym start);

#[cfg(target_arch = "x86_64")]
mod number {
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const EXIT_GROUP: usize = 231;
}

#[cfg(target_arch = "aarch64")]
mod number {
    pub const READ: usize = 63;
    pub const WRITE: usize = 64;
    pub const EXIT_GROUP: usize = 94;
}

/// The largest piece.
const MOST: usize = 1 << 20;

/// The kernel copies slowly to and from some places in a page, so the buffer begins at a page.
#[repr(C, align(4096))]
struct Buffer([u8; MOST]);

static mut BUFFER: Buffer = Buffer([0; MOST]);

/// Gets the address of the arguments' count. The addresses of the arguments follow it, and then a null pointer.
unsafe extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: the kernel has put the arguments there.
    let [work, piece, count] = [1, 2, 3].map(|index| unsafe {
        match index < *stack {
            true => *stack.add(1 + index) as *const u8,
            false => exit(2),
        }
    });
    // SAFETY: the arguments end in NUL.
    let (work, piece, count) = unsafe { (*work, parse(piece), parse(count)) };
    let is_done = match work {
        _ if piece > MOST => exit(2),
        b'w' => write(piece, count),
        b'r' => read(piece, piece.wrapping_mul(count)),
        b'c' => copy(piece, piece.wrapping_mul(count), true),
        b'h' => copy(piece, piece.wrapping_mul(count), false),
        b'o' => call(number::READ, 0, buffer() as usize, 1) >= 0,
        _ => exit(2),
    };
    exit(if is_done { 0 } else { 1 })
}

fn buffer() -> *mut u8 {
    (&raw mut BUFFER).cast()
}

/// Parses a decimal number. It calls no function of the core library that may panic: those need the unwinder.
///
/// # Safety
///
/// The digits end in NUL.
unsafe fn parse(mut digits: *const u8) -> usize {
    let mut number: usize = 0;
    loop {
        // SAFETY: the digit before was not the NUL.
        match unsafe { *digits } {
            digit @ b'0'..=b'9' => number = number.wrapping_mul(10).wrapping_add((digit - b'0') as usize),
            0 => return number,
            _ => exit(2),
        }
        digits = digits.wrapping_add(1);
    }
}

fn write(piece: usize, count: usize) -> bool {
    let mut offset = 0;
    while offset < piece {
        // Each page of the piece gets memory of its own.
        // SAFETY: the offset is inside the buffer, and this process has one thread.
        unsafe { buffer().add(offset).write_volatile(1) };
        offset += 4096;
    }
    let mut left = count;
    while left > 0 {
        left -= 1;
        if !write_all(piece) {
            return false;
        }
    }
    true
}

/// Writes the first bytes of the buffer.
fn write_all(length: usize) -> bool {
    let mut written = 0;
    while written < length {
        match call(number::WRITE, 1, buffer() as usize + written, length - written) {
            length @ 1.. => written += length as usize,
            _ => return false,
        }
    }
    true
}

fn read(piece: usize, size: usize) -> bool {
    let mut left = size;
    loop {
        match call(number::READ, 0, buffer() as usize, piece) {
            0 => return left == 0,
            ..0 => return false,
            length => left = left.wrapping_sub(length as usize),
        }
    }
}

fn copy(piece: usize, size: usize, to_end: bool) -> bool {
    let mut left = size;
    while to_end || left > 0 {
        let most = if to_end || left > piece { piece } else { left };
        match call(number::READ, 0, buffer() as usize, most) {
            0 => break,
            ..0 => return false,
            length => {
                if !write_all(length as usize) {
                    return false;
                }
                left = left.wrapping_sub(length as usize);
            }
        }
    }
    left == 0
}

fn exit(status: usize) -> ! {
    loop {
        call(number::EXIT_GROUP, status, 0, 0);
    }
}

/// A system call. The callers pass addresses only inside the buffer.
fn call(number: usize, first: usize, second: usize, third: usize) -> isize {
    let result: isize;
    // SAFETY: the system call changes no memory but the buffer, and no registers but these.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    // SAFETY: as for x86-64.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") first as isize => result, in("x1") second, in("x2") third);
    }
    result
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(3)
}
