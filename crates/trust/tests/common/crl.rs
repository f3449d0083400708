//! CRLs, written out by hand.

use jose::Signer;
use pki::Certificate;

use super::{Party, at, issued};

/// A CA's list of revoked certificates, issued with the lists of these tests.
pub async fn crl(ca: &Party, revoked: &[&Certificate], next_update: &str) -> Vec<u8> {
    let algorithm = tlv(
        0x30,
        &tlv(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]),
    );
    let entries: Vec<u8> = revoked
        .iter()
        .flat_map(|c| tlv(0x30, &[tlv(2, c.serial_der()), time(issued())].concat()))
        .collect();
    let mut tbs = [
        tlv(2, &[1]),
        algorithm.clone(),
        ca.certificate.subject_der().to_vec(),
        time(issued()),
        time(at(next_update)),
    ]
    .concat();
    if !entries.is_empty() {
        tbs.extend(tlv(0x30, &entries));
    }
    let tbs = tlv(0x30, &tbs);
    let signature = jose::ecdsa_to_der(&ca.key.sign(&tbs).await.unwrap()).unwrap();
    let bits = tlv(3, &[&[0][..], &signature].concat());
    tlv(0x30, &[tbs, algorithm, bits].concat())
}

fn time(at: jiff::Timestamp) -> Vec<u8> {
    tlv(0x17, at.strftime("%y%m%d%H%M%SZ").to_string().as_bytes())
}

fn tlv(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match body.len() {
        n @ 0..128 => out.push(n as u8),
        n @ 128..256 => out.extend([0x81, n as u8]),
        n => out.extend([0x82, (n >> 8) as u8, n as u8]),
    }
    out.extend(body);
    out
}
