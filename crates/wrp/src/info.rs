//! Registration certificates where they are carried: `verifier_info` and
//! `issuer_info`.

use finding::Finding;
use jose::{Map, b64};
use serde_json::Value;

use crate::show::show;
use crate::{StatementKind, rules};

/// What was found in `verifier_info` or `issuer_info`.
#[derive(Debug, Clone, Default)]
pub struct Attached {
    /// The registration certificates, as they are read by
    /// [`crate::UncheckedRegistration::parse`].
    pub registrations: Vec<Vec<u8>>,
    /// What is wrong with them there.
    pub findings: Vec<Finding>,
}

/// The registration certificates that a statement carries.
pub fn attached(kind: StatementKind, claims: &Map) -> Attached {
    let name = match kind {
        StatementKind::IssuerMetadata => "issuer_info",
        StatementKind::AuthorizationRequest => "verifier_info",
    };
    let mut attached = Attached::default();
    match claims.get(name) {
        None => {}
        Some(Value::Array(items)) if !items.is_empty() => {
            for item in items {
                if let Err(why) = attached.take(kind, name, item) {
                    attached.findings.push(rules::INFO_FORM.finding(name, why));
                }
            }
        }
        Some(_) => {
            let evidence = "not a non-empty array";
            attached
                .findings
                .push(rules::INFO_FORM.finding(name, evidence));
        }
    }
    let many = attached.registrations.len();
    if many > 1 {
        let finding = rules::INFO_MANY.finding(name, format!("{many} of them"));
        attached.findings.push(finding);
    }
    let broken = finding::has_errors(&attached.findings);
    if many == 0 && !broken {
        let evidence = "no registration certificate";
        attached
            .findings
            .push(rules::INFO_ABSENT.finding(name, evidence));
    }
    attached
}

impl Attached {
    fn take(&mut self, kind: StatementKind, name: &str, item: &Value) -> Result<(), String> {
        let format = item.get("format").and_then(Value::as_str);
        let format = format.ok_or("an element without format")?;
        let data = item.get("data").ok_or("an element without data")?;
        if format != "registration_cert" {
            return Ok(());
        }
        if item.get("credential_ids").is_some() {
            return Err("a registration_cert with credential_ids".to_owned());
        }
        let text = data
            .as_str()
            .ok_or("the data of a registration_cert is no text")?;
        let plain = text.contains('.');
        let decoded = match plain {
            true => text.as_bytes().to_vec(),
            false => b64::decode(text).map_err(|_| format!("{} is no base64url", show(text)))?,
        };
        // Issuers give the JWT as it is; verifiers are to encode it once more.
        if plain && kind == StatementKind::AuthorizationRequest {
            let evidence = "the JWT itself, not base64url of it";
            self.findings
                .push(rules::INFO_ENCODING.finding(name, evidence));
        }
        self.registrations.push(decoded);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn read(kind: StatementKind, info: Value) -> Attached {
        let name = match kind {
            StatementKind::IssuerMetadata => "issuer_info",
            StatementKind::AuthorizationRequest => "verifier_info",
        };
        attached(kind, json!({ name: info }).as_object().unwrap())
    }

    #[rstest]
    #[case(json!("a.b.c"), b"a.b.c", true)]
    #[case(json!(b64::encode("a.b.c")), b"a.b.c", false)]
    #[case(json!(b64::encode([0xd2, 0x84])), &[0xd2, 0x84], false)]
    fn either_form_is_found(#[case] data: Value, #[case] bytes: &[u8], #[case] plain: bool) {
        let info = json!([
            {"format": "registrar_dataset", "data": {}},
            {"format": "registration_cert", "data": data},
        ]);
        for kind in [
            StatementKind::IssuerMetadata,
            StatementKind::AuthorizationRequest,
        ] {
            let attached = read(kind, info.clone());
            assert_eq!(attached.registrations, vec![bytes.to_vec()]);
            let told = plain && kind == StatementKind::AuthorizationRequest;
            let rules: Vec<_> = attached.findings.iter().map(|f| f.rule.as_ref()).collect();
            assert_eq!(
                rules,
                if told {
                    vec!["WRP-INFO-ENCODING"]
                } else {
                    vec![]
                }
            );
        }
    }

    #[rstest]
    #[case::no_array(json!({}), "WRP-INFO-FORM")]
    #[case::empty(json!([]), "WRP-INFO-FORM")]
    #[case::no_format(json!([{"data": "a.b.c"}]), "WRP-INFO-FORM")]
    #[case::no_data(json!([{"format": "registration_cert"}]), "WRP-INFO-FORM")]
    #[case::no_text(json!([{"format": "registration_cert", "data": {}}]), "WRP-INFO-FORM")]
    #[case::no_base64(json!([{"format": "registration_cert", "data": "a+/="}]), "WRP-INFO-FORM")]
    #[case::for_some(
        json!([{"format": "registration_cert", "data": "YQ", "credential_ids": ["a"]}]),
        "WRP-INFO-FORM"
    )]
    #[case::many(
        json!([{"format": "registration_cert", "data": "YQ"}, {"format": "registration_cert", "data": "Yg"}]),
        "WRP-INFO-MANY"
    )]
    #[case::none(json!([{"format": "registrar_dataset", "data": "a"}]), "WRP-INFO-ABSENT")]
    fn what_is_wrong_is_said(#[case] info: Value, #[case] rule: &str) {
        let attached = read(StatementKind::AuthorizationRequest, info);
        let rules: Vec<_> = attached.findings.iter().map(|f| f.rule.as_ref()).collect();
        assert_eq!(rules, vec![rule]);
    }
}
