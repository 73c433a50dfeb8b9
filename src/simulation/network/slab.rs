//! A slab: values at indices that are used again, under keys that are not.

/// Names one value; a key of a removed value never finds another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Key {
    index: u32,
    /// Odd while occupied, so that a default key finds nothing.
    generation: u32,
}

/// Values by [`Key`]. A removed value stays in place until its index is used again, with what memory it holds.
#[derive(Clone, Debug)]
pub(super) struct Slab<T> {
    entries: Vec<(u32, T)>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    #[inline]
    pub(super) fn get(&self, key: Key) -> Option<&T> {
        match self.entries.get(key.index as usize) {
            Some((generation, value)) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.entries.get_mut(key.index as usize) {
            Some((generation, value)) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn insert(&mut self, value: T) -> Key {
        if let Some(index) = self.free.pop() {
            let entry = &mut self.entries[index as usize];
            entry.0 = entry.0.wrapping_add(1);
            entry.1 = value;
            Key {
                index,
                generation: entry.0,
            }
        } else {
            let index = self.entries.len() as u32;
            self.entries.push((1, value));
            Key { index, generation: 1 }
        }
    }

    /// Removes the value, when the key still finds it.
    #[inline]
    pub(super) fn remove(&mut self, key: Key) -> bool {
        match self.entries.get_mut(key.index as usize) {
            Some((generation, _)) if *generation == key.generation => {
                *generation = generation.wrapping_add(1);
                self.free.push(key.index);
                true
            }
            _ => false,
        }
    }

    /// All values in the order of their indices.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.entries
            .iter()
            .enumerate()
            .filter(|(_, (generation, _))| generation % 2 == 1)
            .map(|(index, (generation, value))| {
                (
                    Key {
                        index: index as u32,
                        generation: *generation,
                    },
                    value,
                )
            })
    }

    /// How many values there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }
}

impl<T: Default> Slab<T> {
    /// Takes a place whose old value is still in it, so that what memory it holds can be used again.
    pub(super) fn reuse(&mut self) -> (Key, &mut T) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push((0, T::default()));
            self.entries.len() as u32 - 1
        });
        let (generation, value) = &mut self.entries[index as usize];
        *generation = generation.wrapping_add(1);
        (
            Key {
                index,
                generation: *generation,
            },
            value,
        )
    }
}
