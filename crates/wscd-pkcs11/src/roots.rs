//! The roots in force, as the token says.
//!
//! Which roots there are is said by a register, so that every process on the
//! token learns of a rotation by reading two labels. The root objects are the
//! truth: a retiring root that is said to be there and is not has been destroyed,
//! and a root that the register does not name is not in force yet.

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use wscd::{DeviceError, Generation, RootState};

use crate::error::{Broken, Fault, OpenError};
use crate::objects::{self, Kind, Origin, ROOTS, root_label};
use crate::register::Register;

/// What was last read.
#[derive(Debug, Clone)]
pub(crate) struct Roots {
    pub(crate) state: RootState,
    /// What the register said: `state`, but for a retiring root that is gone.
    said: RootState,
    register: Register,
    /// Those in force, and one that is made and not in force yet.
    keys: Vec<(Generation, ObjectHandle)>,
    origin: Origin,
}

impl Roots {
    /// Reads which roots are in force and finds them; `None` where nothing says.
    pub(crate) fn find(session: &Session, origin: Origin) -> Result<Option<Self>, Fault> {
        let register = Register::find(session, ROOTS)?;
        if register.is_empty() {
            return Ok(None);
        }
        Self::load(session, register, origin).map(Some)
    }

    fn load(session: &Session, register: Register, origin: Origin) -> Result<Self, Fault> {
        let said = read(session, register)?;
        let found = objects::find_roots(session)?;
        let keys: Vec<_> = found
            .into_iter()
            .filter(|(generation, _)| said.opens(*generation) || *generation > said.current)
            .collect();
        for (generation, key) in &keys {
            Kind::Wrapping
                .check(session, &root_label(*generation), *key, origin)
                .map_err(untrusted)?;
        }
        let count = |wanted| keys.iter().filter(|(g, _)| *g == wanted).count();
        let current = said.current;
        if count(current) != 1 || said.retiring.is_some_and(|old| count(old) > 1) {
            return Err(torn(format!(
                "{} roots of generation {current}, which is in force",
                count(current)
            )));
        }
        let retiring = said.retiring.filter(|old| count(*old) == 1);
        Ok(Self {
            state: RootState { current, retiring },
            said,
            register,
            keys,
            origin,
        })
    }

    /// The same as the token says now. What is held must still be there: this is
    /// also how a token that went away is noticed.
    pub(crate) fn refresh(&self, session: &Session) -> Result<Self, Fault> {
        // Of one that lost an object, another process may have made the second.
        if self.register.is_complete() && read(session, self.register)? == self.said {
            return Ok(self.clone());
        }
        self.reload(session)
    }

    /// The same, found anew.
    pub(crate) fn reload(&self, session: &Session) -> Result<Self, Fault> {
        Self::find(session, self.origin)?
            .ok_or_else(|| torn("nothing says which roots are in force".to_owned()))
    }

    /// Says which roots are in force from now on.
    pub(crate) fn write(&self, session: &Session, state: RootState) -> Result<Self, Fault> {
        let register = self
            .register
            .write(session, ROOTS, &text(state), parse, order)?;
        Self::load(session, register, self.origin)
    }

    pub(crate) fn key(&self, generation: Generation) -> Option<ObjectHandle> {
        self.keys
            .iter()
            .find(|(held, _)| *held == generation)
            .map(|(_, key)| *key)
    }
}

/// Says, for the first time, which roots are in force.
pub(crate) fn create(session: &Session, state: RootState) -> Result<(), Fault> {
    // Both objects, so that every process that opens the token holds both.
    for _ in 0..2 {
        Register::find(session, ROOTS)?.write(session, ROOTS, &text(state), parse, order)?;
    }
    Ok(())
}

fn read(session: &Session, register: Register) -> Result<RootState, Fault> {
    register
        .read(session, parse, order)?
        .ok_or_else(|| torn("nothing says which roots are in force".to_owned()))
}

/// A rotation begins with a new generation and ends without an old one.
pub(crate) fn order(state: &RootState) -> (Generation, bool) {
    (state.current, state.retiring.is_none())
}

fn text(state: RootState) -> String {
    match state.retiring {
        None => format!("current={}", state.current),
        Some(retiring) => format!("current={} retiring={retiring}", state.current),
    }
}

fn parse(label: &str) -> Option<RootState> {
    let number = |text: &str| text.parse().ok().map(Generation);
    let rest = label.strip_prefix("current=")?;
    Some(match rest.split_once(" retiring=") {
        None => RootState {
            current: number(rest)?,
            retiring: None,
        },
        Some((current, retiring)) => RootState {
            current: number(current)?,
            retiring: Some(number(retiring)?),
        },
    })
}

fn untrusted(error: OpenError) -> Fault {
    Fault::Refused(DeviceError::Failed {
        what: "use its roots",
        cause: error.to_string(),
    })
}

fn torn(cause: String) -> Fault {
    Fault::Broken(Broken::torn("find its roots", cause))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn state(current: u64, retiring: Option<u64>) -> RootState {
        RootState {
            current: Generation(current),
            retiring: retiring.map(Generation),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for state in [state(8, None), state(8, Some(7))] {
            assert_eq!(parse(&text(state)).unwrap(), state);
        }
        for bad in ["", "current=", "current=x", "current=1 retiring=", "1"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_rotation_goes_forward() {
        let steps = [
            state(1, None),
            state(2, Some(1)),
            state(2, None),
            state(3, Some(2)),
        ];
        assert!(steps.is_sorted_by_key(order));
    }
}
