//! Services (6.6, 6.7) and Tables D.3 to I.3.

use finding::Severity;
use jiff::Timestamp;
use jose::PublicKey;
use pki::Certificate;

use super::linter::{Identified, Linter};
use crate::cert::{self, Read};
use crate::critical::{KNOWN_SERVICE_EXTENSIONS, is_unknown_critical};
use crate::model::{
    EntityInformation, HistoryInstance, Service, ServiceIdentity, ServiceInformation, Text,
};
use crate::profile::{Presence, Profile, STATUS_NOTIFIED, STATUS_WITHDRAWN, ServiceKind};
use crate::report::show;
use crate::{rules, values};

impl Linter {
    pub(super) fn service(&mut self, path: &str, service: &Service, entity: &EntityInformation) {
        let information = &service.information;
        let at = format!("{path}/ServiceInformation");
        let kind = self.service_type(&at, information);
        self.texts(
            &format!("{at}/ServiceName"),
            &information.service_name,
            Some(&rules::SVC_NAME),
        );
        self.identity_of_service(&at, information, kind, entity);
        let started = self.status(&at, information);
        self.uris_of_service(&at, information);
        self.unique_id(&at, information, entity);
        self.history(path, service, started);
    }

    fn service_type(
        &mut self,
        path: &str,
        information: &ServiceInformation,
    ) -> Option<ServiceKind> {
        let path = format!("{path}/ServiceTypeIdentifier");
        let seen = information.service_type_identifier.as_deref();
        let Some(profile) = self.profile else {
            if let Some(seen) = seen {
                self.uri(&path, seen);
            }
            return None;
        };
        let kind = seen.and_then(|seen| profile.service_kind(seen));
        if kind.is_none() {
            let known: Vec<&str> = profile
                .table()
                .services
                .iter()
                .map(|(uri, _)| *uri)
                .collect();
            let seen = seen.map_or_else(|| "missing".to_owned(), show);
            let evidence = format!("{seen}; known are {}", known.join(" and "));
            self.by_annex(&rules::SVC_TYPE, 3, "6.6.1", path, evidence);
        }
        kind
    }

    fn identity_of_service(
        &mut self,
        path: &str,
        information: &ServiceInformation,
        kind: Option<ServiceKind>,
        entity: &EntityInformation,
    ) {
        let path = format!("{path}/ServiceDigitalIdentity");
        let Some(identity) = &information.service_digital_identity else {
            self.report
                .add(rules::SVC_IDENTITY.finding(path, "missing"));
            return;
        };
        let needed = self
            .profile
            .is_some_and(|p| !matches!(p, Profile::PubEaa | Profile::Mdl));
        if needed && identity.certificates.is_empty() {
            let evidence = "no X.509 certificate";
            self.by_annex(&rules::SVC_IDENTITY, 3, "6.6.3", path.clone(), evidence);
        }
        let pki = !identity.certificates.is_empty() || !identity.skis.is_empty();
        let other = !identity.public_keys.is_empty() || !identity.other_ids.is_empty();
        let named = other || !identity.subject_names.is_empty();
        if !needed && !pki && (!named || self.profile == Some(Profile::PubEaa)) {
            let evidence = match named {
                true => "neither a certificate nor a subject key identifier",
                false => "nothing by which the service is known",
            };
            self.report
                .add(rules::SVC_IDENTITY.finding(&path, evidence));
        }
        let certificates = self.certificates(&path, identity);
        self.keys_beside(&path, identity, &certificates);
        match self.profile {
            Some(Profile::Pid | Profile::Wallet | Profile::Registrars) => {
                for certificate in &certificates {
                    self.certified_identity(&path, certificate, entity);
                    self.end_entity(&path, certificate);
                }
            }
            Some(Profile::Access | Profile::Registration)
                if kind == Some(ServiceKind::Issuance) =>
            {
                for certificate in certificates.iter().filter(|c| !c.is_ca()) {
                    let evidence =
                        format!("{} is no certification authority", certificate.subject());
                    self.by_annex(&rules::SVC_NOT_CA, 3, "6.6.3", path.clone(), evidence);
                }
            }
            Some(Profile::PubEaa) => self.public_sector_identity(&path, &certificates, entity),
            _ => {}
        }
    }

