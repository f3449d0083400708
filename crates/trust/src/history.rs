//! What a list that keeps its history (TS 119 602, Annex H) says of keys in the
//! past. Its history holds subject key identifiers and no certificates.

use finding::Finding;
use jiff::Timestamp;
use lote::model::{HistoryInstance, Service};
use lote::{Anchor, Profile, ServiceKind};
use pki::Certificate;

use crate::rules;
use crate::snapshot::Held;
use crate::told::named;

/// Where the service of an anchor had other keys at a time than the anchor's: what
/// the list says of it then.
pub(crate) fn had_another_key(held: &Held, anchor: &Anchor, at: Timestamp) -> Option<String> {
    if !asks_the_past(held, at) {
        return None;
    }
    let mut services = services(held, anchor.kind).filter(|s| is_of(s, &anchor.certificate));
    // Of several services with this certificate one that had it then is enough.
    let other = services.try_fold(None, |_, service| {
        let keys = instance_at(service, at).map(keys);
        match keys {
            Some(keys) if !keys.is_empty() && !has_key(&keys, &anchor.certificate) => {
                Ok(Some(keys))
            }
            _ => Err(()),
        }
    });
    let keys = other.ok().flatten()?;
    Some(format!(
        "at {at} the service was known by other keys: {}",
        keys.join(", ")
    ))
}

/// Where a certificate is not listed now, and its key was a service's at that time:
/// the certificate itself is on the archived list alone.
pub(crate) fn key_then(
    held: &Held,
    kind: ServiceKind,
    certificate: &Certificate,
    at: Timestamp,
) -> Option<Finding> {
    if !asks_the_past(held, at) {
        return None;
    }
    let then = services(held, kind)
        .filter_map(|service| instance_at(service, at))
        .any(|instance| has_key(&keys(instance), certificate));
    let evidence = format!(
        "its key was a service's at {at}; the certificate itself would stand on the list archived then, not on {}",
        named(held)
    );
    then.then(|| rules::HISTORY_KEY.finding(certificate.subject(), evidence))
}

fn asks_the_past(held: &Held, at: Timestamp) -> bool {
    let list = &held.verified.list;
    list.profile() == Some(Profile::PubEaa) && at < list.issued()
}

fn services(held: &Held, kind: ServiceKind) -> impl Iterator<Item = &Service> {
    let entities = held.verified.list.content().entities().iter();
    entities.flat_map(|e| &e.services).filter(move |service| {
        let uri = service.information.service_type_identifier.as_deref();
        uri.and_then(|uri| Profile::PubEaa.service_kind(uri)) == Some(kind)
    })
}

/// The entry of a service's history that was in force, where it is not the current
/// one.
fn instance_at(service: &Service, at: Timestamp) -> Option<&HistoryInstance> {
    let since = |text: &Option<String>| text.as_deref().and_then(|t| t.parse::<Timestamp>().ok());
    let current = since(&service.information.status_starting_time);
    if current.is_none_or(|since| since <= at) {
        return None;
    }
    let started = |h: &&HistoryInstance| since(&h.status_starting_time).is_some_and(|s| s <= at);
    service
        .history
        .iter()
        .filter(started)
        .max_by_key(|h| since(&h.status_starting_time))
}

fn keys(instance: &HistoryInstance) -> Vec<String> {
    let identity = instance.service_digital_identity.as_ref();
    identity.map(|i| i.skis.clone()).unwrap_or_default()
}

fn has_key(keys: &[String], certificate: &Certificate) -> bool {
    let own = certificate.subject_key_id();
    let named = |key: &String| jose::b64::decode_std(key).ok();
    keys.iter().any(|key| own.is_some() && named(key) == own)
}

fn is_of(service: &Service, certificate: &Certificate) -> bool {
    let identity = service.information.service_digital_identity.iter();
    identity.flat_map(|i| &i.certificates).any(|object| {
        let val = object.val.as_deref().unwrap_or_default();
        jose::b64::decode_std(val).is_ok_and(|der| der == certificate.der())
    })
}
