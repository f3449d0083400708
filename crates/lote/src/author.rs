//! Authoring: a draft of a list to its profile, from version to version.

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use jose::b64;
use pki::Certificate;
use serde_json::json;

use crate::model::{
    Address, Addresses, Entity, EntityInformation, HistoryInstance, PkiObject, Pointer,
    PolicyOrLegalNotice, PostalAddress, Qualifier, SchemeInformation, Service, ServiceIdentity,
    ServiceInformation, SupplyPoint, Text, TextUri,
};
use crate::profile::{Presence, STATUS_NOTIFIED, STATUS_WITHDRAWN};
use crate::values::{six_months_after, write_date_time};
use crate::{Profile, ServiceKind, UncheckedList, cert};

/// Who runs a list (6.3.4, 6.3.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The formal name; the organization in the sealing certificate.
    pub name: String,
    /// The territory, EU in the profiles of the annexes; the country in the
    /// sealing certificate.
    pub territory: String,
    /// Where mail reaches it.
    pub address: Postal,
    /// An e-mail address, without `mailto:`.
    pub email: String,
    /// A web site.
    pub web: String,
}

/// A postal address (6.3.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postal {
    /// Street and number.
    pub street: String,
    /// Town.
    pub locality: String,
    /// Postal code.
    pub postal_code: String,
    /// Country, in capitals (UK and EL are the exceptions of 6.1.5).
    pub country: String,
}

/// What a list is called and where it is found (6.3.6, 6.3.7, 6.3.11, 6.3.16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The scheme's name, without the territory in front.
    pub scheme_name: String,
    /// Where the current list is.
    pub location: String,
    /// Where there is information on the list.
    pub information: String,
    /// Where its earlier instances are.
    pub archive: String,
    /// Where its policy or legal notice is.
    pub policy: String,
}

/// An entity to be listed (6.5 and Tables D.2 to I.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntity {
    /// The formal name.
    pub name: String,
    /// The registration identifier in the form of EN 319 412-1 (`NTRDE-HRB1`).
    pub registration: String,
    /// The Member State that is responsible for it (ISO 3166-1).
    pub member_state: String,
    /// Where mail reaches it.
    pub address: Postal,
    /// A contact e-mail address, without `mailto:`.
    pub email: String,
    /// A contact telephone number, without `tel:`.
    pub phone: String,
    /// A web site.
    pub web: String,
    /// Where its policies, terms and conditions are.
    pub policies: String,
    /// For Annex H, the law it stands on (`OJ:DE…`).
    pub law: Option<String>,
}

/// A service to be listed (6.6 and Tables D.3 to I.3).
#[derive(Debug, Clone, PartialEq)]
pub struct NewService {
    /// What it does.
    pub kind: ServiceKind,
    /// Its name.
    pub name: String,
    /// The certificates it is known by.
    pub certificates: Vec<Certificate>,
    /// For Annex E, the wallet solution's reference number, a URI.
    pub unique_id: Option<String>,
    /// For Annex I, where the register is available.
    pub supply_point: Option<String>,
}

/// Why a draft could not be changed or issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// The list has an entity of this name already.
    #[error("{0:?} is on the list already")]
    EntityThere(String),
    /// The list has no entity of this name.
    #[error("{0:?} is not on the list")]
    NoEntity(String),
    /// The entity has no service of this name and kind.
    #[error("{0:?} has no such service named {1:?}")]
    NoService(String, String),
    /// The profile has no service of this kind.
    #[error("a list of the profile {0} has no {1:?} service")]
    NoSuchKind(Profile, ServiceKind),
    /// The next update is not within six months of the issue.
    #[error("the next update, {next}, is not after {issued} and within 6 months of it")]
    NextUpdate {
        /// The time of issue.
        issued: Timestamp,
        /// The next update asked for.
        next: Timestamp,
    },
    /// The time of issue is before that of the version before.
    #[error("{at} is before the issue of the version before, {before}")]
    IssuedBefore {
        /// The time of issue asked for.
        at: Timestamp,
        /// That of the version before.
        before: Timestamp,
    },
    /// The list has no pointer to itself, so it cannot say who seals it.
    #[error("a list of the profile {0} has no pointer to itself, which announces its signers")]
    NoPointer(Profile),
    /// The certificate is announced already.
    #[error("{0} is announced as a signer already")]
    SignerThere(String),
    /// The certificate is not announced.
    #[error("{0} is not announced as a signer")]
    NoSigner(String),
    /// Nobody would be left to seal the list.
    #[error("{0} is the only signer that is announced")]
    LastSigner(String),
    /// A list to go on from has a type that is of no profile.
    #[error("the list is of no known profile")]
    NoProfile,
    /// The sequence number cannot grow any more.
    #[error("the sequence number is at its end")]
    SequenceEnd,
}

