//! Choices by name: how they are printed and read.

/// Prints and reads a type by its `NAMES`; the second argument lists them for messages.
macro_rules! named {
    ($type:ty, $known:literal) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(Self::NAMES.iter().find(|(known, _)| known == self).map_or("", |(_, name)| name))
            }
        }

        impl std::str::FromStr for $type {
            type Err = crate::Error;

            fn from_str(name: &str) -> crate::Result<Self> {
                let found = Self::NAMES.iter().find(|(_, known)| *known == name).map(|(known, _)| *known);
                found.ok_or_else(|| crate::Error::Name { got: name.to_owned(), known: $known })
            }
        }
    };
}
pub(crate) use named;
