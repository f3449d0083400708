//! The certificates of a list, prepared to be looked up.

use std::collections::HashMap;
use std::sync::Arc;

use finding::Finding;
use jiff::Timestamp;
use pki::{AnchorIndex, Certificate};

use crate::cert::{self, Read};
use crate::model::{Entity, EntityInformation, Service, Text};
use crate::profile::{STATUS_WITHDRAWN, ServiceKind};
use crate::report::Report;
use crate::{List, Profile, rules, values};

/// The anchors of one list, by the kind of service they belong to.
#[derive(Debug, Clone, Default)]
pub struct Index {
    kinds: HashMap<ServiceKind, Kind>,
    findings: Vec<Finding>,
}

/// Anchors of one kind; their certificates have the same positions in the index.
#[derive(Debug, Clone, Default)]
struct Kind {
    anchors: Vec<Anchor>,
    certificates: AnchorIndex,
}

/// One certificate of one service of one entity.
#[derive(Debug, Clone)]
pub struct Anchor {
    /// The certificate, whole.
    pub certificate: Certificate,
    /// Whether it may issue certificates (basicConstraints).
    pub is_ca: bool,
    /// What the service does.
    pub kind: ServiceKind,
    /// Who runs it.
    pub entity: Arc<ListedEntity>,
    /// Its name, the English one first.
    pub service_name: String,
    /// Its statuses, the newest first; none in a list that keeps none.
    pub statuses: Vec<Status>,
}

/// Who an entity is, as its list says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEntity {
    /// Its names (TEName), the English one first.
    pub names: Box<[Box<str>]>,
    /// Its registration identifiers (TETradeName).
    pub registrations: Box<[Box<str>]>,
}

impl ListedEntity {
    /// What an index remembers of an entity.
    fn of(entity: &EntityInformation) -> Self {
        let mut names: Vec<&Text> = entity.name.iter().collect();
        names.sort_by_key(|name| name.lang.as_deref() != Some("en"));
        let registrations = entity.trade_name.iter().map(Text::text);
        Self {
            names: names.iter().map(|name| name.text().into()).collect(),
            registrations: registrations
                .filter(|text| values::is_registration_identifier(text))
                .map(Into::into)
                .collect(),
        }
    }
}

/// A status of a service, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The status URI.
    pub uri: String,
    /// When it began; `None` when the list does not say.
    pub since: Option<Timestamp>,
}

impl Anchor {
    /// The name of the entity, the English one first.
    pub fn entity_name(&self) -> &str {
        self.entity
            .names
            .first()
            .map(AsRef::as_ref)
            .unwrap_or_default()
    }

    /// Its status at a time, where the list says.
    pub fn status_at(&self, at: Timestamp) -> Option<&str> {
        let status = self
            .statuses
            .iter()
            .find(|s| s.since.is_none_or(|since| since <= at))?;
        Some(&status.uri)
    }

    /// Whether it may be relied on at a time: always in a list that keeps no
    /// statuses, and before its withdrawal in one that does (Annex H).
    pub fn stands_at(&self, at: Timestamp) -> bool {
        self.statuses.is_empty() || self.status_at(at).is_some_and(|s| s != STATUS_WITHDRAWN)
    }

    /// What the list says of the entity that the certificate does not: its name
    /// or its registration number (Tables D.3, E.3, I.3).
    pub fn missing_identity(&self, certificate: &Certificate) -> Vec<String> {
        cert::missing_identity(certificate, &self.entity.names, &self.entity.registrations)
    }
}

impl Index {
    /// The index of a list. Certificates that cannot be read, services of unknown
    /// type and, in lists of PID and wallet providers, certification authorities
    /// are found.
    pub fn of(list: &List) -> Self {
        let mut building = Building::new(list.profile());
        for entity in list.content().entities() {
            building.add(entity);
        }
        building.finish()
    }

    /// All anchors of services of a kind, in the order of the list.
    pub fn of_kind(&self, kind: ServiceKind) -> &[Anchor] {
        self.kinds
            .get(&kind)
            .map(|k| k.anchors.as_slice())
            .unwrap_or_default()
    }

    /// The certificates of [`Index::of_kind`], at the same positions, prepared to
    /// be matched.
    pub fn certificates(&self, kind: ServiceKind) -> Option<&AnchorIndex> {
        self.kinds.get(&kind).map(|k| &k.certificates)
    }

