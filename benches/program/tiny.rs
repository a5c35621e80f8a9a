//! The program that the benchmark spawns. It only exits with status 0, so that the time of a spawn is not the
//! program's.
#![no_std]
#![no_main]

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(".globl _start", "_start:", "mov eax, 231", "xor edi, edi", "syscall"); // exit_group(0)

#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(".globl _start", "_start:", "mov x8, 94", "mov x0, 0", "svc 0"); // exit_group(0)

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
