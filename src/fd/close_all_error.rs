//! The errors of closing several descriptors.

use super::close_error::CloseError;
use std::error::Error;
use std::{fmt, io, slice, vec};

/// The errors of [`close_all`](super::close_all), at least one, in the order of the descriptors.
///
/// The error converts into an [`io::Error`] of the first error's kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseAllError(Vec<CloseError>);

impl CloseAllError {
    /// `Err` if there are errors.
    pub(crate) fn of(errors: Vec<CloseError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self(errors)) }
    }

    /// The errors, at least one, in the order of the descriptors.
    pub fn errors(&self) -> &[CloseError] {
        &self.0
    }

    /// Iterates over the errors, in the order of the descriptors.
    pub fn iter(&self) -> slice::Iter<'_, CloseError> {
        self.0.iter()
    }
}

impl fmt::Display for CloseAllError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if index > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl Error for CloseAllError {
    /// The first error.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.first().map(|first| first as _)
    }
}

impl From<CloseAllError> for io::Error {
    fn from(errors: CloseAllError) -> Self {
        let kind = errors.0.first().map_or(io::ErrorKind::Other, CloseError::kind);
        Self::new(kind, errors)
    }
}

impl IntoIterator for CloseAllError {
    type Item = CloseError;
    type IntoIter = vec::IntoIter<CloseError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a CloseAllError {
    type Item = &'a CloseError;
    type IntoIter = slice::Iter<'a, CloseError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn errors_of_many_are_none_or_all_in_order() {
        assert_eq!(CloseAllError::of(vec![]), Ok(()));
        let errors = vec![CloseError::new(9, Errno::DQUOT), CloseError::new(4, Errno::IO)];
        let all = CloseAllError::of(errors.clone()).unwrap_err();
        assert_eq!(all.errors(), errors);
        assert!(all.iter().eq(&errors));
        assert!((&all).into_iter().eq(&errors));
        assert_eq!(all.to_string(), format!("{}\n{}", errors[0], errors[1]));
        assert_eq!(all.source().unwrap().downcast_ref(), Some(&errors[0]));
        assert_eq!(io::Error::from(all.clone()).kind(), io::ErrorKind::QuotaExceeded);
        assert!(all.into_iter().eq(errors));
    }
}
