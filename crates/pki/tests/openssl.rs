//! A real OCSP responder, OpenSSL's, answers our requests: good, revoked, unknown.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use pki::ocsp::{CertIdHash, Nonce, ResponderId, status_by_ocsp};
use pki::revocation::Unknown;
use pki::{
    AlgorithmPolicy, Certificate, OcspAnswer, OcspFault, OcspPolicy, OcspRequest, OcspResponse,
    RevocationStatus, read_chain,
};
use x509_cert::ext::pkix::crl::CrlReason;

/// A CA of OpenSSL's, with its index, in a folder of the target folder.
struct Bed(PathBuf);

impl Bed {
    /// `None` where there is no OpenSSL.
    fn new(test: &str) -> Option<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        std::fs::create_dir_all(&folder).unwrap();
        let there = Command::new("openssl").arg("version").output();
        if !there.is_ok_and(|output| output.status.success()) {
            claviger_fixtures::skip(&format!("pki::{test}"), "openssl is not on this machine");
            return None;
        }
        let bed = Self(folder);
        bed.key_and(&["-x509", "-days", "30"], "ca");
        bed.issue("good", "10", "");
        bed.issue("revoked", "11", "");
        bed.issue("strange", "12", "");
        bed.issue(
            "responder",
            "13",
            "extendedKeyUsage=OCSPSigning\nkeyUsage=digitalSignature\nnoCheck=ignored\n",
        );
        let index = "V\t400101000000Z\t\t10\tunknown\t/CN=good\n\
                     R\t400101000000Z\t261101000000Z,keyCompromise\t11\tunknown\t/CN=revoked\n";
        std::fs::write(bed.0.join("index.txt"), index).unwrap();
        Some(bed)
    }

    fn run(&self, arguments: &[&str]) {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(&self.0)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments:?}: {said}");
    }

    fn key_and(&self, how: &[&str], name: &str) {
        let key = format!("{name}.key");
        let out = format!("{name}.pem");
        let subject = format!("/C=BE/O=Claviger Test/CN={name}");
        let curve = "ec_paramgen_curve:P-256";
        let common = [
            "req", "-newkey", "ec", "-pkeyopt", curve, "-nodes", "-keyout", &key, "-out", &out,
            "-subj", &subject,
        ];
        self.run(&[common.as_slice(), how].concat());
    }

    fn issue(&self, name: &str, serial: &str, extensions: &str) {
        self.key_and(&[], name);
        let out = format!("{name}.pem");
        let request = format!("{name}.csr");
        std::fs::rename(self.0.join(&out), self.0.join(&request)).unwrap();
        std::fs::write(self.0.join("extensions"), extensions).unwrap();
        let serial = format!("0x{serial}");
        self.run(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-days",
            "20",
            "-set_serial",
            &serial,
            "-extfile",
            "extensions",
            "-out",
            &out,
        ]);
    }

    fn certificate(&self, name: &str) -> Certificate {
        let pem = std::fs::read(self.0.join(format!("{name}.pem"))).unwrap();
        read_chain(&pem).unwrap().remove(0)
    }

    /// What OpenSSL answers about a certificate, signed by `signer`.
    fn ask(&self, name: &str, signer: &str, hash: CertIdHash, extra: &[&str]) -> OcspAnswer {
        let (certificate, ca) = (self.certificate(name), self.certificate("ca"));
        let nonce = Some(Nonce::random().unwrap());
        let request = OcspRequest::new(&certificate, &ca, hash, nonce).unwrap();
        std::fs::write(self.0.join("request.der"), &request.der).unwrap();
        let (pem, key) = (format!("{signer}.pem"), format!("{signer}.key"));
        let arguments = [
            "ocsp",
            "-index",
            "index.txt",
            "-CA",
            "ca.pem",
            "-rsigner",
            &pem,
            "-rkey",
            &key,
            "-reqin",
            "request.der",
            "-respout",
            "response.der",
            "-ndays",
            "1",
        ];
        self.run(&[arguments.as_slice(), extra].concat());
        let der = std::fs::read(self.0.join("response.der")).unwrap();
        OcspAnswer {
            response: OcspResponse::from_der(&der).expect("OpenSSL's response"),
            nonce,
        }
    }

    fn status(&self, name: &str, answer: &OcspAnswer) -> RevocationStatus {
        status_by_ocsp(
            &self.certificate(name),
            &self.certificate("ca"),
            answer,
            &[],
            answer.response.produced_at(),
            AlgorithmPolicy::AGREED,
            &OcspPolicy::default(),
        )
    }
}

#[test]
fn openssl_s_responder_answers() {
    let Some(bed) = Bed::new("openssl_s_responder_answers") else {
        return;
    };
    for hash in [CertIdHash::Sha1, CertIdHash::Sha256] {
        for signer in ["ca", "responder"] {
            let ask = |name| {
                let answer = bed.ask(name, signer, hash, &["-resp_key_id"]);
                assert!(!answer.lacks_nonce(), "the nonce is echoed");
                assert!(matches!(answer.response.responder(), ResponderId::Key(_)));
                bed.status(name, &answer)
            };
            assert_eq!(ask("good"), RevocationStatus::Good);
            assert_eq!(
                ask("revoked"),
                RevocationStatus::Revoked {
                    at: "2026-11-01T00:00:00Z".parse().unwrap(),
                    reason: CrlReason::KeyCompromise
                }
            );
            assert_eq!(
                ask("strange"),
                RevocationStatus::Unknown(Unknown::Ocsp(OcspFault::NotKnown))
            );
        }
    }
    // Replayed to another question, and about another certificate.
    let mut answer = bed.ask("good", "responder", CertIdHash::Sha1, &[]);
    assert_eq!(bed.status("good", &answer), RevocationStatus::Good);
    let fault = |fault| RevocationStatus::Unknown(Unknown::Ocsp(fault));
    assert_eq!(
        bed.status("revoked", &answer),
        fault(OcspFault::OtherCertificate)
    );
    answer.nonce = Some(Nonce::random().unwrap());
    assert_eq!(bed.status("good", &answer), fault(OcspFault::OtherNonce));
    // Signed by a certificate of the CA that is no responder's.
    let answer = bed.ask("good", "revoked", CertIdHash::Sha1, &[]);
    assert_eq!(
        bed.status("good", &answer),
        fault(OcspFault::OtherResponder)
    );
}
