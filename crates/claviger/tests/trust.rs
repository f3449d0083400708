//! `claviger trust check` against lists served over real HTTP, for every context;
//! and `trust bundle` and `trust replay`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use claviger_fixtures::TestKey;
use jiff::{SignedDuration, Timestamp};
use jose::{Curve, Signer};
use lote::{Draft, NewEntity, NewService, Operator, Postal, Publication};
use pki::{AltName, Certificate, Issuer, Request, Subject};
use rstest::rstest;
use serde_json::Value;
use support::{claviger_json, rules};
use trust::Context;

const OPERATOR: &str = "Example List Operator";
const ENTITY: &str = "Example Provider GmbH";
const REGISTRATION: &str = "NTRDE-HRB12345";

/// A web server over loopback that serves what it is given.
struct Web {
    base: String,
    files: Arc<Mutex<HashMap<String, Vec<u8>>>>,
}

impl Web {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let files: Arc<Mutex<HashMap<String, Vec<u8>>>> = Arc::default();
        let served = Arc::clone(&files);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let request = lines.next().unwrap().unwrap();
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                let path = request.split(' ').nth(1).unwrap().to_owned();
                let found = served.lock().unwrap().get(&path).cloned();
                let (status, body) = found.map_or((404, vec![]), |body| (200, body));
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
                );
                let _ = stream.write_all(&[head.as_bytes(), &body].concat());
            }
        });
        Self { base, files }
    }

    fn give(&self, path: &str, body: impl AsRef<[u8]>) -> String {
        let mut files = self.files.lock().unwrap();
        files.insert(path.to_owned(), body.as_ref().to_vec());
        format!("{}{path}", self.base)
    }
}

/// A key and its certificate.
struct Party {
    key: TestKey,
    certificate: Certificate,
}

/// The operator, a CA, leaves, lists and the folder they are written to.
struct Bed {
    runtime: tokio::runtime::Runtime,
    folder: tempfile::TempDir,
    web: Web,
    operator: Party,
    ca: Party,
}

impl Bed {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let operator = Subject::legal("EU", OPERATOR, "NTREU-1", "lists");
        let ca = Subject::legal("DE", "Example CA AG", "NTRDE-HRB1", "Example CA");
        let bed = Self {
            operator: runtime.block_on(itself(pki::Profile::ListOperator, operator)),
            ca: runtime.block_on(itself(pki::Profile::Ca, ca)),
            folder: tempfile::tempdir().unwrap(),
            web: Web::start(),
            runtime,
        };
        bed.write("operator.pem", &bed.operator.certificate);
        bed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, certificate: &Certificate) -> PathBuf {
        let path = self.path(name);
        let pem = pki::chain::to_pem(std::slice::from_ref(certificate));
        std::fs::write(&path, pem).unwrap();
        path
    }

    /// A leaf as its context asks for it, whose CRL this web server has.
    fn leaf(&self, context: Context) -> Certificate {
        let key = TestKey::generate(Curve::P256);
        let profile = context.leaf().unwrap_or(pki::Profile::StatusList);
        let subject = match context {
            Context::AccessCertificate => {
                Subject::legal("FR", "Relying Party SA", "NTRFR-123", "rp.example")
            }
            _ => Subject::legal("DE", ENTITY, REGISTRATION, "Example unit"),
        };
        let mut asked = request(profile, subject, &key);
        asked.crl_urls = vec![format!("{}/ca.crl", self.web.base)];
        asked.ca_issuers_urls = vec![self.web.give("/ca.cer", self.ca.certificate.der())];
        asked.alt_names = vec![AltName::Uri("https://rp.example/".into())];
        let issuer = Issuer::Ca {
            certificate: &self.ca.certificate,
            signer: &self.ca.key,
        };
        let draft = pki::Draft::new(&asked, issuer).unwrap();
        self.runtime.block_on(draft.sign(issuer)).unwrap()
    }

    /// The CA's CRL, on the web.
    fn crl(&self, revoked: &[&Certificate]) {
        let now = Timestamp::now();
        let hour = SignedDuration::from_hours(1);
        let entry = pki::crl::Entry {
            at: now - hour,
            reason: pki::crl::CrlReason::KeyCompromise,
        };
        let asked = pki::CrlRequest {
            number: 1,
            this_update: now - hour,
            next_update: now + hour,
            revoked: revoked
                .iter()
                .map(|c| (c.serial_der().to_vec(), entry))
                .collect(),
            scope: None,
            delta_base: None,
        };
        let made = pki::issue_crl(&asked, &self.ca.certificate, &self.ca.key);
        let crl = self.runtime.block_on(made).unwrap();
        self.web.give("/ca.crl", crl);
    }

    /// The address of a sealed list that holds this certificate for the context.
    fn list(&self, name: &str, context: Context, held: &Certificate, stale: bool) -> String {
        let operator = Operator {
            name: OPERATOR.into(),
            territory: "EU".into(),
            address: postal(),
            email: "lists@operator.example".into(),
            web: "https://operator.example/".into(),
        };
        let place = Publication {
            scheme_name: format!("Example {context} list"),
            location: format!("{}/{name}", self.web.base),
            information: "https://operator.example/about".into(),
            archive: "https://operator.example/archive".into(),
            policy: "https://operator.example/policy".into(),
        };
        let signers = std::slice::from_ref(&self.operator.certificate);
        let mut draft = Draft::new(context.list(), &operator, &place, signers);
        let entity = NewEntity {
            name: ENTITY.into(),
            registration: REGISTRATION.into(),
            member_state: "DE".into(),
            address: postal(),
            email: "help@provider.example".into(),
            phone: "+49301234567".into(),
            web: "https://provider.example/".into(),
            policies: "https://provider.example/policies".into(),
            law: Some("OJ:DE:example".into()),
        };
        draft.add_entity(&entity).unwrap();
        let service = NewService {
            kind: context.service(),
            name: "Example service".into(),
            certificates: vec![held.clone()],
            unique_id: Some("urn:example:1".into()),
            supply_point: None,
        };
        let now = Timestamp::now();
        let hour = SignedDuration::from_hours(1);
        let issued = now - hour - hour;
        draft.add_service(ENTITY, &service, issued).unwrap();
        let next = if stale { now - hour } else { now + hour };
        draft.issue(issued, next).unwrap();
        let sealed = lote::seal(draft.list(), signers, &self.operator.key, issued);
        let sealed = self.runtime.block_on(sealed).unwrap();
        self.web.give(&format!("/{name}"), sealed)
    }

    /// Asks on the command line.
    fn ask(&self, verb: &str, context: Context, list: &str, more: &[&str]) -> (i32, Value) {
        let chain = self.path("chain.pem");
        let operator = self.path("operator.pem");
        let mut arguments = vec![
            "trust",
            verb,
            "--chain",
            chain.to_str().unwrap(),
            "--context",
            context.name(),
            "--lists",
            list,
            "--signer",
            operator.to_str().unwrap(),
            "--allow-loopback",
        ];
        arguments.extend(more);
        claviger_json(&arguments)
    }
}

