//! The draft's own examples, read from the test vectors.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::HashSet;

use claviger_fixtures::{skip, vectors};
use jiff::{SignedDuration, Timestamp};
use jose::{PublicKey, cbor};
use serde_json::{Value, json};
use status_list::{
    Bits, CompressionEffort, Limits, RULES, Reference, Status, StatusList, StatusListCheck,
    StatusListToken, TokenFormat, UnverifiedStatusList, rules,
};

fn read(test: &str, file: &str) -> Option<String> {
    match vectors() {
        Some(folder) => {
            let path = folder.join("status-list").join(file);
            Some(std::fs::read_to_string(path).expect("the vector is there"))
        }
        None => {
            skip(test, "../shared/vectors is absent");
            None
        }
    }
}

/// The JSON object in an example; its long strings are wrapped for print.
fn example(text: &str) -> Value {
    let json: String = text[text.find('{').unwrap()..]
        .lines()
        .map(str::trim)
        .collect();
    serde_json::from_str(&json).unwrap()
}

fn list(value: &Value) -> StatusList {
    StatusList::from_json(value, &Limits::default()).unwrap()
}

/// Every entry that is not valid, as (index, status).
fn entries(list: &StatusList) -> Vec<(u64, u8)> {
    (0..list.len())
        .map(|i| (i, list.get(i).unwrap().0))
        .filter(|(_, status)| *status != 0)
        .collect()
}

fn assert_reads_back(original: &StatusList) {
    for effort in [CompressionEffort::Best, CompressionEffort::Quick] {
        assert_eq!(&list(&original.to_json(effort)), original);
    }
}

#[test]
fn the_short_example_of_one_bit() {
    let Some(text) = read(
        "the_short_example_of_one_bit",
        "status_list_encoding_json.md",
    ) else {
        return;
    };
    let list = list(&example(&text));
    assert_eq!(list.bits(), Bits::One);
    assert_eq!(list.as_bytes(), [0xb9, 0xa3]);
    let bits: Vec<u8> = (0..16).map(|i| list.get(i).unwrap().0).collect();
    assert_eq!(bits, [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]);
    assert_reads_back(&list);
}

#[test]
fn the_short_example_of_two_bits() {
    let Some(text) = read(
        "the_short_example_of_two_bits",
        "status_list_encoding2_json.md",
    ) else {
        return;
    };
    let list = list(&example(&text));
    assert_eq!(list.as_bytes(), [0xc9, 0x44, 0xf9]);
    let statuses: Vec<u8> = (0..12).map(|i| list.get(i).unwrap().0).collect();
    assert_eq!(statuses, [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]);
    assert_reads_back(&list);
}

#[test]
fn the_long_example_of_one_bit() {
    let Some(text) = read(
        "the_long_example_of_one_bit",
        "status_list_encoding1_long_json.md",
    ) else {
        return;
    };
    let list = list(&example(&text));
    assert_eq!(list.len(), 1 << 20);
    let set = [
        0, 1993, 25460, 159_495, 495_669, 554_353, 645_645, 723_232, 854_545, 934_534, 1_000_345,
    ];
    assert_eq!(entries(&list), set.map(|i| (i, 1)));
    assert_reads_back(&list);
}

#[test]
fn the_example_of_four_bits() {
    let Some(text) = read("the_example_of_four_bits", "status_list_encoding4_json.md") else {
        return;
    };
    let list = list(&example(&text));
    assert_eq!((list.bits(), list.len()), (Bits::Four, 1 << 20));
    let mut expected: Vec<(u64, u8)> = [
        0, 1993, 35460, 459_495, 595_669, 754_353, 845_645, 923_232, 924_445, 934_534, 1_004_534,
        1_000_345, 1_030_203, 1_030_204, 1_030_205,
    ]
    .into_iter()
    .zip(1..)
    .collect();
    expected.sort_unstable();
    assert_eq!(entries(&list), expected);
    assert_reads_back(&list);
}

