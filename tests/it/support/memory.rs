//! How much memory this process has.

/// The resident memory that is no file's, in pages. A program's code is a file's: the kernel maps more of it with each first call of a function, as
/// many pages as the page cache has beside it.
pub fn own_pages() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let mut fields = text.split(' ').skip(1).map(|field| field.parse::<u64>().unwrap());
    let (resident, of_files) = (fields.next().unwrap(), fields.next().unwrap());
    resident.saturating_sub(of_files)
}
