//! A large sealed list.
#![allow(dead_code)]

use claviger_fixtures::TestKey;
use jiff::{SignedDuration, Timestamp};
use jose::{Curve, Signer, b64};
use lote::{
    Draft, Index, Mode, NewEntity, NewService, Operator, Postal, Profile, Publication, ServiceKind,
    Signers, VerifiedList, Verifier,
};
use pki::{Certificate, Issuer, Request, Subject};
use serde_json::Value;

const OPERATOR: &str = "Example List Operator";

/// A sealed list of wallet providers.
pub(crate) struct List {
    /// As it is fetched.
    pub(crate) sealed: Vec<u8>,
    /// Its JSON.
    pub(crate) payload: Vec<u8>,
    /// Who sealed it.
    pub(crate) signer: Certificate,
    /// When.
    pub(crate) at: Timestamp,
    /// Certificates of its providers, each of which stands for two services.
    pub(crate) leaves: Vec<Certificate>,
}

impl List {
    /// A list of wallet providers, each with two services and its own certificate.
    pub(crate) async fn of(entities: usize) -> Self {
        let at: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let (key, signer) = signer(at).await;
        let (operator, publication) = (operator(), publication());
        let signers = std::slice::from_ref(&signer);
        // Entities are added one by one to lists of one, as each look-up by name
        // goes through the whole list.
        let mut draft = Draft::new(Profile::Wallet, &operator, &publication, signers);
        let mut all = Vec::with_capacity(entities);
        let mut leaves = Vec::with_capacity(entities);
        for i in 0..entities {
            let name = format!("Example Provider {i} GmbH");
            let (_, certificate) = party("DE", &name, pki::Profile::Wallet, at).await;
            draft = Draft::new(Profile::Wallet, &operator, &publication, signers);
            draft.add_entity(&entity(&name, "NTRDE-1")).unwrap();
            for kind in [ServiceKind::Issuance, ServiceKind::Revocation] {
                let service = NewService {
                    kind,
                    name: "Example wallet solution".into(),
                    certificates: vec![certificate.clone()],
                    unique_id: Some(format!("https://provider.example/solutions/{i}")),
                    supply_point: None,
                };
                draft.add_service(&name, &service, at).unwrap();
            }
            leaves.push(certificate);
            all.extend(draft.list().entities().to_vec());
        }
        draft.issue(at, lote::next_update_after(at, 150)).unwrap();
        let mut list = draft.list().clone();
        list.lote.entities = Some(all);
        let sealed = lote::seal(&list, signers, &key, at).await.unwrap();
        let payload = b64::decode(sealed.split('.').nth(1).unwrap()).unwrap();
        Self {
            sealed: sealed.into_bytes(),
            payload,
            signer,
            at,
            leaves,
        }
    }

    /// How many bytes the certificates in it have, each as often as it stands there.
    pub(crate) fn certificate_bytes(&self) -> usize {
        self.leaves.iter().map(|leaf| 2 * leaf.der().len()).sum()
    }

    /// What serde_json makes of it.
    pub(crate) fn parsed(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap()
    }

    /// Sealed bytes to an index, the profile's lint apart.
    pub(crate) fn loaded(&self) -> (VerifiedList, Index) {
        let signers = std::slice::from_ref(&self.signer);
        let verifier = Verifier {
            signers: Signers::Pinned(signers),
            mode: Mode::Strict,
        };
        verifier.load(&self.sealed, self.at).unwrap()
    }
}

/// Who seals lists, and the key.
pub(crate) async fn signer(at: Timestamp) -> (TestKey, Certificate) {
    party("EU", OPERATOR, pki::Profile::ListOperator, at).await
}

/// Issues the draft and seals it.
pub(crate) async fn seal(
    draft: &mut Draft,
    key: &TestKey,
    signer: &Certificate,
    at: Timestamp,
) -> String {
    draft.issue(at, lote::next_update_after(at, 150)).unwrap();
    let chain = std::slice::from_ref(signer);
    lote::seal(draft.list(), chain, key, at).await.unwrap()
}

pub(crate) fn operator() -> Operator {
    Operator {
        name: OPERATOR.into(),
        territory: "EU".into(),
        address: postal(),
        email: "lists@operator.example".into(),
        web: "https://operator.example".into(),
    }
}

pub(crate) fn publication() -> Publication {
    Publication {
        scheme_name: "example list".into(),
        location: "https://operator.example/list.jws".into(),
        information: "https://operator.example/about".into(),
        archive: "https://operator.example/archive".into(),
        policy: "https://operator.example/policy".into(),
    }
}

async fn party(
    country: &str,
    name: &str,
    profile: pki::Profile,
    at: Timestamp,
) -> (TestKey, Certificate) {
    let key = TestKey::generate(Curve::P256);
    let subject = Subject::legal(country, name, &format!("NTR{country}-1"), name);
    let public = Signer::public_key(&key).clone();
    let year = SignedDuration::from_hours(24 * 365);
    let request = Request::new(profile, subject, public, at, at + year);
    let made = pki::issue(&request, Issuer::Itself(&key)).await.unwrap();
    (key, made)
}

pub(crate) fn entity(name: &str, registration: &str) -> NewEntity {
    NewEntity {
        name: name.into(),
        registration: registration.into(),
        member_state: "DE".into(),
        address: postal(),
        email: "contact@provider.example".into(),
        phone: "+49301234567".into(),
        web: "https://provider.example".into(),
        policies: "https://provider.example/policy".into(),
        law: None,
    }
}

fn postal() -> Postal {
    Postal {
        street: "Example Street 1".into(),
        locality: "Berlin".into(),
        postal_code: "10115".into(),
        country: "DE".into(),
    }
}
