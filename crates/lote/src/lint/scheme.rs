//! `ListAndSchemeInformation` (6.3) and Tables D.1 to I.1.

use finding::Rule;

use super::linter::Linter;
use crate::critical::{criticality, is_unknown_critical};
use crate::model::{LegalNotice, Pointer, Qualifier, SchemeInformation};
use crate::profile::Presence;
use crate::report::show;
use crate::values::SKEW;
use crate::{rules, values};

const SCHEME: &str = "/LoTE/ListAndSchemeInformation";

impl Linter {
    pub(super) fn scheme(&mut self, scheme: &SchemeInformation) {
        self.identity(scheme);
        self.operator(scheme);
        self.profile_uris(scheme);
        self.policy(scheme);
        self.history_period(scheme);
        self.other_lists(scheme);
        self.times(scheme);
        for (i, point) in scheme.distribution_points.iter().enumerate() {
            self.uri(&format!("{SCHEME}/DistributionPoints/{i}"), point);
        }
        self.extensions(scheme);
    }

    fn identity(&mut self, scheme: &SchemeInformation) {
        let path = at("LoTEVersionIdentifier");
        if scheme.version != Some(1) {
            let seen = seen_number(scheme.version);
            self.by_annex(&rules::VERSION, 1, "6.3.1", path, seen);
        }
        let path = at("LoTESequenceNumber");
        let starts_at_one = scheme.sequence.is_some_and(|n| n >= 1);
        self.report
            .demand(starts_at_one, &rules::SEQUENCE, &path, || {
                seen_number(scheme.sequence)
            });
        let path = at("LoTEType");
        match (scheme.lote_type.as_deref(), self.profile) {
            (None, _) => self.report.add(rules::TYPE.finding(path, "missing")),
            (Some(seen), Some(profile)) => {
                if seen != profile.lote_type() {
                    let evidence = format!("{}, not {}", show(seen), profile.lote_type());
                    self.by_annex(&rules::TYPE, 1, "6.3.3", path, evidence);
                }
            }
            (Some(seen), None) => {
                self.uri(&path, seen);
                let evidence = format!("{} is of no known profile", show(seen));
                self.report.add(rules::PROFILE.finding(path, evidence));
            }
        }
    }

    fn operator(&mut self, scheme: &SchemeInformation) {
        self.texts(
            &at("SchemeOperatorName"),
            &scheme.scheme_operator_name,
            Some(&rules::OPERATOR_NAME),
        );
        let path = at("SchemeOperatorAddress");
        let rule = &rules::OPERATOR_ADDRESS;
        match &scheme.scheme_operator_address {
            None => self.report.add(rule.finding(&path, "missing")),
            Some(address) => {
                let postal = format!("{path}/SchemeOperatorPostalAddress");
                self.postal(&postal, &address.postal, rule);
                let electronic = format!("{path}/SchemeOperatorElectronicAddress");
                self.electronic(&electronic, &address.electronic, rule);
            }
        }
        let path = at("SchemeName");
        self.texts(&path, &scheme.scheme_name, Some(&rules::SCHEME_NAME));
        let territory = scheme.scheme_territory.as_deref().unwrap_or_default();
        for (i, name) in scheme.scheme_name.iter().enumerate() {
            let named = name
                .text()
                .split_once(':')
                .is_some_and(|(cc, rest)| cc == territory && !rest.trim().is_empty());
            self.report
                .demand(named, &rules::SCHEME_NAME, &format!("{path}/{i}"), || {
                    format!("{} is not of the form {territory}:name", show(name.text()))
                });
        }
    }

    fn profile_uris(&mut self, scheme: &SchemeInformation) {
        let path = at("SchemeInformationURI");
        let uris = &scheme.scheme_information_uri;
        self.pointers(&path, uris, Some(&rules::INFORMATION_URI));
        let archive = self.table.is_some_and(|t| t.archive);
        let mut distinct: Vec<&str> = uris.iter().map(|u| u.uri()).collect();
        distinct.sort_unstable();
        distinct.dedup();
        if archive && distinct.len() == 1 {
            let evidence = "one URI, and both information on the list and its earlier instances are to be found";
            self.by_annex(&rules::INFORMATION_URI, 1, "6.3.7", path, evidence);
        }

        let path = at("StatusDeterminationApproach");
        let known = self.table.map(|t| t.status_determination);
        match scheme.status_determination_approach.as_deref() {
            None => self.required(&rules::STATUS_DETERMINATION, &path),
            Some(seen) => {
                self.uri(&path, seen);
                if let Some(known) = known.filter(|known| !known.contains(&seen)) {
                    let evidence = format!("{}, not {}", show(seen), known.join(" or "));
                    self.by_annex(&rules::STATUS_DETERMINATION, 1, "6.3.8", path, evidence);
                }
            }
        }

        let path = at("SchemeTypeCommunityRules");
        let rules_uris = &scheme.scheme_type_community_rules;
        self.pointers(&path, rules_uris, Some(&rules::COMMUNITY_RULES));
        if let Some(table) = self.table {
            for (i, seen) in rules_uris.iter().enumerate() {
                if seen.uri() != table.community_rules {
                    let evidence = format!("{}, not {}", show(seen.uri()), table.community_rules);
                    let path = format!("{path}/{i}");
                    self.by_annex(&rules::COMMUNITY_RULES, 1, "6.3.9", path, evidence);
                }
            }
        }

        let path = at("SchemeTerritory");
        match scheme.scheme_territory.as_deref() {
            None => self.required(&rules::TERRITORY, &path),
            Some(seen) => {
                self.report
                    .demand(values::is_territory(seen), &rules::COUNTRY, &path, || {
                        format!("{} is not a territory", show(seen))
                    });
                if self.table.is_some_and(|t| t.annex.is_some()) && seen != "EU" {
                    let evidence = format!("{}, not EU", show(seen));
                    self.by_annex(&rules::TERRITORY, 1, "6.3.10", path, evidence);
                }
            }
        }
    }

