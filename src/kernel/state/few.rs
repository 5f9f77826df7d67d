//! A list that mostly has one entry or none: the first is kept in place, so that it costs neither an allocation nor a way to it.

use std::ops::{Deref, DerefMut};

use bincode::{
    BorrowDecode, Decode, Encode,
    de::{BorrowDecoder, Decoder},
    enc::Encoder,
    error::{DecodeError, EncodeError},
};

/// See the module. It is stored as a [`Vec`] is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Few<T> {
    /// Nothing.
    #[default]
    None,
    /// One entry.
    One(T),
    /// Two or more.
    Many(Vec<T>),
}

impl<T> Few<T> {
    /// Adds an entry at the end.
    pub fn push(&mut self, entry: T) {
        self.insert(self.len(), entry);
    }

    /// Adds an entry before the one at `position`, which is at most the length.
    pub fn insert(&mut self, position: usize, entry: T) {
        let mut entries = std::mem::take(self).into_vec();
        entries.insert(position, entry);
        *self = Few::from(entries);
    }

    /// Keeps the entries that are wanted.
    pub fn retain(&mut self, wanted: impl FnMut(&T) -> bool) {
        let mut entries = std::mem::take(self).into_vec();
        entries.retain(wanted);
        *self = Few::from(entries);
    }

    fn into_vec(self) -> Vec<T> {
        match self {
            Few::None => Vec::new(),
            Few::One(entry) => vec![entry],
            Few::Many(entries) => entries,
        }
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(mut entries: Vec<T>) -> Few<T> {
        match entries.len() {
            0 => Few::None,
            1 => entries.pop().map_or(Few::None, Few::One),
            _ => Few::Many(entries),
        }
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Few::None => &[],
            Few::One(entry) => std::slice::from_ref(entry),
            Few::Many(entries) => entries,
        }
    }
}

impl<T> DerefMut for Few<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Few::None => &mut [],
            Few::One(entry) => std::slice::from_mut(entry),
            Few::Many(entries) => entries,
        }
    }
}

impl<T: Encode> Encode for Few<T> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (**self).encode(encoder)
    }
}

impl<C, T: Decode<C> + 'static> Decode<C> for Few<T> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Vec::decode(decoder).map(Few::from)
    }
}

impl<'de, C, T: Decode<C> + 'static> BorrowDecode<'de, C> for Few<T> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Few::decode(decoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_list_that_a_vec_would_be() {
        let (mut few, mut list) = (Few::default(), Vec::new());
        for (position, entry) in [(0, 'b'), (0, 'a'), (2, 'd'), (2, 'c')] {
            few.insert(position, entry);
            list.insert(position, entry);
            assert_eq!(*few, *list);
            assert_eq!(few, Few::from(list.clone()));
        }
        few.push('e');
        for (wanted, left) in [("abcde", "abcde"), ("bd", "bd"), ("d", "d"), ("x", "")] {
            few.retain(|entry| wanted.contains(*entry));
            assert_eq!(few.iter().collect::<String>(), left);
        }
        assert_eq!(few, Few::None);
    }

    #[test]
    fn it_is_stored_as_a_vec_is() {
        for entries in [vec![], vec![7u32], vec![7, 8, 9]] {
            let stored = bincode::encode_to_vec(&entries, bincode::config::standard()).unwrap();
            let few = Few::from(entries);
            assert_eq!(bincode::encode_to_vec(&few, bincode::config::standard()).unwrap(), stored);
            let (back, _): (Few<u32>, usize) =
                bincode::decode_from_slice(&stored, bincode::config::standard()).unwrap();
            assert_eq!(back, few);
        }
    }
}