/// A list in the making.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    profile: Profile,
    list: UncheckedList,
}

impl Draft {
    /// A new list, without entities, as it will be at its first issue. `signers`
    /// are the certificates that seal it, which its pointer to itself announces.
    pub fn new(
        profile: Profile,
        operator: &Operator,
        place: &Publication,
        signers: &[Certificate],
    ) -> Self {
        let table = profile.table();
        let territory = &operator.territory;
        let mut scheme = SchemeInformation {
            version: Some(1),
            sequence: Some(0),
            lote_type: Some(table.lote_type.to_owned()),
            scheme_operator_name: vec![Text::en(&operator.name)],
            scheme_operator_address: Some(Addresses {
                postal: vec![postal(&operator.address)],
                electronic: vec![
                    TextUri::en(format!("mailto:{}", operator.email)),
                    TextUri::en(&operator.web),
                ],
                ..Addresses::default()
            }),
            scheme_name: vec![Text::en(format!("{territory}:{}", place.scheme_name))],
            scheme_information_uri: vec![TextUri::en(&place.information)],
            status_determination_approach: table
                .status_determination
                .first()
                .map(|s| (*s).to_owned()),
            scheme_type_community_rules: vec![TextUri::en(table.community_rules)],
            scheme_territory: Some(territory.clone()),
            policy_or_legal_notice: vec![PolicyOrLegalNotice {
                policy: Some(TextUri::en(&place.policy)),
                ..PolicyOrLegalNotice::default()
            }],
            distribution_points: vec![place.location.clone()],
            ..SchemeInformation::default()
        };
        if table.archive {
            scheme
                .scheme_information_uri
                .push(TextUri::en(&place.archive));
        }
        if table.history == Presence::Required {
            scheme.historical_information_period = Some(65_535);
        }
        if table.pointers == Presence::Required {
            scheme.pointers_to_other_lote = vec![Pointer {
                location: Some(place.location.clone()),
                identities: vec![identity(signers)],
                qualifiers: vec![Qualifier {
                    lote_type: scheme.lote_type.clone(),
                    scheme_operator_name: scheme.scheme_operator_name.clone(),
                    scheme_type_community_rules: scheme.scheme_type_community_rules.clone(),
                    scheme_territory: scheme.scheme_territory.clone(),
                    mime_type: Some("application/jose".to_owned()),
                    ..Qualifier::default()
                }],
                ..Pointer::default()
            }];
        }
        let mut list = UncheckedList::default();
        list.lote.scheme = scheme;
        Self { profile, list }
    }

    /// The next version of a list that was issued before.
    ///
    /// # Errors
    /// [`DraftError::NoProfile`] when its type is of no profile.
    pub fn after(list: UncheckedList) -> Result<Self, DraftError> {
        let lote_type = list.scheme().lote_type.as_deref().unwrap_or_default();
        let profile = Profile::of_type(lote_type).ok_or(DraftError::NoProfile)?;
        Ok(Self { profile, list })
    }

    /// Adds an entity.
    ///
    /// # Errors
    /// [`DraftError::EntityThere`].
    pub fn add_entity(&mut self, new: &NewEntity) -> Result<(), DraftError> {
        if self.list.entities().iter().any(|e| e.name() == new.name) {
            return Err(DraftError::EntityThere(new.name.clone()));
        }
        let table = self.profile.table();
        let mut trade_name = vec![Text::en(&new.registration)];
        trade_name.extend(new.law.as_ref().map(Text::en));
        let mut electronic = vec![
            TextUri::en(format!("mailto:{}", new.email)),
            TextUri::en(format!("tel:{}", new.phone)),
            TextUri::en(&new.web),
        ];
        let mut information_uri = vec![TextUri::en(&new.policies)];
        if let Some(base) = table.responsible {
            let responsible = TextUri::en(format!("{base}{}", new.member_state));
            if table.responsible_in_address {
                electronic.push(responsible);
            } else {
                information_uri.push(responsible);
            }
        }
        self.list
            .lote
            .entities
            .get_or_insert_default()
            .push(Entity {
                information: EntityInformation {
                    name: vec![Text::en(&new.name)],
                    trade_name,
                    address: Some(Address {
                        postal: vec![postal(&new.address)],
                        electronic,
                        ..Address::default()
                    }),
                    information_uri,
                    ..EntityInformation::default()
                },
                ..Entity::default()
            });
        Ok(())
    }

