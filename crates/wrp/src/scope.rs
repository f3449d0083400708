//! Whether what is done stays inside what is registered.

use finding::Finding;

use crate::credential::{PathStep, Type};
use crate::show::show;
use crate::{
    Configuration, CredentialQuery, Entitlement, IssuerMetadata, Query, RegistrationCertificate,
    rules,
};

/// Whether a request asks for no more than is registered (ARF RPRC_21). Every
/// type that a query allows has to be registered, with every claim it asks for.
pub fn within_registration(query: &Query, registration: &RegistrationCertificate) -> Vec<Finding> {
    let Some(intended_use) = &registration.intended_use else {
        let evidence = "no service provider among its entitlements";
        return vec![rules::NO_INTENDED_USE.finding("entitlements", evidence)];
    };
    let mut findings = Findings::default();
    for asked in &query.credentials {
        let types = asked.types();
        if types.is_empty() {
            let evidence = format!("{} does not say which type of {}", asked.id, asked.format);
            findings.add(rules::SCOPE_CREDENTIAL.finding(subject(asked), evidence));
        }
        for of in &types {
            let mut registered = intended_use.credentials.iter();
            if !registered.any(|own| own.includes(&asked.format, of)) {
                let evidence = format!("{of} as {} is not registered", show(&asked.format));
                findings.add(rules::SCOPE_CREDENTIAL.finding(subject(asked), evidence));
                continue;
            }
            for finding in beyond(asked, of, &intended_use.credentials) {
                findings.add(finding);
            }
        }
    }
    findings.into_findings()
}

fn beyond(asked: &CredentialQuery, of: &Type, registered: &[crate::Credential]) -> Vec<Finding> {
    let registered = registered.iter();
    let claims: Vec<_> = registered
        .filter(|own| own.includes(&asked.format, of))
        .flat_map(|own| &own.claims)
        .collect();
    let mut findings = Vec::new();
    for claim in &asked.claims {
        let around = claims.iter().filter(|own| own.includes_path(&claim.path));
        let mut around = around.peekable();
        let shown = path(&claim.path);
        if around.peek().is_none() {
            let evidence = format!("{shown} of {of} is not registered");
            findings.push(rules::SCOPE_CLAIM.finding(subject(asked), evidence));
        } else if !around.any(|own| own.includes_values(&claim.values)) {
            let evidence = format!("{shown} of {of} is registered for other values");
            findings.push(rules::SCOPE_VALUES.finding(subject(asked), evidence));
        }
    }
    findings
}

/// Whether a provider offers no more than it is registered to issue (ARF ISSU_24a,
/// ISSU_24b, ISSU_34a, ISSU_34b): all that it offers, or the one configuration
/// that is wanted.
pub fn within_entitlements(
    metadata: &IssuerMetadata,
    registration: &RegistrationCertificate,
    wanted: Option<&str>,
) -> Vec<Finding> {
    let mut findings = Findings::default();
    let mut offered = metadata.configurations.iter();
    match wanted {
        None => offered.for_each(|one| provided(one, registration, &mut findings)),
        Some(id) => match offered.find(|one| one.id == id) {
            Some(one) => provided(one, registration, &mut findings),
            None => {
                let evidence = "it is not offered";
                findings.add(rules::PROVIDER_WANTED.finding(show(id), evidence));
            }
        },
    }
    findings.into_findings()
}

fn provided(
    offered: &Configuration,
    registration: &RegistrationCertificate,
    findings: &mut Findings,
) {
    let mut entitlements = registration.entitlements.iter();
    let (entitled, needed) = match offered.is_pid() {
        true => (
            entitlements.any(|e| *e == Entitlement::PidProvider),
            "PID_Provider",
        ),
        false => (
            entitlements.any(Entitlement::attests),
            "QEAA_Provider, PUB_EAA_Provider or Non_Q_EAA_Provider",
        ),
    };
    let subject = format!("credential_configurations_supported/{}", offered.id);
    if !entitled {
        let evidence = format!("{} needs the entitlement {needed}", offered.of);
        findings.add(rules::PROVIDER_ENTITLEMENT.finding(subject.as_str(), evidence));
    }
    let mut provides = registration.provides.iter();
    if !provides.any(|own| own.includes(&offered.format, &offered.of)) {
        let evidence = format!("{} as {} is not registered", offered.of, offered.format);
        findings.add(rules::PROVIDER_ATTESTATION.finding(subject, evidence));
    }
}

fn subject(asked: &CredentialQuery) -> String {
    format!("dcql_query/{}", asked.id)
}

fn path(steps: &[PathStep]) -> String {
    let steps: Vec<String> = steps.iter().map(PathStep::to_string).collect();
    let text = format!("[{}]", steps.join(", "));
    text.chars().take(200).collect()
}

/// Findings up to a bound: a hostile request could ask for thousands of claims.
#[derive(Default)]
struct Findings {
    findings: Vec<Finding>,
    more: usize,
}

impl Findings {
    fn add(&mut self, finding: Finding) {
        match self.findings.len() < MOST {
            true => self.findings.push(finding),
            false => self.more += 1,
        }
    }

    fn into_findings(mut self) -> Vec<Finding> {
        if let Some(last) = self.findings.last_mut().filter(|_| self.more > 0) {
            last.evidence
                .push_str(&format!("; {} more like it", self.more));
        }
        self.findings
    }
}

const MOST: usize = 100;
