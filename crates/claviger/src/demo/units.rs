//! Steps 3 to 5: units are activated, their keys made and attested.

use std::collections::HashSet;
use std::sync::Arc;

use clock::Clock;
use jose::{Curve, Signer};
use provider_api::KaRequest;
use sci::{KeyInfo, KeySigner, Sci, Task};
use wallet_client::keystore::DeviceKeystore;
use wua::{ClientAttestationDraft, KeyProof, KeyProofProfile, WiaProof};

use super::circle::{C_NONCE, CHALLENGE, Circle, ISSUER};
use super::record::Recorder;
use super::wallet::Wallet;
use crate::exit::{Doing, Failure};

/// How many keys are made at once.
const BATCH: usize = 8;

/// What the first unit shows an issuer.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) wia: String,
    pub(super) wia_proof: String,
    pub(super) ka: String,
    pub(super) ka_proof: String,
    /// The first attested key, which signed the proof.
    pub(super) key: KeyInfo,
}

/// Step 3: two units become operational.
pub(super) async fn activate(
    recorder: &mut Recorder,
    circle: &Circle,
) -> Result<(Wallet, Wallet), Failure> {
    let mut step = recorder.step(
        "Two wallet units are activated",
        &[
            "WIAM_04", "WIAM_06", "WIAM_10", "WIAM_10a", "WIAM_12", "WIAM_14",
        ],
    );
    let first = Wallet::activate(circle, "erika", "493827").await?;
    let certification = &first.provider.view().certification;
    step.proven(format!(
        "the user is shown the certification: {certification}"
    ));
    step.proven(format!(
        "unit {}: challenge answered by both device keys, PIN registered, operational",
        first.unit
    ));
    let begins_with: HashSet<_> = first
        .first
        .iter()
        .filter_map(|token| place(token))
        .collect();
    step.demand(
        begins_with.len() == 3,
        "it begins with a WIA and one KA each for its WSCD and its keystore, at places of their own",
    )?;
    let second = Wallet::activate(circle, "max", "604185").await?;
    step.proven(format!(
        "unit {}: a second one, with keys of its own",
        second.unit
    ));
    recorder.close(step);
    Ok((first, second))
}

/// Step 4: keys are made in the WSCA, after PIN and device key.
pub(super) async fn make_keys(
    recorder: &mut Recorder,
    first: &Wallet,
    second: &Wallet,
) -> Result<(), Failure> {
    let mut step = recorder.step(
        "Keys are made in the WSCA",
        &[
            "CIR-2024-2979-5-1-a",
            "CIR-2024-2979-5-1-c",
            "WUA_16a",
            "ISSU_12b",
        ],
    );
    let refused = first.sci.generate_keys(1, Curve::P256).await;
    step.demand(refused.is_err(), "without a session, no key is made")?;
    for wallet in [first, second] {
        wallet
            .sci
            .open_session(&wallet.pin, Task::Issuance)
            .await
            .doing("the session")?;
        let keys = wallet
            .sci
            .generate_keys(BATCH, Curve::P256)
            .await
            .doing("the keys")?;
        let distinct: HashSet<_> = keys.iter().map(|key| &key.public_key).collect();
        step.demand(
            distinct.len() == BATCH && keys.iter().all(|key| !key.exportable),
            format!(
                "unit {}: {BATCH} keys, none of which can leave the device",
                wallet.unit
            ),
        )?;
        *wallet.keys.lock().await = keys;
    }
    recorder.close(step);
    Ok(())
}

