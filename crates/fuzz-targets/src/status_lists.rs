use jose::cbor::{self, Limits as CborLimits};
use jose::cose::{self, Header};
use jose::{Signer, json};
use status_list::{
    Limits, Reference, StatusList, StatusListCheck, TokenFormat, UnverifiedStatusList,
};

use crate::now;
use crate::signed::{KEY, jwt, ready};

/// A status list token in both forms; the bytes as the claims of a token whose
/// signature verifies; as a list without a token; as a reference.
pub(crate) fn run(data: &[u8]) {
    token(data);
    if let Some(text) = jwt("statuslist+jwt", data) {
        token(text.as_bytes());
    }
    let header = Header {
        typ: Some(TokenFormat::Cwt.media_type()),
        ..Header::default()
    };
    if let Some(Ok(cwt)) = ready(cose::sign(header, data, &*KEY)) {
        token(&cwt);
    }
    let limits = limits();
    if let Ok(value) = cbor::parse(data, CborLimits::TOKEN) {
        let _ = StatusList::from_cbor(&value, &limits);
    }
    if let Ok(value) = json::parse(data, json::Limits::TOKEN) {
        let _ = StatusList::from_json(&value, &limits);
        let _ = Reference::from_status(&value, "status");
    }
}

fn token(bytes: &[u8]) {
    let Ok(token) = UnverifiedStatusList::parse(bytes, &limits()) else {
        return;
    };
    let uri = token.claimed_uri().unwrap_or_default();
    let check = StatusListCheck::new(&uri, KEY.public_key(), now());
    if let Ok(list) = token.verify(&check) {
        let last = list.list().len() - 1;
        let inside = list.status(&Reference::new(uri.as_str(), last));
        let outside = list.status(&Reference::new(uri.as_str(), last + 1));
        assert!(inside.is_ok() && outside.is_err(), "the bounds hold");
        assert!(list.list().as_bytes().len() <= limits().list_bytes);
    }
}

/// A small list, so that a bomb is met early.
fn limits() -> Limits {
    Limits {
        token_bytes: 256 * 1024,
        list_bytes: 1024 * 1024,
    }
}
