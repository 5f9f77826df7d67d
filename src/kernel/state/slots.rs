//! Values in numbered slots: a slot is found in one step, and is used again once it is empty.

/// The number of a slot.
pub type Slot = u32;

/// No slot: there are never so many.
pub(super) const NIL: Slot = Slot::MAX;

/// Slots in a piece. A piece is made when the one before is full and never moves: one array for all would be copied whenever it
/// grows, and a shard with a million holds would stand still for a tenth of a second.
const PIECE: usize = 2048;

/// See the module.
#[derive(Debug)]
pub struct Slots<T> {
    pieces: Vec<Vec<Option<T>>>,
    free: Vec<Slot>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots { pieces: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// Keeps a value, in the slot that was emptied last if there is an empty one.
    pub fn insert(&mut self, value: T) -> Slot {
        match self.free.pop() {
            Some(slot) => {
                if let Some(place) = self.place_mut(slot) {
                    *place = Some(value);
                }
                slot
            }
            None => self.append(value),
        }
    }

    /// Empties a slot; says whether there was anything in it.
    pub fn remove(&mut self, slot: Slot) -> bool {
        let Some(place) = self.place_mut(slot).filter(|place| place.is_some()) else { return false };
        *place = None;
        self.free.push(slot);
        true
    }

    /// Reads a word of the slot that [`Slots::insert`] will use next, so that it is in the cache by then.
    pub(super) fn foresee_insert(&self) {
        let slot = self.free.last().copied().unwrap_or_default();
        std::hint::black_box(self.get(slot).is_some());
    }

    /// What is in a slot.
    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        self.place_mut(slot)?.as_mut()
    }

    /// What is in a slot.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&T> {
        self.pieces.get(slot as usize / PIECE)?.get(slot as usize % PIECE)?.as_ref()
    }

    /// Every value, in the order of the slots.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pieces.iter().flatten().flatten()
    }

    fn place_mut(&mut self, slot: Slot) -> Option<&mut Option<T>> {
        self.pieces.get_mut(slot as usize / PIECE)?.get_mut(slot as usize % PIECE)
    }

    fn append(&mut self, value: T) -> Slot {
        if self.pieces.last().is_none_or(|last| last.len() == PIECE) {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        let last = self.pieces.len() - 1;
        let piece = &mut self.pieces[last];
        piece.push(Some(value));
        (last * PIECE + piece.len() - 1) as Slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_in_their_slots_over_many_pieces() {
        let mut slots = Slots::default();
        let count = 3 * PIECE + 1;
        let given: Vec<Slot> = (0..count).map(|value| slots.insert(value)).collect();
        assert_eq!(given, (0..count as Slot).collect::<Vec<_>>());
        assert!(given.iter().all(|&slot| slots.get(slot) == Some(&(slot as usize))));
        *slots.get_mut(7).unwrap() = 70;
        assert_eq!(slots.get(7), Some(&70));
        assert_eq!(slots.iter().count(), count);
        assert_eq!(slots.get(count as Slot), None);
    }

    #[test]
    fn an_emptied_slot_is_used_again() {
        let mut slots = Slots::default();
        for value in 0..=PIECE {
            slots.insert(value);
        }
        assert!(slots.remove(3));
        assert!(!slots.remove(3));
        assert_eq!(slots.get(3), None);
        assert_eq!(slots.get_mut(3), None);
        assert_eq!(slots.iter().count(), PIECE);
        assert_eq!(slots.insert(33), 3);
        assert_eq!(slots.insert(34), PIECE as Slot + 1);
    }
}