fn request(profile: pki::Profile, subject: Subject, key: &TestKey) -> Request {
    let now = Timestamp::now();
    let day = SignedDuration::from_hours(24);
    Request::new(
        profile,
        subject,
        Signer::public_key(key).clone(),
        now - day,
        now + day,
    )
}

async fn itself(profile: pki::Profile, subject: Subject) -> Party {
    let key = TestKey::generate(Curve::P256);
    let asked = request(profile, subject, &key);
    let draft = pki::Draft::new(&asked, Issuer::Itself(&key)).unwrap();
    let certificate = draft.sign(Issuer::Itself(&key)).await.unwrap();
    Party { key, certificate }
}

fn postal() -> Postal {
    Postal {
        street: "Example Street 1".into(),
        locality: "Berlin".into(),
        postal_code: "10115".into(),
        country: "DE".into(),
    }
}

/// Yes, no and undecided, by their exit status and their document.
#[rstest]
#[case(Context::Pid, "direct")]
#[case(Context::PidStatus, "direct")]
#[case(Context::Wallet, "direct")]
#[case(Context::WalletStatus, "direct")]
#[case(Context::AccessCertificate, "pkix")]
#[case(Context::RegistrationCertificate, "pkix")]
#[case(Context::RegistrationCertificateStatus, "pkix")]
#[case(Context::PubEaa, "direct")]
#[case(Context::PubEaaStatus, "direct")]
#[case(Context::Mdl, "direct")]
#[case(Context::MdlStatus, "direct")]
fn every_context(#[case] context: Context, #[case] method: &str) {
    let bed = Bed::new();
    bed.crl(&[]);
    let leaf = bed.leaf(context);
    bed.write("chain.pem", &leaf);
    let held = if method == "pkix" {
        &bed.ca.certificate
    } else {
        &leaf
    };

    let list = bed.list("holds", context, held, false);
    let (code, verdict) = bed.ask("check", context, &list, &[]);
    assert_eq!(
        (code, &verdict["trusted"]),
        (0, &"yes".into()),
        "{verdict:#}"
    );
    assert_eq!(verdict["context"], context.name());
    assert_eq!(verdict["method"], method);
    assert_eq!(verdict["path"][0]["sha256"], leaf.sha256_hex());
    assert_eq!(verdict["anchor"]["sha256"], held.sha256_hex());
    assert_eq!(verdict["lists"][0]["uri"], list);
    assert_eq!(verdict["lists"][0]["sequence"], 1);

    // A list with somebody else's certificate.
    let other = bed.runtime.block_on(itself(
        pki::Profile::Ca,
        Subject::legal("DE", ENTITY, REGISTRATION, "Another CA"),
    ));
    let list = bed.list("other", context, &other.certificate, false);
    let (code, verdict) = bed.ask("check", context, &list, &[]);
    assert_eq!(
        (code, &verdict["trusted"]),
        (1, &"no".into()),
        "{verdict:#}"
    );
    let refused = rules(&verdict);
    let expected = if method == "pkix" {
        "PKI-PATH-NO-ANCHOR"
    } else {
        "PKI-DIRECT-NOT-LISTED"
    };
    assert!(refused.contains(&expected), "{refused:?}");
    assert!(verdict["anchor"].is_null());
    let evidence = verdict["findings"][0]["evidence"].as_str().unwrap();
    assert!(evidence.contains("; to pass: "), "{evidence}");

    // A list past its NextUpdate; and a place with none.
    let list = bed.list("stale", context, held, true);
    for (list, rule) in [
        (list, None),
        (
            format!("{}/none", bed.web.base),
            Some("TRUST-LIST-UNAVAILABLE"),
        ),
    ] {
        let (code, verdict) = bed.ask("check", context, &list, &[]);
        assert_eq!(
            (code, &verdict["trusted"]),
            (3, &"undecided".into()),
            "{verdict:#}"
        );
        let open = rules(&verdict);
        assert!(rule.is_none_or(|rule| open.contains(&rule)), "{open:?}");
    }
}

