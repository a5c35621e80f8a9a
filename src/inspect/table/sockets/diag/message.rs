//! Netlink messages as bytes (`netlink(7)`), in the machine's byte order.

/// The types of the messages of a dump.
pub(super) const ERROR: u16 = 2;
pub(super) const DONE: u16 = 3;
pub(super) const SOCK_DIAG_BY_FAMILY: u16 = 20;

const REQUEST: u16 = 1;
const DUMP: u16 = 0x300;

/// The length of a message's header.
const HEADER: usize = 16;
/// The length of an attribute's header.
const ATTRIBUTE: usize = 4;

/// A netlink message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NetlinkMessage<'bytes> {
    pub(super) kind: u16,
    pub(super) sequence: u32,
    pub(super) body: &'bytes [u8],
}

/// Builds a request for all sockets that the body describes.
pub(super) fn dump_request(sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend(u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX).to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend((REQUEST | DUMP).to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(body);
    bytes
}

/// Parses the messages of a datagram, up to a malformed one.
pub(super) fn messages(mut datagram: &[u8]) -> impl Iterator<Item = NetlinkMessage<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(datagram, 0)?).ok()?;
        let message = datagram.get(..length)?;
        let found =
            NetlinkMessage { kind: u16_at(message, 4)?, sequence: u32_at(message, 8)?, body: message.get(HEADER..)? };
        datagram = datagram.get(aligned(length)..).unwrap_or_default();
        Some(found)
    })
}

/// Parses attributes, up to a malformed one. Yields their types and values.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let found = (u16_at(bytes, 2)?, bytes.get(..length)?.get(ATTRIBUTE..)?);
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        Some(found)
    })
}

/// Builds an attribute.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(ATTRIBUTE + value.len()).unwrap_or(u16::MAX);
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(aligned(bytes.len()), 0);
    bytes
}

/// The length with padding: messages and attributes begin at multiples of 4.
const fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

/// The `N` bytes at an offset.
pub(super) fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

pub(super) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    array_at(bytes, offset).map(u16::from_ne_bytes)
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    array_at(bytes, offset).map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_up_to_one_that_is_malformed() {
        let one = dump_request(7, b"abc");
        let message = NetlinkMessage { kind: SOCK_DIAG_BY_FAMILY, sequence: 7, body: b"abc" };
        assert_eq!(messages(&one).collect::<Vec<_>>(), [message]);
        // Each message begins at a multiple of 4.
        let two = [&one[..], b"\0", &one].concat();
        assert_eq!(messages(&two).collect::<Vec<_>>(), [message, message]);
        for length in one.len() + 1..two.len() {
            assert_eq!(messages(&two[..length]).collect::<Vec<_>>(), [message], "{length} bytes");
        }
        for length in [0_u32, 1, 15, u32::MAX] {
            let mut bad = two.clone();
            bad[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(messages(&bad).count(), 0, "length {length}");
        }
    }

    #[test]
    fn attributes_are_read_up_to_one_that_is_malformed() {
        let bytes = [attribute(0, b"\0name"), attribute(2, &9_u32.to_ne_bytes())].concat();
        assert_eq!(bytes.len(), 12 + 8);
        let both = [(0, &b"\0name"[..]), (2, &9_u32.to_ne_bytes())];
        assert_eq!(attributes(&bytes).collect::<Vec<_>>(), both);
        for length in 12..bytes.len() {
            assert_eq!(attributes(&bytes[..length]).collect::<Vec<_>>(), both[..1], "{length} bytes");
        }
        for length in [0_u16, 3, u16::MAX] {
            let mut bad = bytes.clone();
            bad[..2].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(attributes(&bad).count(), 0, "length {length}");
        }
    }
}
