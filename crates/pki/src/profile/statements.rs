//! What the QCStatements must say: TS 119 412-6, 4.5, 5.2 and 8.3.

use super::lint::Lint;
use super::purpose::Profile;
use crate::oid;
use crate::qc::QcStatements;
use crate::rules;

/// The QcType of a PID or wallet provider.
pub(super) fn provider_qc_type(lint: &mut Lint<'_>) {
    let (value, name, missing, place) = match lint.profile {
        Profile::Wallet => (
            oid::QCT_WAL,
            "id-etsi-qct-wal",
            &rules::WAL_QC_TYPE,
            &rules::WAL_QC_TYPE_PLACE,
        ),
        _ => (
            oid::QCT_PID,
            "id-etsi-qct-pid",
            &rules::PID_QC_TYPE,
            &rules::PID_QC_TYPE_PLACE,
        ),
    };
    let statements = readable(lint);
    if statements.find(value).is_some() {
        let evidence = format!(
            "{name} ({value}) stands as a statement of its own; it belongs inside the QcType statement {}",
            oid::QC_TYPE
        );
        lint.find(place, evidence);
    }
    let types = match statements.qc_types() {
        Ok(types) => types,
        Err(error) => {
            lint.find(&rules::QC_STATEMENTS, error.to_string());
            vec![]
        }
    };
    if statements.find(oid::QC_TYPE).is_none() {
        let evidence = format!("the QcType statement ({}) is missing", oid::QC_TYPE);
        lint.find(missing, evidence);
    } else if !types.contains(&value) {
        let seen: Vec<String> = types.iter().map(ToString::to_string).collect();
        let evidence = format!(
            "the QcType statement holds [{}], not {name} ({value})",
            seen.join(", ")
        );
        lint.find(missing, evidence);
    } else if lint.profile == Profile::Wallet && types.iter().any(|t| *t != value) {
        let seen: Vec<String> = types.iter().map(ToString::to_string).collect();
        lint.find(&rules::WAL_QC_TYPE_ONLY, seen.join(", "));
    }
}

/// The QcPSB statement of a public sector body.
pub(super) fn public_body(lint: &mut Lint<'_>) {
    let statements = readable(lint);
    let Some(body) = statements.psb() else {
        lint.find(&rules::PSB_STATEMENT, "no statement of QcPSB's shape");
        return;
    };
    lint.demand(
        !body.legislation.trim().is_empty(),
        &rules::PSB_LAW,
        "legislationIdentification is empty",
    );
    lint.demand(
        !body.source.trim().is_empty(),
        &rules::PSB_SOURCE,
        "authSourceIdentification is empty",
    );
    let country = &body.country;
    lint.demand(
        country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase()),
        &rules::PSB_COUNTRY,
        format!("{country:?}"),
    );
}

/// The statements, or none, with a finding where they cannot be read.
pub(super) fn readable(lint: &mut Lint<'_>) -> QcStatements {
    match lint.statements.clone() {
        Ok(statements) => statements.unwrap_or_default(),
        Err(error) => {
            lint.find(&rules::QC_STATEMENTS, error.to_string());
            QcStatements::default()
        }
    }
}
