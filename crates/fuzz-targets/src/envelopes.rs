use jose::jwe::{self, ContentKey};
use jose::{Map, Signer, json, jws};
use r2ps::envelope::{SealedRequest, read_data};
use r2ps::service::{
    AgreeRequest, DestroyRequest, FactorRequest, GenerateRequest, ListRequest, SignRequest,
    StateRequest, StoreRequest,
};

use crate::now;
use crate::signed::{KEY, ready};

/// A message of the R2PS protocol as it arrives; the bytes as its decrypted
/// content; as the payload whose signature verified; as a service's `data`.
pub(crate) fn run(data: &[u8]) {
    let key = ContentKey::from([7; 32]);
    open(data, &key);
    open(&sealed(data, &key), &key);
    let mut header = Map::new();
    header.insert("typ".into(), "r2ps-request+jwt".into());
    header.insert("kid".into(), KEY.public_key().thumbprint_b64().into());
    if let Some(Ok(text)) = ready(jws::sign(header, data, &*KEY)) {
        open(&sealed(text.as_bytes(), &key), &key);
    }
    if let Ok(object) = json::parse_object(data, json::Limits::TOKEN) {
        let _ = read_data::<AgreeRequest>(object.clone());
        let _ = read_data::<DestroyRequest>(object.clone());
        let _ = read_data::<FactorRequest>(object.clone());
        let _ = read_data::<GenerateRequest>(object.clone());
        let _ = read_data::<ListRequest>(object.clone());
        let _ = read_data::<SignRequest>(object.clone());
        let _ = read_data::<StateRequest>(object.clone());
        let _ = read_data::<StoreRequest>(object);
    }
}

fn open(message: &[u8], key: &ContentKey) {
    if let Ok(request) = SealedRequest::parse(message)
        && let Ok(request) = request.open_in_session(key)
    {
        let _ = request.verify(KEY.public_key(), now());
    }
}

fn sealed(content: &[u8], key: &ContentKey) -> Vec<u8> {
    let mut header = Map::new();
    for (name, value) in [("typ", TYP_2FA), ("kid", "one"), ("cty", "JWT")] {
        header.insert(name.into(), value.into());
    }
    jwe::encrypt_direct(header, content, key).map_or_else(|_| Vec::new(), String::into_bytes)
}

const TYP_2FA: &str = "r2ps-2fa";
