//! The smallest program that can be executed.

use crate::support::sources::program;

/// A static program that does nothing but exit with status 0.
pub fn tiny_program() -> tempfile::TempPath {
    let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    program(&path, &tiny_image(), 0o755);
    path
}

/// A static program that reads a byte from standard input, or its end, and exits with status 0.
pub fn tiny_reader() -> tempfile::TempPath {
    // read(0, stack pointer, 1)
    #[cfg(target_arch = "x86_64")]
    let read = [0x31, 0xc0, 0x31, 0xff, 0x48, 0x89, 0xe6, 0xba, 1, 0, 0, 0, 0x0f, 0x05];
    #[cfg(target_arch = "aarch64")]
    let read = [
        [0x00, 0x00, 0x80, 0xd2],
        [0xe1, 0x03, 0x00, 0x91],
        [0x22, 0x00, 0x80, 0xd2],
        [0xe8, 0x07, 0x80, 0xd2],
        [0x01, 0x00, 0x00, 0xd4],
    ]
    .concat();
    let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    program(&path, &image_with(&read), 0o755);
    path
}

/// The program as an ELF file: two headers and a few instructions.
pub fn tiny_image() -> Vec<u8> {
    image_with(&[])
}

/// A program that does this first.
fn image_with(first: &[u8]) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    #[cfg(target_arch = "x86_64")]
    let (machine, code) = (62_u16, [0x31, 0xff, 0xb8, 231, 0, 0, 0, 0x0f, 0x05]); // exit_group(0)
    #[cfg(target_arch = "aarch64")]
    let (machine, code) = (183_u16, [0x00, 0x00, 0x80, 0xd2, 0xc8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4]);
    let code = [first, &code].concat();
    let size = HEADERS + code.len() as u64;
    let mut image = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    image.extend(2_u16.to_le_bytes()); // executable
    image.extend(machine.to_le_bytes());
    image.extend(1_u32.to_le_bytes());
    for word in [BASE + HEADERS, 64, 0] {
        image.extend(word.to_le_bytes()); // entry, program headers, no sections
    }
    image.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 0, 0, 0] {
        image.extend(half.to_le_bytes());
    }
    image.extend(1_u32.to_le_bytes()); // load
    image.extend(5_u32.to_le_bytes()); // readable, executable
    for word in [0, BASE, BASE, size, size, 0x1000] {
        image.extend(word.to_le_bytes());
    }
    image.extend(code);
    image
}