    /// Adds a service to an entity; in a list that keeps statuses it is notified
    /// from `at` on.
    ///
    /// # Errors
    /// [`DraftError::NoEntity`] and [`DraftError::NoSuchKind`].
    pub fn add_service(
        &mut self,
        entity: &str,
        new: &NewService,
        at: Timestamp,
    ) -> Result<(), DraftError> {
        let service_type = self
            .profile
            .service_type(new.kind)
            .ok_or(DraftError::NoSuchKind(self.profile, new.kind))?;
        let with_status = self.profile.table().status == Presence::Required;
        let mut information = ServiceInformation {
            service_type_identifier: Some(service_type.to_owned()),
            service_name: vec![Text::en(&new.name)],
            service_digital_identity: Some(identity(&new.certificates)),
            service_status: with_status.then(|| STATUS_NOTIFIED.to_owned()),
            status_starting_time: with_status.then(|| write_date_time(at)),
            ..ServiceInformation::default()
        };
        if let Some(id) = &new.unique_id {
            let extension = json!({ "ServiceUniqueIdentifier": id });
            information.service_information_extensions.push(extension);
        }
        if let Some(uri) = &new.supply_point {
            information.service_supply_points.push(SupplyPoint {
                uri: Some(uri.clone()),
                ..SupplyPoint::default()
            });
        }
        let service = Service {
            information,
            ..Service::default()
        };
        self.entity(entity)?.services.push(service);
        Ok(())
    }

    /// Withdraws a service: it is removed, and its entity with its last one; in a
    /// list that keeps statuses it stays, withdrawn from `at` on.
    ///
    /// # Errors
    /// [`DraftError::NoEntity`] and [`DraftError::NoService`].
    pub fn withdraw_service(
        &mut self,
        entity: &str,
        kind: ServiceKind,
        name: &str,
        at: Timestamp,
    ) -> Result<(), DraftError> {
        let profile = self.profile;
        let keeps = profile.table().status == Presence::Required;
        let is_it = |service: &Service| {
            let information = &service.information;
            let seen = information
                .service_type_identifier
                .as_deref()
                .unwrap_or_default();
            profile.service_kind(seen) == Some(kind)
                && information.service_name.iter().any(|n| n.text() == name)
        };
        let services = &mut self.entity(entity)?.services;
        if !services.iter().any(is_it) {
            return Err(DraftError::NoService(entity.to_owned(), name.to_owned()));
        }
        if keeps {
            services
                .iter_mut()
                .filter(|s| is_it(s))
                .for_each(|s| withdraw(s, at));
        } else {
            services.retain(|s| !is_it(s));
            if services.is_empty() {
                self.remove(entity);
            }
        }
        Ok(())
    }

    /// Withdraws an entity with all its services, as [`Draft::withdraw_service`].
    ///
    /// # Errors
    /// [`DraftError::NoEntity`].
    pub fn withdraw_entity(&mut self, entity: &str, at: Timestamp) -> Result<(), DraftError> {
        let keeps = self.profile.table().status == Presence::Required;
        let found = self.entity(entity)?;
        if keeps {
            found.services.iter_mut().for_each(|s| withdraw(s, at));
        } else {
            self.remove(entity);
        }
        Ok(())
    }

    /// Announces a further certificate: once a version with it is published, the
    /// versions after that one may be sealed with it (6.3.13).
    ///
    /// # Errors
    /// [`DraftError::NoPointer`] and [`DraftError::SignerThere`].
    pub fn announce_signer(&mut self, signer: &Certificate) -> Result<(), DraftError> {
        let pointer = self.own_pointer()?;
        if pointer.certificates().any(|c| c.der() == signer.der()) {
            return Err(DraftError::SignerThere(signer.subject()));
        }
        pointer
            .identities
            .push(identity(std::slice::from_ref(signer)));
        Ok(())
    }

    /// Announces a certificate no longer. What it sealed stays as it is.
    ///
    /// # Errors
    /// [`DraftError::NoPointer`], [`DraftError::NoSigner`] and
    /// [`DraftError::LastSigner`].
    pub fn retire_signer(&mut self, signer: &Certificate) -> Result<(), DraftError> {
        let pointer = self.own_pointer()?;
        let announced: Vec<Certificate> = pointer.certificates().collect();
        if !announced.iter().any(|c| c.der() == signer.der()) {
            return Err(DraftError::NoSigner(signer.subject()));
        }
        if announced.iter().all(|c| c.der() == signer.der()) {
            return Err(DraftError::LastSigner(signer.subject()));
        }
        for identity in &mut pointer.identities {
            identity
                .certificates
                .retain(|object| match cert::read(object) {
                    cert::Read::Good(c) | cert::Read::Sloppy(c, _) => c.der() != signer.der(),
                    cert::Read::Bad(_) => true,
                });
        }
        pointer
            .identities
            .retain(|identity| *identity != ServiceIdentity::default());
        Ok(())
    }

