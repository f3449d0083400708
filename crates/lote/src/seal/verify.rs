//! Verifying a seal.

use finding::{Finding, Refusal, Severity};
use jiff::Timestamp;
use jose::jws::{self, Accept};
use jose::{Map, b64};
use pki::Certificate;
use serde_json::Value;

use super::header::{self, Header, MAX_BYTES, UNDERSTOOD};
use crate::index::Building;
use crate::model::{Entity, Pointer, Text, read_json};
use crate::report::{Report, show};
use crate::values::SKEW;
use crate::{Index, List, Profile, UncheckedList, cert, list, rules, stream};

/// How exactly a seal has to follow JAdES baseline B.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// To the letter.
    Strict,
    /// As published lists are: what is known from the wild is accepted and each
    /// deviation reported as a warning. A signature that does not verify, a wrong
    /// digest or an unknown critical header is refused here too.
    Interop,
}

/// Whose seals are accepted.
#[derive(Debug, Clone, Copy)]
pub enum Signers<'a> {
    /// These certificates, byte for byte.
    Pinned(&'a [Certificate]),
    /// Whoever sealed the list, which says nothing about who that is: for lists
    /// that reached us by a way that is trusted itself. In [`Mode::Interop`] even
    /// a list without a seal is taken. Both are reported.
    Anyone,
}

/// What seals are accepted, and how exactly.
#[derive(Debug, Clone, Copy)]
pub struct Verifier<'a> {
    /// Whose.
    pub signers: Signers<'a>,
    /// How exactly.
    pub mode: Mode,
}

/// A list whose seal verified.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedList {
    /// The list.
    pub list: List,
    /// Who sealed it; `None` only for an unsealed list under [`Signers::Anyone`].
    pub signer: Option<Certificate>,
    /// When the seal says it was made.
    pub sealed_at: Option<Timestamp>,
    /// What was found and did not stand in the way.
    pub findings: Vec<Finding>,
    /// SHA-256 over the list as it was received.
    pub sha256: [u8; 32],
}