    /// Reads the certificates of an identity; those that cannot be read are found.
    pub(super) fn certificates(
        &mut self,
        path: &str,
        identity: &ServiceIdentity,
    ) -> Vec<Certificate> {
        let mut certificates = Vec::new();
        for (i, object) in identity.certificates.iter().enumerate() {
            let path = format!("{path}/X509Certificates/{i}");
            match cert::read(object) {
                Read::Good(certificate) => certificates.push(certificate),
                Read::Sloppy(certificate, why) => {
                    self.report.add(rules::SVC_CERTIFICATE.finding(path, why));
                    certificates.push(certificate);
                }
                Read::Bad(why) => self.report.add(rules::SVC_CERTIFICATE.finding(path, why)),
            }
        }
        certificates
    }

    /// 6.6.3.3 and 6.6.3.4: keys and key identifiers agree with the certificates.
    fn keys_beside(
        &mut self,
        path: &str,
        identity: &ServiceIdentity,
        certificates: &[Certificate],
    ) {
        if certificates.is_empty() {
            return;
        }
        for (i, jwk) in identity.public_keys.iter().enumerate() {
            // Keys other than EC keys are not read here, and so not compared.
            let Ok(key) = PublicKey::from_jwk(jwk) else {
                continue;
            };
            let there = certificates.iter().any(|c| cert::has_key(c, &key));
            let path = format!("{path}/PublicKeyValues/{i}");
            self.report
                .demand(there, &rules::SVC_PUBLIC_KEY, &path, || {
                    "the key of no certificate beside it".to_owned()
                });
        }
        for (i, ski) in identity.skis.iter().enumerate() {
            let ski_bytes = jose::b64::decode_std(ski).unwrap_or_default();
            let there = certificates
                .iter()
                .any(|c| c.subject_key_id().is_none_or(|known| known == ski_bytes));
            let path = format!("{path}/X509SKIs/{i}");
            self.report.demand(there, &rules::SVC_SKI, &path, || {
                format!("{} is of no certificate beside it", show(ski))
            });
        }
    }

    /// Tables D.3, E.3, I.3: the certificate names the entity and its number.
    fn certified_identity(
        &mut self,
        path: &str,
        certificate: &Certificate,
        entity: &EntityInformation,
    ) {
        let names: Vec<&str> = entity.name.iter().map(Text::text).collect();
        let registrations = entity.trade_name.iter().map(Text::text);
        let registrations: Vec<&str> = registrations
            .filter(|text| values::is_registration_identifier(text))
            .collect();
        let missing = cert::missing_identity(certificate, &names, &registrations);
        if !missing.is_empty() {
            let evidence = format!("{}: {}", certificate.subject(), missing.join("; "));
            self.by_annex(&rules::SVC_SUBJECT, 3, "6.6.3", path, evidence);
        }
    }

    fn end_entity(&mut self, path: &str, certificate: &Certificate) {
        if certificate.is_ca() {
            let evidence = format!(
                "{} is a certification authority, which direct trust does not use",
                certificate.subject()
            );
            self.report.add(rules::SVC_CA.finding(path, evidence));
        }
    }

    /// Table H.3.
    fn public_sector_identity(
        &mut self,
        path: &str,
        certificates: &[Certificate],
        entity: &EntityInformation,
    ) {
        if let Some(first) = certificates.first() {
            if certificates
                .iter()
                .any(|c| c.spki_der() != first.spki_der())
            {
                let evidence = "certificates of more than one public key";
                self.report.add(rules::SVC_ONE_KEY.finding(path, evidence));
            }
            if certificates
                .iter()
                .any(|c| c.subject_der() != first.subject_der())
            {
                let evidence = "certificates of more than one subject";
                self.report
                    .add(rules::SVC_ONE_SUBJECT.finding(path, evidence));
            }
        }
        for certificate in certificates {
            let organizations = cert::organizations(certificate);
            let named = entity
                .name
                .iter()
                .any(|name| organizations.iter().any(|o| o == name.text()));
            self.report
                .demand(named, &rules::SVC_ORGANIZATION, path, || {
                    format!(
                        "{} has no organizationName that is a TEName",
                        certificate.subject()
                    )
                });
        }
    }

