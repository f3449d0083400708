//! What a person writes down about a list or an entity, as TOML.

use std::path::Path;

use lote::{NewEntity, Operator, Postal, Publication};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::exit::Failure;
use crate::input;

/// What a draft begins with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListDescription {
    operator: OperatorDescription,
    publication: PublicationDescription,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OperatorDescription {
    name: String,
    territory: String,
    address: Address,
    email: String,
    web: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicationDescription {
    scheme_name: String,
    location: String,
    information: String,
    archive: String,
    policy: String,
}

/// An entity that is to be added.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntityDescription {
    name: String,
    registration: String,
    member_state: String,
    address: Address,
    email: String,
    phone: String,
    web: String,
    policies: String,
    law: Option<String>,
    /// Its service: the name, and what Annexes E and I want besides.
    pub(super) service: ServiceDescription,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceDescription {
    pub(super) name: String,
    pub(super) unique_id: Option<String>,
    pub(super) supply_point: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Address {
    street: String,
    locality: String,
    postal_code: String,
    country: String,
}

impl ListDescription {
    pub(super) fn into_parts(self) -> (Operator, Publication) {
        (
            Operator {
                name: self.operator.name,
                territory: self.operator.territory,
                address: self.operator.address.into(),
                email: self.operator.email,
                web: self.operator.web,
            },
            Publication {
                scheme_name: self.publication.scheme_name,
                location: self.publication.location,
                information: self.publication.information,
                archive: self.publication.archive,
                policy: self.publication.policy,
            },
        )
    }
}

impl EntityDescription {
    pub(super) fn entity(&self) -> NewEntity {
        NewEntity {
            name: self.name.clone(),
            registration: self.registration.clone(),
            member_state: self.member_state.clone(),
            address: self.address.postal(),
            email: self.email.clone(),
            phone: self.phone.clone(),
            web: self.web.clone(),
            policies: self.policies.clone(),
            law: self.law.clone(),
        }
    }
}

impl Address {
    fn postal(&self) -> Postal {
        Postal {
            street: self.street.clone(),
            locality: self.locality.clone(),
            postal_code: self.postal_code.clone(),
            country: self.country.clone(),
        }
    }
}

impl From<Address> for Postal {
    fn from(address: Address) -> Self {
        address.postal()
    }
}

/// Reads a description; an error names the key it is about.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text = input::read_text(path, 1 << 20)?;
    let wrong = |what: String| {
        let what = what.replace('\n', " ");
        Failure::new(format!("{}: {what}", path.display()))
    };
    let value: toml::Table =
        toml::from_str(&text).map_err(|error| wrong(error.message().into()))?;
    serde_path_to_error::deserialize(value).map_err(|error| {
        let key = error.path().to_string();
        wrong(format!("{key}: {}", error.into_inner().message()))
    })
}
