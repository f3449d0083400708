//! A small value that is written in place and survives a crash.
//!
//! A data object's value cannot be changed in place, its label can; but a token
//! that dies while it writes may lose the object (SoftHSM does, when its process
//! is killed). So a register is two data objects, written in turn: whichever is
//! lost, the other holds the value before it, and that was the one acknowledged.
//! Which is newer, the values themselves must say.

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;

use crate::error::{Fault, during};
use crate::objects::{create_data, find_data, label_of, set_label};

/// The two objects, as far as they are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Register {
    slots: [Option<ObjectHandle>; 2],
}

impl Register {
    /// Looks for a register's objects.
    pub(crate) fn find(session: &Session, name: &str) -> Result<Self, Fault> {
        let mut slots = [None; 2];
        for (place, slot) in slots.iter_mut().zip(slot_names(name)) {
            // More than one is what two writers left that nobody serialised; the
            // newest value is among them, and what is read is no older than ours.
            *place = find_data(session, &slot)?.first().copied();
        }
        Ok(Self { slots })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.iter().all(Option::is_none)
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.slots.iter().all(Option::is_some)
    }

    /// The newest value, by `order`. A label that is none does not count.
    pub(crate) fn read<T, K: Ord>(
        &self,
        session: &Session,
        parse: impl Fn(&str) -> Option<T>,
        order: impl Fn(&T) -> K,
    ) -> Result<Option<T>, Fault> {
        Ok(self
            .read_slots(session, parse)?
            .into_iter()
            .flatten()
            .max_by_key(order))
    }

    /// Writes a value over the older one. Answers the register as it is now.
    pub(crate) fn write<T, K: Ord>(
        &self,
        session: &Session,
        name: &str,
        text: &str,
        parse: impl Fn(&str) -> Option<T>,
        order: impl Fn(&T) -> K,
    ) -> Result<Self, Fault> {
        let [first, second] = self.read_slots(session, parse)?;
        let age = |value: &Option<T>| value.as_ref().map(&order);
        let older = usize::from(age(&first) > age(&second));
        let [a, b] = slot_names(name);
        let (slot, held, is_whole) = match (older, self.slots) {
            (0, [held, _]) => (a, held, first.is_some()),
            (_, [_, held]) => (b, held, second.is_some()),
        };
        let mut slots = self.slots;
        let object = match held {
            Some(object) if is_whole => {
                set_label(session, object, text)?;
                object
            }
            _ => {
                for left in find_data(session, &slot)? {
                    session
                        .destroy_object(left)
                        .map_err(during("clear a data object away"))?;
                }
                create_data(session, &slot, text)?
            }
        };
        if let Some(place) = slots.get_mut(older) {
            *place = Some(object);
        }
        Ok(Self { slots })
    }

    fn read_slots<T>(
        &self,
        session: &Session,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<[Option<T>; 2], Fault> {
        let read = |slot: Option<ObjectHandle>| match slot {
            Some(object) => {
                Ok::<_, Fault>(label_of(session, object)?.and_then(|text| parse(&text)))
            }
            None => Ok(None),
        };
        let [first, second] = self.slots;
        Ok([read(first)?, read(second)?])
    }
}

fn slot_names(name: &str) -> [String; 2] {
    [format!("{name}/a"), format!("{name}/b")]
}