impl Verifier<'_> {
    /// Verifies a sealed list and that it may be used at this time.
    ///
    /// # Errors
    /// As [`Verifier::authenticate`], and under [`rules::NEXT_UPDATE`] or
    /// [`rules::ISSUE_TIME`] when the list is not current.
    pub fn verify(&self, bytes: &[u8], at: Timestamp) -> Result<VerifiedList, Refusal> {
        let verified = self.authenticate(bytes, at)?;
        verified.list.current(at)?;
        Ok(verified)
    }

    /// Verifies a sealed list, whatever its age; [`List::current`] has to be asked
    /// before it is used.
    ///
    /// # Errors
    /// Refused under a `LOTE-SEAL-…` rule, or as [`List::check`] refuses.
    pub fn authenticate(&self, bytes: &[u8], at: Timestamp) -> Result<VerifiedList, Refusal> {
        if bytes.len() > MAX_BYTES {
            let evidence = format!("{} bytes, at most {MAX_BYTES} are read", bytes.len());
            return Err(Refusal::because(&rules::JSON, "list", evidence));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|e| Refusal::because(&rules::JSON, "list", format!("not UTF-8: {e}")))?
            .trim();
        let sha256 = jose::sha256(bytes);
        if looks_compact(text) {
            return self.compact(text, Vec::new(), sha256, at);
        }
        match self.mode {
            Mode::Strict => {
                let evidence = "not three parts in base64url with dots between them";
                Err(Refusal::because(&rules::SEAL_FORM, "seal", evidence))
            }
            Mode::Interop => self.beside(text.as_bytes(), sha256, at),
        }
    }

    /// Verifies a sealed list as [`Verifier::authenticate`] does, and indexes it on
    /// the way, entity by entity: a list of ten thousand never stands in memory as a
    /// whole. The list that comes back is [lean](List::is_lean).
    ///
    /// # Errors
    /// As [`Verifier::authenticate`].
    pub fn load(&self, bytes: &[u8], at: Timestamp) -> Result<(VerifiedList, Index), Refusal> {
        let whole = || {
            let verified = self.authenticate(bytes, at)?;
            let index = Index::of(&verified.list);
            Ok((verified, index))
        };
        let text = match std::str::from_utf8(bytes) {
            Ok(text) if bytes.len() <= MAX_BYTES && looks_compact(text.trim()) => text.trim(),
            _ => return whole(),
        };
        let opened = self.open(text, Vec::new(), at)?;
        let mut building = None;
        let mut report = Report::default();
        let mut kept = Vec::new();
        let mut lean = false;
        let mut each = |scheme: &Value, entity: Entity| {
            let building = building.get_or_insert_with(|| {
                let lote_type = scheme.get("LoTEType").and_then(Value::as_str);
                Building::new(lote_type.and_then(Profile::of_type))
            });
            building.add(&entity);
            list::entity_extensions(&entity, &mut report);
            if entity.has_status() {
                kept.push(entity);
            } else {
                lean = true;
            }
        };
        let Some(mut content) = stream::read(&opened.payload, &mut each) else {
            // Whatever is wrong with it is told by who reads it whole.
            return whole();
        };
        content.lote.entities = (!kept.is_empty()).then_some(kept);
        let sha256 = jose::sha256(bytes);
        let index = building.map_or_else(Index::default, Building::finish);
        Ok((opened.close(content, report, lean, sha256)?, index))
    }

    fn compact(
        &self,
        text: &str,
        found: Vec<Finding>,
        sha256: [u8; 32],
        at: Timestamp,
    ) -> Result<VerifiedList, Refusal> {
        let opened = self.open(text, found, at)?;
        let content = UncheckedList::from_value(read_json(&opened.payload)?)?;
        let mut report = Report::default();
        for entity in content.entities() {
            list::entity_extensions(entity, &mut report);
        }
        opened.close(content, report, false, sha256)
    }

    /// Verifies a seal. Nothing of the payload is looked at before it holds.
    fn open(&self, text: &str, found: Vec<Finding>, at: Timestamp) -> Result<Opened, Refusal> {
        let accept = Accept {
            max_bytes: MAX_BYTES,
            understood: &UNDERSTOOD,
        };
        let seal = jws::parse_accepting(text, accept).map_err(|e| header::refusal_of(&e))?;
        let Header {
            chain,
            time,
            deviations,
            defects,
        } = header::judge(&seal);
        let mut report = Report::default();
        report.extend(found);
        report.extend(defects);
        report.extend(deviations.into_iter().map(|d| self.weigh(d)));

        let signer = self.signer(&chain, seal.header(), &mut report)?;
        let key = cert::public_key(&signer)
            .map_err(|why| Refusal::because(&rules::SEAL_CERTIFICATE, signer.subject(), why))?;
        let seal = seal.verify(&key).map_err(|e| header::refusal_of(&e))?;
        self.times(&signer, time, at, &mut report);
        Ok(Opened {
            payload: seal.into_payload(),
            signer,
            time,
            report,
        })
    }

    /// A list as plain JSON, with its signature beside it or with none.
    fn beside(
        &self,
        bytes: &[u8],
        sha256: [u8; 32],
        at: Timestamp,
    ) -> Result<VerifiedList, Refusal> {
        let value = read_json(bytes)?;
        if let Some(text) = compact_of_embedded(&value) {
            let evidence = "a JWS beside the list, over the list with its members sorted";
            let found = rules::SEAL_FORM.finding_as(Severity::Warning, "seal", evidence);
            return self.compact(&text, vec![found], sha256, at);
        }
        if matches!(self.signers, Signers::Pinned(_)) {
            return Err(Refusal::because(
                &rules::SEAL_FORM,
                "seal",
                "the list has no seal",
            ));
        }
        let (list, mut findings) = List::check(UncheckedList::from_value(value)?)?;
        let evidence = "the list has no seal; it is taken because its source was named as trusted";
        findings.push(rules::SEAL_FORM.finding_as(Severity::Warning, "seal", evidence));
        Ok(VerifiedList {
            list,
            signer: None,
            sealed_at: None,
            findings,
            sha256,
        })
    }

    /// The certificate the seal has to verify under.
    fn signer(
        &self,
        chain: &[Certificate],
        header: &Map,
        report: &mut Report,
    ) -> Result<Certificate, Refusal> {
        let rule = &rules::SEAL_SIGNER;
        match (self.signers, chain.first()) {
            (Signers::Pinned(pinned), Some(leaf)) => {
                if pinned.iter().any(|p| p.der() == leaf.der()) {
                    return Ok(leaf.clone());
                }
                let twin = pinned.iter().any(|p| p.subject_der() == leaf.subject_der());
                let evidence = if twin {
                    "its subject is that of an announced signer, and it is another certificate"
                } else {
                    "it is none of the announced signers"
                };
                Err(Refusal::because(rule, leaf.subject(), evidence))
            }
            (Signers::Pinned(pinned), None) => pinned
                .iter()
                .find(|p| header::matches_digest(header, p))
                .or(match pinned {
                    [only] if !header.contains_key("x5t#S256") => Some(only),
                    _ => None,
                })
                .cloned()
                .ok_or_else(|| {
                    Refusal::because(
                        rule,
                        "seal",
                        "no x5c, and x5t#S256 is of no announced signer",
                    )
                }),
            (Signers::Anyone, Some(leaf)) => {
                let evidence =
                    "the signer is not pinned; the seal shows only that the list was not altered";
                report.add(rule.finding_as(Severity::Warning, leaf.subject(), evidence));
                Ok(leaf.clone())
            }
            (Signers::Anyone, None) => Err(Refusal::because(
                &rules::SEAL_CERTIFICATE,
                "seal",
                "no x5c, and no signer is pinned",
            )),
        }
    }

    fn times(
        &self,
        signer: &Certificate,
        sealed: Option<Timestamp>,
        at: Timestamp,
        report: &mut Report,
    ) {
        let rule = &rules::SEAL_VALIDITY;
        if let Some(sealed) = sealed {
            if !cert::is_valid(signer, sealed) {
                let evidence = format!("not valid when the seal says it was made, {sealed}");
                report.add(rule.finding(signer.subject(), evidence));
            }
            if sealed.duration_since(at) > SKEW {
                let evidence = format!("sealed {sealed}, which lies after {at}");
                report.add(rules::SEAL_TIME.finding("seal", evidence));
            }
        }
        // Baseline B proves no time, so a certificate that has run out proves none.
        if !cert::is_valid(signer, at) {
            let evidence = format!("not valid at {at}");
            let finding = rule.finding(signer.subject(), evidence);
            report.add(self.weigh(finding));
        }
    }

    fn weigh(&self, mut finding: Finding) -> Finding {
        if self.mode == Mode::Interop {
            finding.severity = finding.severity.min(Severity::Warning);
        }
        finding
    }
}