    /// Issues the next version: the sequence number grows by one.
    ///
    /// # Errors
    /// [`DraftError::IssuedBefore`], [`DraftError::NextUpdate`] and
    /// [`DraftError::SequenceEnd`].
    pub fn issue(
        &mut self,
        at: Timestamp,
        next_update: Timestamp,
    ) -> Result<&UncheckedList, DraftError> {
        let bounded = self.profile.table().six_months;
        let late = six_months_after(at).is_none_or(|latest| bounded && next_update > latest);
        if next_update <= at || late {
            return Err(DraftError::NextUpdate {
                issued: at,
                next: next_update,
            });
        }
        let scheme = &mut self.list.lote.scheme;
        let before = scheme
            .list_issue_date_time
            .as_deref()
            .and_then(crate::values::date_time_tolerant);
        if let Some(before) = before.filter(|before| at < *before) {
            return Err(DraftError::IssuedBefore { at, before });
        }
        let sequence = scheme.sequence.unwrap_or(0).checked_add(1);
        scheme.sequence = Some(sequence.ok_or(DraftError::SequenceEnd)?);
        scheme.list_issue_date_time = Some(write_date_time(at));
        scheme.next_update = Some(Some(write_date_time(next_update)));
        Ok(&self.list)
    }

    /// The list as it stands.
    pub fn list(&self) -> &UncheckedList {
        &self.list
    }

    /// The profile it is made to.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    fn entity(&mut self, name: &str) -> Result<&mut Entity, DraftError> {
        let entities = self.list.lote.entities.as_mut();
        entities
            .and_then(|all| all.iter_mut().find(|e| e.name() == name))
            .ok_or_else(|| DraftError::NoEntity(name.to_owned()))
    }

    fn own_pointer(&mut self) -> Result<&mut Pointer, DraftError> {
        let profile = self.profile;
        let mut own = self.list.lote.scheme.own_pointers_mut();
        own.next().ok_or(DraftError::NoPointer(profile))
    }

    fn remove(&mut self, name: &str) {
        let entities = &mut self.list.lote.entities;
        if let Some(all) = entities {
            all.retain(|e| e.name() != name);
        }
        // 6.4.0: without entities the component is not there.
        entities.take_if(|all| all.is_empty());
    }
}

/// The next update that is usual: as many days ahead, at most six months.
pub fn next_update_after(issued: Timestamp, days: i64) -> Timestamp {
    let wanted = issued
        .to_zoned(TimeZone::UTC)
        .checked_add(days.days())
        .map_or(issued, |zoned| zoned.timestamp());
    six_months_after(issued).map_or(wanted, |latest| wanted.min(latest))
}

/// Annex H: the status before goes into the history, known by its key alone.
fn withdraw(service: &mut Service, at: Timestamp) {
    let information = &mut service.information;
    if information.service_status.as_deref() == Some(STATUS_WITHDRAWN) {
        return;
    }
    let skis = information
        .service_digital_identity
        .iter()
        .flat_map(|identity| &identity.certificates)
        .filter_map(|object| match cert::read(object) {
            cert::Read::Good(c) | cert::Read::Sloppy(c, _) => c.subject_key_id(),
            cert::Read::Bad(_) => None,
        })
        .map(b64::encode_std)
        .collect();
    let instance = HistoryInstance {
        service_type_identifier: information.service_type_identifier.clone(),
        service_name: information.service_name.clone(),
        service_digital_identity: Some(ServiceIdentity {
            skis,
            ..ServiceIdentity::default()
        }),
        service_status: information.service_status.take(),
        status_starting_time: information.status_starting_time.take(),
        ..HistoryInstance::default()
    };
    information.service_status = Some(STATUS_WITHDRAWN.to_owned());
    information.status_starting_time = Some(write_date_time(at));
    service.history.insert(0, instance);
}

fn identity(certificates: &[Certificate]) -> ServiceIdentity {
    let object = |c: &Certificate| PkiObject {
        val: Some(b64::encode_std(c.der())),
        ..PkiObject::default()
    };
    ServiceIdentity {
        certificates: certificates.iter().map(object).collect(),
        ..ServiceIdentity::default()
    }
}

fn postal(address: &Postal) -> PostalAddress {
    PostalAddress {
        lang: Some("en".to_owned()),
        street_address: Some(address.street.clone()),
        locality: Some(address.locality.clone()),
        postal_code: Some(address.postal_code.clone()),
        country: Some(address.country.clone()),
        ..PostalAddress::default()
    }
}