    /// The anchors of any kind that are exactly this certificate.
    pub fn of_certificate(&self, certificate: &Certificate) -> impl Iterator<Item = &Anchor> {
        self.kinds.values().flat_map(|kind| {
            let positions = kind.certificates.positions(certificate);
            positions
                .into_iter()
                .filter_map(|place| kind.anchors.get(place))
        })
    }

    /// How many anchors there are.
    pub fn len(&self) -> usize {
        self.kinds.values().map(|k| k.anchors.len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// What was found when the index was made.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

/// An index in the making, entity by entity.
#[derive(Debug)]
pub(crate) struct Building {
    profile: Option<Profile>,
    anchors: HashMap<ServiceKind, Vec<Anchor>>,
    entities: usize,
    report: Report,
}

impl Building {
    pub(crate) fn new(profile: Option<Profile>) -> Self {
        Self {
            profile,
            anchors: HashMap::new(),
            entities: 0,
            report: Report::default(),
        }
    }

    pub(crate) fn add(&mut self, entity: &Entity) {
        let i = self.entities;
        self.entities += 1;
        let listed = Arc::new(ListedEntity::of(&entity.information));
        // The services of an entity often have one certificate: it is read once.
        let mut seen = Vec::new();
        for (j, service) in entity.services.iter().enumerate() {
            self.service((i, j), service, &listed, &mut seen);
        }
    }

    pub(crate) fn finish(self) -> Index {
        let kinds = self.anchors.into_iter().map(|(kind, mut anchors)| {
            anchors.shrink_to_fit();
            let certificates = AnchorIndex::new(anchors.iter().map(|a| a.certificate.clone()));
            (
                kind,
                Kind {
                    anchors,
                    certificates,
                },
            )
        });
        Index {
            kinds: kinds.collect(),
            findings: self.report.into_findings(),
        }
    }

    fn service<'e>(
        &mut self,
        at: (usize, usize),
        service: &'e Service,
        entity: &Arc<ListedEntity>,
        seen: &mut Vec<(&'e str, Certificate)>,
    ) {
        let path = || {
            format!(
                "/LoTE/TrustedEntitiesList/{}/TrustedEntityServices/{}",
                at.0, at.1
            )
        };
        let information = &service.information;
        let service_type = information.service_type_identifier.as_deref();
        let service_type = service_type.unwrap_or_default();
        let Some(kind) = self.profile.and_then(|p| p.service_kind(service_type)) else {
            let evidence = format!(
                "{} is of no known service",
                crate::report::show(service_type)
            );
            self.report.add(rules::SVC_TYPE.finding(path(), evidence));
            return;
        };
        let statuses = statuses(service);
        let name = information.service_name.first().map(Text::text);
        let name = name.unwrap_or_default();
        let identity = information.service_digital_identity.iter();
        for object in identity.flat_map(|identity| &identity.certificates) {
            let text = object.val.as_deref().unwrap_or_default();
            let known = seen.iter().find(|(known, _)| *known == text);
            let certificate = match known {
                Some((_, certificate)) => certificate.clone(),
                None => match cert::read(object) {
                    Read::Good(certificate) => {
                        seen.push((text, certificate.clone()));
                        certificate
                    }
                    Read::Sloppy(certificate, why) => {
                        self.report.add(rules::SVC_CERTIFICATE.finding(path(), why));
                        certificate
                    }
                    Read::Bad(why) => {
                        self.report.add(rules::SVC_CERTIFICATE.finding(path(), why));
                        continue;
                    }
                },
            };
            let is_ca = certificate.is_ca();
            if is_ca && matches!(self.profile, Some(Profile::Pid | Profile::Wallet)) {
                let evidence = format!(
                    "{} is a certification authority, which direct trust does not use",
                    certificate.subject()
                );
                self.report.add(rules::SVC_CA.finding(path(), evidence));
            }
            self.anchors.entry(kind).or_default().push(Anchor {
                certificate,
                is_ca,
                kind,
                entity: Arc::clone(entity),
                service_name: name.to_owned(),
                statuses: statuses.clone(),
            });
        }
    }
}

fn statuses(service: &Service) -> Vec<Status> {
    let current = (
        &service.information.service_status,
        &service.information.status_starting_time,
    );
    let earlier = service
        .history
        .iter()
        .map(|h| (&h.service_status, &h.status_starting_time));
    std::iter::once(current)
        .chain(earlier)
        .filter_map(|(uri, since)| {
            Some(Status {
                uri: uri.clone()?,
                since: since.as_deref().and_then(values::date_time_tolerant),
            })
        })
        .collect()
}
