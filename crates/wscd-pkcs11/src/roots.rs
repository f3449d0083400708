//! The roots in force, as the token says.
//!
//! Which roots there are is said by a data object's label, so that every process
//! on the token learns of a rotation by reading one attribute. The root objects
//! are the truth: a retiring root that is said to be there and is not has been
//! destroyed, and a root that no label names is not in force yet.

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use wscd::{DeviceError, Generation, RootState};

use crate::OpenError;
use crate::error::{Broken, Fault};
use crate::objects::{self, Kind, ROOTS, root_label};

/// What was last read.
#[derive(Debug, Clone)]
pub(crate) struct Roots {
    pub(crate) state: RootState,
    label: String,
    keys: Vec<(Generation, ObjectHandle)>,
}

impl Roots {
    /// Reads which roots are in force and finds them.
    pub(crate) fn load(session: &Session, object: ObjectHandle) -> Result<Self, Fault> {
        let label = read(session, object)?;
        let (current, retiring) = parse(&label)?;
        let found = objects::find_roots(session)?;
        let keys: Vec<_> = found
            .into_iter()
            .filter(|(generation, _)| *generation == current || Some(*generation) == retiring)
            .collect();
        let count = |wanted| keys.iter().filter(|(g, _)| *g == wanted).count();
        if count(current) != 1 || retiring.is_some_and(|retiring| count(retiring) > 1) {
            return Err(torn(format!(
                "{} roots of generation {current}, which is in force",
                count(current)
            )));
        }
        let retiring = retiring.filter(|retiring| count(*retiring) == 1);
        Ok(Self {
            state: RootState { current, retiring },
            label,
            keys,
        })
    }

    /// Whether the token still says what it said when this was read.
    pub(crate) fn is_fresh(&self, session: &Session, object: ObjectHandle) -> Result<bool, Fault> {
        Ok(read(session, object)? == self.label)
    }

    pub(crate) fn key(&self, generation: Generation) -> Option<ObjectHandle> {
        self.keys
            .iter()
            .find(|(held, _)| *held == generation)
            .map(|(_, key)| *key)
    }

    /// That every root is what this backend makes.
    pub(crate) fn check(&self, session: &Session) -> Result<(), OpenError> {
        for (generation, key) in &self.keys {
            Kind::Wrapping.check(session, &root_label(*generation), *key)?;
        }
        Ok(())
    }
}

/// Finds the object that says which roots are in force.
pub(crate) fn find(session: &Session) -> Result<Option<ObjectHandle>, Fault> {
    objects::find_data(session, ROOTS)
}

/// Makes it, for the first root.
pub(crate) fn create(session: &Session, current: Generation) -> Result<ObjectHandle, Fault> {
    objects::create_data(session, ROOTS, &text(current, None))
}

/// Says which roots are in force from now on.
pub(crate) fn write(
    session: &Session,
    object: ObjectHandle,
    current: Generation,
    retiring: Option<Generation>,
) -> Result<(), Fault> {
    objects::set_label(session, object, &text(current, retiring))
}

fn text(current: Generation, retiring: Option<Generation>) -> String {
    match retiring {
        None => format!("current={current}"),
        Some(retiring) => format!("current={current} retiring={retiring}"),
    }
}

fn read(session: &Session, object: ObjectHandle) -> Result<String, Fault> {
    objects::label_of(session, object)?
        .ok_or_else(|| torn("nothing says which roots are in force".to_owned()))
}

fn parse(label: &str) -> Result<(Generation, Option<Generation>), Fault> {
    let number = |text: &str| text.parse().ok().map(Generation);
    let parsed = label.strip_prefix("current=").and_then(|rest| {
        Some(match rest.split_once(" retiring=") {
            None => (number(rest)?, None),
            Some((current, retiring)) => (number(current)?, Some(number(retiring)?)),
        })
    });
    parsed.ok_or_else(|| {
        DeviceError::Failed {
            what: "find its roots",
            cause: format!("{label:?} does not say which roots are in force"),
        }
        .into()
    })
}

fn torn(cause: String) -> Fault {
    Fault::Broken(Broken::torn("find its roots", cause))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for retiring in [None, Some(Generation(7))] {
            let read = parse(&text(Generation(8), retiring)).unwrap();
            assert_eq!(read, (Generation(8), retiring));
        }
        for bad in ["", "current=", "current=x", "current=1 retiring=", "1"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