/// A list whose seal verified, and what is to be told of the seal.
struct Opened {
    payload: Vec<u8>,
    signer: Certificate,
    time: Option<Timestamp>,
    report: Report,
}

impl Opened {
    /// The list, with what was found in its entities.
    fn close(
        self,
        content: UncheckedList,
        entities: Report,
        lean: bool,
        sha256: [u8; 32],
    ) -> Result<VerifiedList, Refusal> {
        let mut report = self.report;
        report.extend(operator_findings(&self.signer, &content));
        let (list, checked) = List::check_scheme(content, entities)?;
        report.extend(checked);
        Ok(VerifiedList {
            list: list.read_from(&self.payload, lean),
            signer: Some(self.signer),
            sealed_at: self.time,
            findings: Refusal::unless_clean(report.into_findings())?,
            sha256,
        })
    }
}

/// 6.8: the signer's subject is of the territory and the operator.
pub(super) fn operator_findings(signer: &Certificate, list: &UncheckedList) -> Vec<Finding> {
    let scheme = list.scheme();
    let mut findings = Vec::new();
    let territory = scheme.scheme_territory.as_deref().unwrap_or_default();
    let countries = cert::countries(signer);
    if !countries.iter().any(|c| c == territory) {
        let evidence = format!(
            "{} in the certificate, {} in the list",
            shown(&countries),
            show(territory)
        );
        findings.push(rules::SEAL_COUNTRY.finding(signer.subject(), evidence));
    }
    let organizations = cert::organizations(signer);
    let names: Vec<String> = scheme
        .scheme_operator_name
        .iter()
        .map(|name| Text::text(name).to_owned())
        .collect();
    if !organizations.iter().any(|o| names.contains(o)) {
        let evidence = format!(
            "{} in the certificate, {} in the list",
            shown(&organizations),
            shown(&names)
        );
        findings.push(rules::SEAL_ORGANIZATION.finding(signer.subject(), evidence));
    }
    findings
}

fn shown(values: &[String]) -> String {
    if values.is_empty() {
        return "nothing".to_owned();
    }
    let shown: Vec<String> = values.iter().take(5).map(|v| show(v)).collect();
    shown.join(", ")
}