#[test]
fn the_example_of_eight_bits() {
    let Some(text) = read("the_example_of_eight_bits", "status_list_encoding8_json.md") else {
        return;
    };
    let list = list(&example(&text));
    assert_eq!((list.bits(), list.len()), (Bits::Eight, 1 << 20));
    // Every status but 0 stands at one index.
    let entries = entries(&list);
    let statuses: HashSet<u8> = entries.iter().map(|(_, status)| *status).collect();
    assert_eq!((entries.len(), statuses.len()), (255, 255));
    for (index, status) in [
        (233_478, 0),
        (52_451, 1),
        (576_778, 2),
        (55_649, 14),
        (583_408, 19),
        (142_524, 235),
        (152_133, 254),
        (19_535, 255),
    ] {
        assert_eq!(list.get(index), Ok(Status(status)), "at {index}");
    }
    assert_reads_back(&list);
}

const URI: &str = "https://example.com/statuslists/1";

fn example_key() -> PublicKey {
    PublicKey::from_jwk(&json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "I3HWm_0Ds1dPMI-IWmf4mBmH-YaeAVbPVu7vB27CxXo",
        "y": "6N_d5Elj9bs1htgV3okJKIdbHEpkgTmAluYKJemzn1M"
    }))
    .unwrap()
}

#[test]
fn the_signed_example_verifies_under_the_drafts_key() {
    let Some(text) = read(
        "the_signed_example_verifies_under_the_drafts_key",
        "status_list_jwt_raw.md",
    ) else {
        return;
    };
    let token: String = text.split_whitespace().collect();
    let at: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
    let key = example_key();
    let verify = |uri: &str, at: Timestamp| {
        UnverifiedStatusList::parse(token.as_bytes(), &Limits::default())
            .unwrap()
            .verify(&StatusListCheck::new(uri, &key, at))
    };
    let verified = verify(URI, at).unwrap();
    assert_eq!(verified.issued().as_second(), 1_686_920_170);
    assert_eq!(verified.expires().unwrap().as_second(), 2_291_720_170);
    assert_eq!(verified.ttl().unwrap().as_secs(), 43_200);
    assert_eq!(verified.list().as_bytes(), [0xb9, 0xa3]);
    assert_eq!(
        verified.status(&Reference::new(URI, 0)),
        Ok(Status::INVALID)
    );
    assert_eq!(verified.status(&Reference::new(URI, 1)), Ok(Status::VALID));
    let refusal = verified.status(&Reference::new(URI, 16)).unwrap_err();
    assert!(refusal.names(&rules::INDEX));

    let late: Timestamp = "2042-08-16T00:00:00Z".parse().unwrap();
    assert!(verify(URI, late).unwrap_err().names(&rules::EXPIRED));
    let other = "https://example.com/statuslists/2";
    assert!(verify(other, at).unwrap_err().names(&rules::SUB));
}

/// The bytes of an example in hex, which is wrapped for print.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|d| (d[0] * 16 + d[1]) as u8).collect()
}

#[test]
fn the_cbor_examples_hold_what_the_json_ones_do() {
    for (cbor, json) in [
        (
            "status_list_encoding1_long_cbor.md",
            "status_list_encoding1_long_json.md",
        ),
        (
            "status_list_encoding4_cbor.md",
            "status_list_encoding4_json.md",
        ),
        (
            "status_list_encoding8_cbor.md",
            "status_list_encoding8_json.md",
        ),
        (
            "status_list_encoding_cbor.md",
            "status_list_encoding_json.md",
        ),
        (
            "status_list_encoding2_cbor.md",
            "status_list_encoding2_json.md",
        ),
    ] {
        let test = "the_cbor_examples_hold_what_the_json_ones_do";
        let (Some(cbor), Some(json)) = (read(test, cbor), read(test, json)) else {
            return;
        };
        // The short ones say first what is encoded.
        let encoded = cbor.rsplit("encoded:").next().unwrap();
        let value = cbor::parse(&hex(encoded), cbor::Limits::TOKEN).unwrap();
        let list = StatusList::from_cbor(&value, &Limits::default()).unwrap();
        assert_eq!(list, self::list(&example(&json)));
        let again = list.to_cbor(CompressionEffort::Best);
        assert_eq!(StatusList::from_cbor(&again, &Limits::default()), Ok(list));
    }
}