/// Step 5: WIA and KA.
pub(super) async fn attest(
    recorder: &mut Recorder,
    circle: &Circle,
    first: &Wallet,
    second: &Wallet,
) -> Result<Shown, Failure> {
    let mut step = recorder.step(
        "WIA and KA are issued",
        &[
            "TS3-2.2.1",
            "TS3-2.3.1",
            "TS3-2.3.2",
            "TS3-2.4.1",
            "ISSU_35a",
            "WIAM_19",
        ],
    );
    let key = first.key(0).await?;
    let ka = key_attestation(first, std::slice::from_ref(&key)).await?;
    let cnf = first.device.fresh_signing_key().doing("a fresh key")?;
    let wia = instance_attestation(first, cnf.as_ref()).await?;
    let others = [second.key(0).await?];
    let other_ka = key_attestation(second, &others).await?;
    let other_cnf = second.device.fresh_signing_key().doing("a fresh key")?;
    let other_wia = instance_attestation(second, other_cnf.as_ref()).await?;
    let indices = [&ka, &wia, &other_ka, &other_wia].map(|token| index(token));
    let distinct: HashSet<_> = indices.iter().flatten().collect();
    step.demand(
        distinct.len() == 4,
        format!(
            "four attestations with four status entries, at the places {}",
            indices
                .iter()
                .flatten()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        ),
    )?;
    let now = circle.clock.now();
    let wia_proof = WiaProof {
        client_id: "https://wallet.example".into(),
        audience: ISSUER.into(),
        jti: jose::b64::encode(jose::sha256(wia.as_bytes())),
        issued: now,
        challenge: Some(CHALLENGE.into()),
    }
    .sign(ClientAttestationDraft::default(), cnf.as_ref())
    .await
    .doing("the WIA's proof")?;
    step.proven("the WIA's fresh key proves itself for the issuer's challenge");
    let ka_proof = key_proof(circle, first, &key, &ka, C_NONCE).await?;
    step.proven("the attested key signs the jwt proof, in the WSCA, over the issuer's c_nonce");
    recorder.close(step);
    Ok(Shown {
        wia,
        wia_proof,
        ka,
        ka_proof,
        key,
    })
}

/// A KA over keys of the open session, by the WSCA's statement.
async fn key_attestation(wallet: &Wallet, keys: &[KeyInfo]) -> Result<String, Failure> {
    let nonce = wallet
        .provider
        .statement_nonce(wallet.unit, wallet.device_key())
        .await
        .doing("a nonce for the statement")?;
    let ids: Vec<_> = keys.iter().map(|key| key.id).collect();
    let audience = &wallet.provider.view().issuer;
    let statement = wallet
        .sci
        .state_keys(&ids, &nonce.challenge, audience)
        .await
        .doing("the WSCA's statement")?;
    let request = KaRequest {
        statement,
        ..KaRequest::default()
    };
    let answer = wallet
        .provider
        .kas(wallet.unit, wallet.device_key(), &request)
        .await
        .doing("the KA")?;
    one(answer.attestations)
}

async fn instance_attestation(wallet: &Wallet, cnf: &dyn Signer) -> Result<String, Failure> {
    let answer = wallet
        .provider
        .wias(wallet.unit, wallet.device_key(), &[cnf], &<_>::default())
        .await
        .doing("the WIA")?;
    one(answer.attestations)
}

/// A `jwt` proof by a key of the WSCA.
pub(super) async fn key_proof(
    circle: &Circle,
    wallet: &Wallet,
    key: &KeyInfo,
    ka: &str,
    nonce: &str,
) -> Result<String, Failure> {
    let signer = KeySigner::new(Arc::clone(&wallet.sci) as Arc<dyn Sci>, key);
    KeyProof {
        ka: ka.to_owned(),
        audience: ISSUER.into(),
        issued: circle.clock.now(),
        nonce: Some(nonce.into()),
        client_id: None,
    }
    .sign(KeyProofProfile::Ts3, &key.public_key, &signer)
    .await
    .doing("the jwt proof")
}

fn one(attestations: Vec<String>) -> Result<String, Failure> {
    let mut attestations = attestations.into_iter();
    match (attestations.next(), attestations.next()) {
        (Some(attestation), None) => Ok(attestation),
        _ => Err(Failure::new("not one attestation came back")),
    }
}

/// The status index in a token that its maker handed us.
fn index(token: &str) -> Option<u64> {
    place(token).map(|(_, index)| index)
}

/// The same with its list.
fn place(token: &str) -> Option<(String, u64)> {
    let claims = jose::jws::parse(token, 1 << 20).ok()?.claims().ok()?;
    let entry = ["client_status", "key_storage_status"]
        .iter()
        .find_map(|name| claims.get(*name)?.pointer("/status/status_list"))?;
    let uri = entry.get("uri")?.as_str()?.to_owned();
    Some((uri, entry.get("idx")?.as_u64()?))
}