    fn status(&mut self, path: &str, information: &ServiceInformation) -> Option<Timestamp> {
        let status = information.service_status.as_deref();
        let started = information.status_starting_time.as_deref();
        let at = format!("{path}/ServiceStatus");
        match (self.table.map(|t| t.status), status) {
            (Some(Presence::Forbidden), Some(seen)) => {
                let evidence = format!("{}, and it shall not be used", show(seen));
                self.by_annex(&rules::SVC_STATUS, 3, "6.6.4", at, evidence);
            }
            (Some(Presence::Required), seen) => {
                let fits = matches!(seen, Some(STATUS_NOTIFIED | STATUS_WITHDRAWN));
                if !fits {
                    let seen = seen.map_or_else(|| "missing".to_owned(), show);
                    let evidence = format!("{seen}, neither notified nor withdrawn");
                    self.by_annex(&rules::SVC_STATUS, 3, "6.6.4", at, evidence);
                }
            }
            (_, Some(seen)) => self.uri(&at, seen),
            (_, None) if self.history_kept => {
                let evidence = "missing, and the list keeps history (6.6.0)";
                self.report.add(rules::SVC_STATUS.finding(at, evidence));
            }
            (_, None) => {}
        }
        let at = format!("{path}/StatusStartingTime");
        if started.is_none() && self.table.map(|t| t.status) == Some(Presence::Required) {
            let evidence = "missing, so that nothing is said of the past (6.6.0, note 3)";
            let rule = &rules::SVC_STATUS_TIME;
            let finding = rule.finding_as(Severity::Warning, at.clone(), evidence);
            self.report.add(finding);
        }
        let started = started?;
        if self.table.map(|t| t.status) == Some(Presence::Forbidden) {
            let evidence = format!("{}, and it shall not be used", show(started));
            self.by_annex(&rules::SVC_STATUS_TIME, 3, "6.6.5", at.clone(), evidence);
        }
        let started = self.date(&at, started)?;
        let late = self.issued.filter(|issued| started > *issued);
        if let Some(issued) =
            late.filter(|_| self.table.map(|t| t.status) == Some(Presence::Required))
        {
            let evidence = format!("{started} lies after the time of issue, {issued}");
            self.by_annex(&rules::SVC_STATUS_TIME, 3, "6.6.5", at, evidence);
        }
        Some(started)
    }

    fn uris_of_service(&mut self, path: &str, information: &ServiceInformation) {
        self.pointers(
            &format!("{path}/SchemeServiceDefinitionURI"),
            &information.scheme_service_definition_uri,
            None,
        );
        self.pointers(
            &format!("{path}/ServiceDefinitionURI"),
            &information.service_definition_uri,
            None,
        );
        let at = format!("{path}/ServiceSupplyPoints");
        let points = &information.service_supply_points;
        for (i, point) in points.iter().enumerate() {
            let uri = point.uri.as_deref().unwrap_or_default();
            self.uri(&format!("{at}/{i}/uriValue"), uri);
            if let Some(service_type) = &point.service_type {
                self.uri(&format!("{at}/{i}/ServiceType"), service_type);
            }
        }
        if self.profile == Some(Profile::Registrars) && points.is_empty() {
            let evidence = "missing";
            self.by_annex(&rules::SVC_SUPPLY_POINT, 3, "6.6.7", at, evidence);
        }
    }