    fn policy(&mut self, scheme: &SchemeInformation) {
        let path = at("PolicyOrLegalNotice");
        let notices = &scheme.policy_or_legal_notice;
        if notices.is_empty() {
            return self.required(&rules::POLICY, &path);
        }
        let policies = notices.iter().filter(|n| n.policy.is_some()).count();
        let texts = notices.iter().filter(|n| n.notice.is_some()).count();
        let one_kind =
            (policies == notices.len() && texts == 0) || (texts == notices.len() && policies == 0);
        self.report
            .demand(one_kind, &rules::POLICY_FORM, &path, || {
                format!(
                    "{policies} LoTEPolicy and {texts} LoTELegalNotice in {} elements",
                    notices.len()
                )
            });
        let uris: Vec<_> = notices.iter().filter_map(|n| n.policy.clone()).collect();
        self.pointers(&path, &uris, None);
        for (i, notice) in notices.iter().enumerate() {
            let path = format!("{path}/{i}/LoTELegalNotice");
            match &notice.notice {
                Some(LegalNotice::Plain(text)) => self.text(&path, Some(text)),
                Some(LegalNotice::Multilingual(text)) => {
                    self.texts(&path, std::slice::from_ref(text), None);
                }
                None => {}
            }
        }
    }

    fn history_period(&mut self, scheme: &SchemeInformation) {
        let path = at("HistoricalInformationPeriod");
        let period = scheme.historical_information_period;
        match (self.table.map(|t| t.history), period) {
            (Some(Presence::Forbidden), Some(seen)) => {
                let evidence = format!("{seen}, and it shall not be present");
                self.by_annex(&rules::HISTORY_PERIOD, 1, "6.3.12", path, evidence);
            }
            (Some(Presence::Required), seen) if seen != Some(65_535) => {
                let evidence = format!("{}, not 65535", seen_number(seen));
                self.by_annex(&rules::HISTORY_PERIOD, 1, "6.3.12", path, evidence);
            }
            (_, Some(seen)) if seen < 0 => {
                self.report
                    .add(rules::HISTORY_PERIOD.finding(path, format!("{seen} is negative")));
            }
            _ => {}
        }
    }

    fn other_lists(&mut self, scheme: &SchemeInformation) {
        let path = at("PointersToOtherLoTE");
        if !scheme.pointer_to_other_lote.is_empty() {
            let evidence = "the pointers stand in PointerToOtherLoTE";
            self.report
                .add(rules::POINTER_SPELLING.finding(at("PointerToOtherLoTE"), evidence));
        }
        for (i, pointer) in scheme.pointers().enumerate() {
            self.pointer(&format!("{path}/{i}"), pointer);
        }
        let count = scheme.pointers().count();
        match self.table.map(|t| t.pointers) {
            Some(Presence::Forbidden) if count > 0 => {
                let evidence = format!("{count} pointers, and the component shall not be present");
                self.by_annex(&rules::POINTERS, 1, "6.3.13", path, evidence);
            }
            Some(Presence::Required) if !scheme.pointers().any(|p| is_here(p, scheme)) => {
                let evidence = format!("none of {count} pointers is to the list itself");
                self.by_annex(&rules::POINTERS, 1, "6.3.13", path, evidence);
            }
            _ => {}
        }
    }

