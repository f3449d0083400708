//! Trusted entities (6.5) and Tables D.2 to I.2.

use serde_json::Value;

use super::linter::Linter;
use crate::critical::{KNOWN_ENTITY_EXTENSIONS, is_unknown_critical};
use crate::model::{Entity, EntityInformation, Text, TextUri};
use crate::profile::Profile;
use crate::report::show;
use crate::{rules, values};

impl Linter {
    pub(super) fn entity(&mut self, path: &str, entity: &Entity) {
        let information = &entity.information;
        let at = format!("{path}/TrustedEntityInformation");
        self.texts(
            &format!("{at}/TEName"),
            &information.name,
            Some(&rules::TE_NAME),
        );
        self.trade_name(&format!("{at}/TETradeName"), information);
        self.entity_address(&format!("{at}/TEAddress"), information);
        self.entity_uris(&at, information);
        for (i, extension) in information.extensions.iter().enumerate() {
            if is_unknown_critical(extension, &KNOWN_ENTITY_EXTENSIONS) {
                let path = format!("{at}/TEInformationExtensions/{i}");
                let evidence = "critical, and not recognized here";
                self.report
                    .add(rules::CRITICAL_EXTENSION.finding(path, evidence));
            }
        }
        for (i, extension) in information.extensions.iter().enumerate() {
            if let Some(bodies) = extension.get("OtherAssociatedBodies") {
                let path = format!("{at}/TEInformationExtensions/{i}/OtherAssociatedBodies");
                self.associated_bodies(&path, bodies, information);
            }
        }
        let services = format!("{path}/TrustedEntityServices");
        if entity.services.is_empty() {
            self.report
                .add(rules::TE_SERVICES.finding(&services, "no service"));
        }
        for (i, service) in entity.services.iter().enumerate() {
            self.service(&format!("{services}/{i}"), service, information);
        }
    }

    /// 6.5.5.1: bodies other than the entity itself, each with a name.
    fn associated_bodies(&mut self, path: &str, bodies: &Value, of: &EntityInformation) {
        let rule = &rules::TE_ASSOCIATED_BODY;
        let bodies = match bodies {
            Value::Array(bodies) if !bodies.is_empty() => bodies,
            _ => {
                let evidence = "not a sequence of AssociatedBody elements";
                return self.report.add(rule.finding(path, evidence));
            }
        };
        for (i, body) in bodies.iter().enumerate() {
            let path = format!("{path}/{i}");
            // The schema wraps each body, the text of 6.5.5.1.0 does not.
            let body = body.get("AssociatedBody").unwrap_or(body);
            let names = body.get("AssociatedBodyName").cloned().unwrap_or_default();
            let names: Vec<Text> = serde_json::from_value(names).unwrap_or_default();
            if names.is_empty() {
                let evidence = "no AssociatedBodyName";
                self.report.add(rule.finding(path, evidence));
                continue;
            }
            self.texts(&format!("{path}/AssociatedBodyName"), &names, None);
            let same = names
                .iter()
                .find(|name| of.name.iter().any(|own| own.text() == name.text()));
            if let Some(name) = same {
                let evidence = format!("{} is the entity itself", show(name.text()));
                self.report.add(rule.finding(path, evidence));
            }
        }
    }

    fn trade_name(&mut self, path: &str, information: &EntityInformation) {
        self.texts(path, &information.trade_name, None);
        let Some(profile) = self.profile.filter(|p| *p != Profile::Mdl) else {
            return;
        };
        let names = &information.trade_name;
        let registered = names
            .iter()
            .any(|n| values::is_registration_identifier(n.text()));
        // Annex I asks for a registration number where there is one, in no form.
        if !registered && profile != Profile::Registrars {
            let evidence = match names.first() {
                Some(name) => format!("{} is not such as NTRDE-HRB12345", show(name.text())),
                None => "missing".to_owned(),
            };
            self.by_annex(&rules::TE_TRADE_NAME, 2, "6.5.2", path, evidence);
        }
        if profile == Profile::PubEaa && !names.iter().any(|n| is_law(n.text())) {
            let evidence = "no reference such as OJ:EU… or OJ:DE…";
            self.report.add(rules::TE_LAW.finding(path, evidence));
        }
    }

    fn entity_address(&mut self, path: &str, information: &EntityInformation) {
        let rule = &rules::TE_ADDRESS;
        let Some(address) = &information.address else {
            return self.report.add(rule.finding(path, "missing"));
        };
        self.postal(&format!("{path}/TEPostalAddress"), &address.postal, rule);
        let electronic = format!("{path}/TEElectronicAddress");
        self.electronic(&electronic, &address.electronic, rule);
        let phone = address.electronic.iter().any(|a| values::is_phone(a.uri()));
        if self.table.is_some_and(|t| t.annex.is_some()) && !phone {
            let evidence = "no tel: number";
            self.by_annex(&rules::TE_PHONE, 2, "6.5.3", electronic, evidence);
        }
    }

    fn entity_uris(&mut self, path: &str, information: &EntityInformation) {
        let at = format!("{path}/TEInformationURI");
        let uris = &information.information_uri;
        self.pointers(&at, uris, Some(&rules::TE_INFORMATION_URI));
        let Some(base) = self.table.and_then(|t| t.responsible) else {
            return;
        };
        let in_address = self.table.is_some_and(|t| t.responsible_in_address);
        let policies = uris
            .iter()
            .any(|u| values::is_web(u.uri()) && !u.uri().starts_with(base));
        if !policies && !uris.is_empty() {
            let evidence = "no web page with policies, terms and conditions";
            self.by_annex(&rules::TE_INFORMATION_URI, 2, "6.5.4", at.clone(), evidence);
        }
        let electronic: &[TextUri] = match &information.address {
            Some(address) => &address.electronic,
            None => &[],
        };
        let (place, clause, among): (String, &str, &[TextUri]) = if in_address {
            (format!("{path}/TEAddress"), "6.5.3", electronic)
        } else {
            (at, "6.5.4", uris)
        };
        let mut states = among.iter().filter_map(|u| u.uri().strip_prefix(base));
        match states.next() {
            None => {
                let evidence = format!("no URI {base}CC");
                self.by_annex(&rules::TE_RESPONSIBLE, 2, clause, place, evidence);
            }
            Some(state) if !values::is_iso_country(state) && !values::is_country(state) => {
                let evidence = format!("{} is not a Member State's code", show(state));
                self.by_annex(&rules::TE_RESPONSIBLE, 2, clause, place, evidence);
            }
            Some(_) => {}
        }
    }
}

/// `OJ:` and `EU` or a country's code, then what identifies the law (Table H.2).
fn is_law(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("OJ:") else {
        return false;
    };
    let (Some(state), Some(law)) = (rest.get(..2), rest.get(2..)) else {
        return false;
    };
    (state == "EU" || values::is_iso_country(state))
        && !law.trim_matches([':', '/', ' ']).is_empty()
}