#[test]
fn the_signed_cwt_example_verifies_under_the_drafts_key() {
    let test = "the_signed_cwt_example_verifies_under_the_drafts_key";
    let Some(text) = read(test, "status_list_cwt.md") else {
        return;
    };
    let token = hex(&text);
    let at: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
    let key = example_key();
    let parse = |bytes: &[u8]| UnverifiedStatusList::parse(bytes, &Limits::default());
    let verify = |bytes: &[u8], uri: &str, at: Timestamp| {
        parse(bytes)?.verify(&StatusListCheck::new(uri, &key, at))
    };
    let unverified = parse(&token).unwrap();
    assert_eq!(unverified.format(), TokenFormat::Cwt);
    assert_eq!(unverified.claimed_uri().as_deref(), Some(URI));
    let verified = verify(&token, URI, at).unwrap();
    assert_eq!(verified.issued().as_second(), 1_686_920_170);
    assert_eq!(verified.expires().unwrap().as_second(), 2_291_720_170);
    assert_eq!(verified.ttl().unwrap().as_secs(), 43_200);
    assert_eq!(verified.list().as_bytes(), [0xb9, 0xa3]);
    let status = verified.status(&Reference::new(URI, 0));
    assert_eq!(status, Ok(Status::INVALID));

    let late: Timestamp = "2042-08-16T00:00:00Z".parse().unwrap();
    let refusal = verify(&token, URI, late).unwrap_err();
    assert!(refusal.names(&rules::EXPIRED));
    let refusal = verify(&token, "https://example.com/statuslists/2", at).unwrap_err();
    assert!(refusal.names(&rules::SUB));
    for place in 0..token.len() {
        let mut altered = token.clone();
        altered[place] ^= 1;
        // The label and the text of the key identifier, which is not protected.
        let kid = [37, 39, 40].contains(&place);
        assert_eq!(verify(&altered, URI, at).is_ok(), kid, "byte {place}");
    }
}

/// What the draft prints beside its examples is what they hold, and what we write from
/// the same list says the same in both forms.
#[tokio::test]
async fn our_tokens_say_what_the_drafts_examples_say() {
    let test = "our_tokens_say_what_the_drafts_examples_say";
    let files = [
        "status_list_jwt.md",
        "status_list_jwt_raw.md",
        "status_list_cwt.md",
    ];
    let [Some(printed), Some(jwt), Some(cwt)] = files.map(|file| read(test, file)) else {
        return;
    };
    let (header, claims) = printed.split_once("}\n.\n").unwrap();
    let (header, printed) = (example(&format!("{header}}}")), example(claims));
    let jwt: String = jwt.split_whitespace().collect();
    let jwt = jose::jws::parse(&jwt, 1 << 20).unwrap();
    assert_eq!(header["typ"], jwt.typ().unwrap());
    let mut signed = jwt.claims().unwrap();
    // The draft dropped it from what it prints, and left it in what it signed.
    signed.remove("iss");
    assert_eq!(Value::Object(signed.clone()), printed);

    let time = |claim: &str| Timestamp::from_second(printed[claim].as_i64().unwrap()).unwrap();
    let mut token = StatusListToken::new(URI, time("iat"), list(&printed["status_list"]));
    token.expires = Some(time("exp"));
    token.ttl = Some(SignedDuration::from_secs(printed["ttl"].as_i64().unwrap()));
    let key = claviger_fixtures::TestKey::generate(jose::Curve::P256);
    let ours = token.sign(&[], &key).await.unwrap();
    let ours = jose::jws::parse(&ours, 1 << 20).unwrap();
    assert_eq!(ours.claims().unwrap(), signed);

    let ours = token.sign_cwt(&[], &key).await.unwrap();
    let claims = |bytes: &[u8]| {
        let claims = jose::cose::parse(bytes, 1 << 20).unwrap().claims().unwrap();
        let mut entries = claims.into_map().unwrap();
        entries.sort_by_key(|(key, _)| i64::try_from(key.as_integer().unwrap()).unwrap());
        entries
    };
    assert_eq!(claims(&ours), claims(&hex(&cwt)));
}

#[test]
fn every_rule_has_its_own_id() {
    let ids: HashSet<_> = RULES.iter().map(|r| r.id).collect();
    assert_eq!(ids.len(), RULES.len());
}