    fn pointer(&mut self, path: &str, pointer: &Pointer) {
        let rule = &rules::POINTER_FORM;
        match pointer.location.as_deref() {
            Some(location) => self.uri(&format!("{path}/LoTELocation"), location),
            None => self
                .report
                .add(rule.finding(path, "LoTELocation is missing")),
        }
        if pointer.identities.is_empty() {
            let evidence = "ServiceDigitalIdentities is missing";
            self.report.add(rule.finding(path, evidence));
        }
        for (i, identity) in pointer.identities.iter().enumerate() {
            let path = format!("{path}/ServiceDigitalIdentities/{i}");
            self.certificates(&path, identity);
            // One of them has to authenticate the list that is pointed to.
            let known = !identity.certificates.is_empty()
                || !identity.skis.is_empty()
                || !identity.public_keys.is_empty();
            self.report
                .demand(known, rule, &path, || "no certificate or key".to_owned());
        }
        if pointer.qualifiers.is_empty() {
            self.report
                .add(rule.finding(path, "LoTEQualifiers is missing"));
        }
        for (i, qualifier) in pointer.qualifiers.iter().enumerate() {
            let path = format!("{path}/LoTEQualifiers/{i}");
            for (name, there) in [
                ("LoTEType", qualifier.lote_type.is_some()),
                (
                    "SchemeOperatorName",
                    !qualifier.scheme_operator_name.is_empty(),
                ),
                ("SchemeTerritory", qualifier.scheme_territory.is_some()),
                ("MimeType", qualifier.mime_type.is_some()),
            ] {
                self.report
                    .demand(there, rule, &path, || format!("{name} is missing"));
            }
            let names = format!("{path}/SchemeOperatorName");
            self.texts(&names, &qualifier.scheme_operator_name, None);
            let community = format!("{path}/SchemeTypeCommunityRules");
            self.pointers(&community, &qualifier.scheme_type_community_rules, None);
            if let Some(lote_type) = &qualifier.lote_type {
                self.uri(&format!("{path}/LoTEType"), lote_type);
            }
            if let Some(territory) = &qualifier.scheme_territory {
                let at = format!("{path}/SchemeTerritory");
                let fits = values::is_territory(territory);
                self.report.demand(fits, &rules::COUNTRY, &at, || {
                    format!("{} is not a territory", show(territory))
                });
            }
        }
    }

    fn times(&mut self, scheme: &SchemeInformation) {
        let path = at("ListIssueDateTime");
        match scheme.list_issue_date_time.as_deref() {
            None => self.report.add(rules::ISSUE_TIME.finding(path, "missing")),
            Some(text) => {
                self.issued = self.date(&path, text);
                let future = self
                    .issued
                    .filter(|issued| issued.duration_since(self.at) > SKEW);
                if let Some(issued) = future {
                    let evidence = format!("issued {issued}, which lies after {}", self.at);
                    self.report.add(rules::ISSUE_TIME.finding(path, evidence));
                }
            }
        }
        let path = at("NextUpdate");
        match &scheme.next_update {
            None => self
                .report
                .add(rules::NEXT_UPDATE_FORM.finding(path, "missing")),
            Some(None) => self
                .report
                .add(rules::CLOSED.finding(path, "null: the list is closed")),
            Some(Some(text)) => {
                if let Some(next) = self.date(&path, text) {
                    self.next_update(&path, next);
                }
            }
        }
    }

    fn next_update(&mut self, path: &str, next: jiff::Timestamp) {
        if next <= self.at {
            let evidence = format!("passed on {next}; judged at {}", self.at);
            self.report.add(rules::NEXT_UPDATE.finding(path, evidence));
        }
        let Some(issued) = self.issued else { return };
        if next <= issued {
            let evidence = format!("{next} is not after the time of issue, {issued}");
            self.report
                .add(rules::NEXT_UPDATE_FORM.finding(path, evidence));
        }
        let bounded = self.table.is_some_and(|t| t.six_months);
        let latest = values::six_months_after(issued).filter(|latest| bounded && next > *latest);
        if let Some(latest) = latest {
            let evidence = format!("{next} is later than {latest}, 6 months after the issue");
            self.by_annex(&rules::NEXT_UPDATE_SPAN, 1, "6.3.15", path, evidence);
        }
    }

    fn extensions(&mut self, scheme: &SchemeInformation) {
        for (i, extension) in scheme.scheme_extensions.iter().enumerate() {
            let path = format!("{SCHEME}/SchemeExtensions/{i}");
            let critical = criticality(extension);
            self.report.demand(
                critical.is_some(),
                &rules::EXTENSION_CRITICALITY,
                &path,
                || "no indication of criticality".to_owned(),
            );
            if is_unknown_critical(extension, &[]) {
                let evidence = "critical, and not recognized here";
                self.report
                    .add(rules::CRITICAL_EXTENSION.finding(path, evidence));
            }
        }
    }

    fn required(&mut self, rule: &Rule, path: &str) {
        self.report.add(rule.finding(
            path,
            "missing, and Table 1 requires it of an explicit scheme",
        ));
    }
}

/// Whether a pointer is meant for the list it stands in: of its type and, where the
/// list says where it is published, to one of these places. A territory or operator
/// that differs is told by the rules of those.
fn is_here(pointer: &Pointer, scheme: &SchemeInformation) -> bool {
    let own = |q: &Qualifier| q.lote_type.is_some() && q.lote_type == scheme.lote_type;
    let points = &scheme.distribution_points;
    let location = pointer.location.as_ref();
    pointer.qualifiers.iter().any(own)
        && (points.is_empty() || location.is_some_and(|location| points.contains(location)))
}

fn at(member: &str) -> String {
    format!("{SCHEME}/{member}")
}

fn seen_number(number: Option<i64>) -> String {
    match number {
        Some(n) => n.to_string(),
        None => "missing".to_owned(),
    }
}