    fn unique_id(
        &mut self,
        path: &str,
        information: &ServiceInformation,
        entity: &EntityInformation,
    ) {
        let path = format!("{path}/ServiceInformationExtensions");
        let extensions = &information.service_information_extensions;
        for (i, extension) in extensions.iter().enumerate() {
            if is_unknown_critical(extension, &KNOWN_SERVICE_EXTENSIONS) {
                let evidence = "critical, and not recognized here";
                let path = format!("{path}/{i}");
                self.report
                    .add(rules::CRITICAL_EXTENSION.finding(path, evidence));
            }
        }
        let id = extensions
            .iter()
            .find_map(|e| e.get("ServiceUniqueIdentifier"))
            .map(|id| id.as_str().unwrap_or_default());
        if let Some(id) = id {
            self.one_service(&path, id, information, entity);
        }
        if self.profile == Some(Profile::Wallet) {
            let evidence = match id {
                None => "no ServiceUniqueIdentifier".to_owned(),
                Some(id) if !values::is_uri(id) => format!("{} is not a URI", show(id)),
                Some(_) => return,
            };
            self.by_annex(&rules::SVC_UNIQUE_ID, 3, "6.6.9", path, evidence);
        }
    }

    /// 6.6.9.1: an identifier is of one service of one entity. That service may be
    /// listed for what it issues and for what it revokes.
    fn one_service(
        &mut self,
        path: &str,
        id: &str,
        information: &ServiceInformation,
        entity: &EntityInformation,
    ) {
        let first = |names: &[Text]| names.first().map(Text::text).unwrap_or_default().to_owned();
        let own = Identified {
            entity: first(&entity.name),
            service_type: information
                .service_type_identifier
                .clone()
                .unwrap_or_default(),
            name: first(&information.service_name),
        };
        let known = self.ids.entry(id.to_owned()).or_default();
        let other = known.iter().find(|known| {
            known.entity != own.entity
                || known.service_type == own.service_type && known.name != own.name
        });
        let evidence = other.map(|other| {
            let (service, entity) = (show(&other.name), show(&other.entity));
            format!("{} is that of {service} of {entity} too", show(id))
        });
        known.push(own);
        if let Some(evidence) = evidence {
            self.by_annex(&rules::SVC_ID_TWICE, 3, "6.6.9.1", path, evidence);
        }
    }

    fn history(&mut self, path: &str, service: &Service, started: Option<Timestamp>) {
        let path = format!("{path}/ServiceHistory");
        if !self.history_kept && !service.history.is_empty() {
            let evidence = "present, and the list keeps no history";
            self.report.add(rules::SVC_HISTORY.finding(&path, evidence));
        }
        let mut later = started;
        for (i, instance) in service.history.iter().enumerate() {
            let path = format!("{path}/{i}");
            let time = self.instance(&path, instance);
            if let (Some(time), Some(later)) = (time, later)
                && time >= later
            {
                let evidence = format!("{time} does not lie before {later}");
                self.report
                    .add(rules::HISTORY_ORDER.finding(&path, evidence));
            }
            later = time.or(later);
        }
    }

    fn instance(&mut self, path: &str, instance: &HistoryInstance) -> Option<Timestamp> {
        for (name, there) in [
            ("ServiceName", !instance.service_name.is_empty()),
            (
                "ServiceDigitalIdentity",
                instance.service_digital_identity.is_some(),
            ),
            ("ServiceStatus", instance.service_status.is_some()),
            (
                "StatusStartingTime",
                instance.status_starting_time.is_some(),
            ),
        ] {
            self.report
                .demand(there, &rules::HISTORY_INSTANCE, path, || {
                    format!("{name} is missing")
                });
        }
        if let Some(identity) = &instance.service_digital_identity {
            let at = format!("{path}/ServiceDigitalIdentity");
            self.certificates(&at, identity);
            if self.profile == Some(Profile::PubEaa) {
                let ski_alone = !identity.skis.is_empty() && identity.certificates.is_empty();
                self.report.demand(ski_alone, &rules::HISTORY_SKI, &at, || {
                    format!(
                        "{} X509SKIs and {} certificates",
                        identity.skis.len(),
                        identity.certificates.len()
                    )
                });
            }
        }
        self.texts(&format!("{path}/ServiceName"), &instance.service_name, None);
        let text = instance.status_starting_time.as_deref()?;
        self.date(&format!("{path}/StatusStartingTime"), text)
    }
}