/// A verdict, its bundle, and the same verdict again, with everything gone.
#[rstest]
#[case::yes(&[], &[], 0)]
#[case::revoked(&["revoked"], &[], 1)]
#[case::unknown(&["no-crl"], &[], 3)]
#[case::unknown_softly(&["no-crl"], &["--revocation", "soft"], 0)]
fn a_bundle_is_replayed(#[case] world: &[&str], #[case] more: &[&str], #[case] expected: i32) {
    let bed = Bed::new();
    let context = Context::Wallet;
    let leaf = bed.leaf(context);
    bed.write("chain.pem", &leaf);
    match world {
        ["no-crl"] => {}
        ["revoked"] => bed.crl(&[&leaf]),
        _ => bed.crl(&[]),
    }
    let list = bed.list("holds", context, &bed.ca.certificate, false);
    let out = bed.path("bundle.json");
    let file = out.to_str().unwrap();
    let more = [&["--policy", "direct-or-pkix", "--out", file], more].concat();
    let (code, written) = bed.ask("bundle", context, &list, &more);
    assert_eq!(code, expected, "{written:#}");
    assert_eq!(written["bytes"], std::fs::metadata(&out).unwrap().len());

    // What is there is not written over.
    let chain = bed.path("chain.pem");
    let again = support::claviger(&[
        "trust",
        "bundle",
        "--chain",
        chain.to_str().unwrap(),
        "--context",
        "wallet",
        "--lists",
        &list,
        "--out",
        file,
    ]);
    assert_eq!(again.status.code(), Some(2));

    bed.web.files.lock().unwrap().clear();
    let operator = bed.path("operator.pem");
    let sha256 = written["sha256"].as_str().unwrap().to_owned();
    for pins in [
        vec![],
        vec!["--signer", operator.to_str().unwrap(), "--sha256", &sha256],
    ] {
        let (code, replayed) = claviger_json(&[&["trust", "replay", file], &pins[..]].concat());
        assert_eq!(code, expected, "{replayed:#}");
        assert_eq!(replayed["replayed"], true);
        assert_eq!(replayed["verdict"], written["verdict"]);
        assert_eq!(replayed["sha256"], written["sha256"]);
    }

    // Another signer, another digest, another byte.
    let other = bed.write("other.pem", &bed.ca.certificate);
    let altered = altered(&bed, &out);
    for (arguments, rule) in [
        (
            vec![file, "--signer", other.to_str().unwrap()],
            "TRUST-BUNDLE-SIGNER",
        ),
        (vec![file, "--sha256", "00"], "TRUST-BUNDLE-DIGEST"),
        (vec![altered.to_str().unwrap()], "TRUST-BUNDLE-DIGEST"),
    ] {
        let (code, refused) = claviger_json(&[&["trust", "replay"], &arguments[..]].concat());
        assert_eq!(code, 1, "{refused:#}");
        assert_eq!(refused["replayed"], false);
        assert!(refused["verdict"].is_null());
        assert_eq!(rules(&refused), [rule]);
    }
}

/// The bundle with another policy.
fn altered(bed: &Bed, bundle: &Path) -> PathBuf {
    let text = std::fs::read_to_string(bundle).unwrap();
    let changed = text.replace("\"direct-or-pkix\"", "\"direct-only\"");
    assert_ne!(text, changed);
    let path = bed.path("altered.json");
    std::fs::write(&path, changed).unwrap();
    path
}
