//! A field that is rebuilt from the others when a state is loaded: not part of the value, and never stored.

use bincode::{
    BorrowDecode, Decode, Encode,
    de::{BorrowDecoder, Decoder},
    enc::Encoder,
    error::{DecodeError, EncodeError},
};

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rebuilt<T>(pub T);

impl<T> PartialEq for Rebuilt<T> {
    fn eq(&self, _: &Rebuilt<T>) -> bool {
        true
    }
}

impl<T> Eq for Rebuilt<T> {}

impl<T> Encode for Rebuilt<T> {
    fn encode<E: Encoder>(&self, _: &mut E) -> Result<(), EncodeError> {
        Ok(())
    }
}

impl<T: Default, C> Decode<C> for Rebuilt<T> {
    fn decode<D: Decoder<Context = C>>(_: &mut D) -> Result<Self, DecodeError> {
        Ok(Rebuilt::default())
    }
}

impl<'de, T: Default, C> BorrowDecode<'de, C> for Rebuilt<T> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(_: &mut D) -> Result<Self, DecodeError> {
        Ok(Rebuilt::default())
    }
}