/// Whether a text is meant as a compact JWS rather than as JSON.
pub(crate) fn looks_compact(text: &str) -> bool {
    !text.starts_with(['{', '[', '"']) && text.bytes().take(1_000_000).any(|b| b == b'.')
}

/// Judges the seal of a compact text for the lint: form, header, and that it
/// verifies under the certificate it carries. The payload comes back even when
/// the seal is broken, so that the rest can be judged too.
pub(crate) fn lint(
    text: &str,
    at: Timestamp,
) -> (Option<Vec<u8>>, Option<Certificate>, Vec<Finding>) {
    let accept = Accept {
        max_bytes: MAX_BYTES,
        understood: &UNDERSTOOD,
    };
    let seal = match jws::parse_accepting(text, accept) {
        Ok(seal) => seal,
        Err(error) => return (None, None, vec![header::refusal_of(&error)]),
    };
    let payload = seal.payload().to_vec();
    let Header {
        chain,
        time,
        deviations,
        defects,
    } = header::judge(&seal);
    let mut report = Report::default();
    report.extend(defects);
    report.extend(deviations);
    if let Some(signer) = chain.first() {
        match cert::public_key(signer) {
            Err(why) => report.add(rules::SEAL_CERTIFICATE.finding(signer.subject(), why)),
            Ok(key) => {
                if let Err(error) = seal.verify(&key) {
                    report.add(header::refusal_of(&error));
                }
            }
        }
        let strict = Verifier {
            signers: Signers::Anyone,
            mode: Mode::Strict,
        };
        strict.times(signer, time, at, &mut report);
        if let Ok(list) = read_json(&payload).and_then(UncheckedList::from_value) {
            report.extend(operator_findings(signer, &list));
            report.extend(announcement(signer, &list));
        }
    }
    let signer = chain.into_iter().next();
    (Some(payload), signer, report.into_findings())
}

/// 6.3.13: a list that points to itself names its signer there.
fn announcement(signer: &Certificate, list: &UncheckedList) -> Option<Finding> {
    let mut announced = list.scheme().own_pointers().peekable();
    announced.peek()?;
    let named = announced
        .flat_map(Pointer::certificates)
        .any(|c| c.der() == signer.der());
    let evidence = format!(
        "SHA-256 {}, which sealed the list, is not there",
        signer.sha256_hex()
    );
    let place = "/LoTE/ListAndSchemeInformation/PointersToOtherLoTE";
    (!named).then(|| rules::POINTER_SIGNER.finding(place, evidence))
}

/// What the lint says of a signature that stands beside the list.
pub(crate) fn lint_dn_of_embedded(list: &UncheckedList) -> Vec<Finding> {
    let Ok(value) = serde_json::to_value(list) else {
        return Vec::new();
    };
    let accept = Accept {
        max_bytes: MAX_BYTES,
        understood: &UNDERSTOOD,
    };
    let Some(text) = compact_of_embedded(&value) else {
        return Vec::new();
    };
    let seal = match jws::parse_accepting(&text, accept) {
        Ok(seal) => seal,
        Err(error) => return vec![header::refusal_of(&error)],
    };
    let Header {
        chain,
        deviations,
        mut defects,
        ..
    } = header::judge(&seal);
    defects.extend(deviations);
    if let Some(signer) = chain.first() {
        defects.extend(operator_findings(signer, list));
        let verified = cert::public_key(signer).is_ok_and(|key| seal.verify(&key).is_ok());
        if !verified {
            let evidence = "it does not verify over the list with its members sorted";
            defects.push(rules::SEAL_SIGNATURE.finding("/signature", evidence));
        }
    }
    defects
}

/// The compact form of `{"LoTE": …, "signature": {"protected", "signature"}}`, as
/// published lists have it: the signature is over the list without the member
/// `signature`, the members of every object sorted, no white space.
fn compact_of_embedded(value: &Value) -> Option<String> {
    let signature = value.get("signature")?;
    let protected = signature.get("protected")?.as_str()?;
    let over = signature.get("signature")?.as_str()?;
    let mut list = value.as_object()?.clone();
    list.remove("signature");
    let payload = sorted(Value::Object(list)).to_string();
    Some(format!("{protected}.{}.{over}", b64::encode(payload)))
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut members: Vec<(String, Value)> = object.into_iter().collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(members.into_iter().map(|(k, v)| (k, sorted(v))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
