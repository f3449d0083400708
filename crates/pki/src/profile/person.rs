//! The kinds of persons that certificates are for.

use crate::name::Name;
use crate::oid;

/// The kind of person a subject names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Person {
    /// A human being (EN 319 412-2).
    Natural,
    /// An organization (EN 319 412-3).
    Legal,
}

impl Person {
    /// A subject with a given name, surname or pseudonym is a natural person,
    /// who may be associated with an organization (NAT-4.2.4-6); any other is a
    /// legal person.
    pub fn of(subject: &Name) -> Self {
        let personal = [oid::GIVEN_NAME, oid::SURNAME, oid::PSEUDONYM];
        if personal.into_iter().any(|a| subject.first(a).is_some()) {
            Person::Natural
        } else {
            Person::Legal
        }
    }
}
