//! A node as it serves real users: outside development, on a token for whose
//! certification its operator vouches.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod operator;
mod support;

use std::process::Command;
use std::sync::Arc;

use clock::SystemClock;
use operator::{CONFORMING, NOW, Operator};
use serde_json::{Value, json};
use support::served::{Served, free_address};
use wallet_client::keystore::{DeviceKeystore, SoftwareKeystore};
use wallet_client::{Activation, ProviderClient, Unattested};

/// The settings of a provider outside development, with these levels for its device.
fn settings(operator: &Operator, device: &str, listen: &str, levels: Option<[&str; 2]>) {
    let assurance = levels.map_or_else(String::new, |[key_storage, user_authentication]| {
        format!(
            "[device.assurance]\nscheme = \"EUCC\"\ncertificate = \"EUCC-1234-2026-01\"\n\
             key_storage = \"{key_storage}\"\nuser_authentication = \"{user_authentication}\"\n"
        )
    });
    let consent = operator.path("consent.txt");
    std::fs::write(
        &consent,
        "Your data is used to make and revoke your wallet.\n",
    )
    .unwrap();
    let text = format!(
        "listen = \"{listen}\"\npublic_url = \"https://wallet.example\"\ndata = \"{}\"\n\
         roles = [\"wsca\", \"wallet-provider\"]\n[device]\nuri = \"{device}\"\n{assurance}\
         [wallet_provider]\nsolution = \"Example\"\nclient_id = \"https://wallet.example\"\n\
         certification = \"https://wallet.example/certification\"\n\
         [wallet_provider.compatibility]\nreference = true\nwallet_version = \"1\"\n\
         [accounts]\nconsent = \"{consent}\"\nconsent_version = \"1\"\n\
         [notices]\ncontact = \"+32 2 123 45 67\"\n\
         [[notices.webhooks]]\nname = \"a\"\nurl = \"https://hooks.example/\"\n",
        operator.path("data")
    );
    std::fs::write(operator.path("claviger.toml"), text).unwrap();
}

const HIGH: Option<[&str; 2]> = Some(["iso_18045_high", "iso_18045_high"]);

#[tokio::test(flavor = "multi_thread")]
async fn outside_development_nothing_is_taken_without_its_proof() {
    let test = "outside_development_nothing_is_taken_without_its_proof";
    let Some((operator, device)) = Operator::on_softhsm(test) else {
        return;
    };
    let listen = free_address();
    settings(&operator, &device, &listen, HIGH);
    for purpose in ["attestations", "status"] {
        operator.request(purpose, "P-256", "csr.pem");
        operator.issue("csr.pem", "issued.pem", CONFORMING, NOW);
        assert_eq!(operator.install(purpose, "issued.pem", &[]).0, 0);
    }
    // ARF WIAM_08: no certification, or one for less, and no unit is activated.
    let less = ["iso_18045_high", "iso_18045_moderate"];
    for levels in [None, Some(less), Some([less[1], less[0]])] {
        settings(&operator, &device, &listen, levels);
        let refused = Command::new(env!("CARGO_BIN_EXE_claviger"))
            .envs(operator.environment.iter().cloned())
            .args(["serve", "--config", &operator.path("claviger.toml")])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("not certified for level high"), "{said}");
    }

    settings(&operator, &device, &listen, HIGH);
    let config = operator.folder.join("claviger.toml");
    let url = format!("http://{listen}");
    let node = Served::start_with(&config, &url, operator.environment.clone());
    assert!(!node.log().contains("NOT FOR REAL USERS"));
    let certification = reqwest::get(format!("{url}/wallet-provider/certification")).await;
    let certification: Value = certification.unwrap().json().await.unwrap();
    let storage = &certification["key_storage"];
    for level in ["key_storage", "user_authentication"] {
        assert_eq!(storage[level], "iso_18045_high", "{certification}");
    }
    assert_eq!(storage["assurance"]["certificate"], "EUCC-1234-2026-01");

    // A device that shows nothing, and a user who agreed to nothing.
    let base = format!("{url}/wallet-provider");
    let client = ProviderClient::discover(&base, Arc::new(SystemClock)).await;
    let client = client.unwrap();
    assert_eq!(
        client.view().issuer,
        "https://wallet.example/wallet-provider"
    );
    let phone = SoftwareKeystore::generate().unwrap();
    let shown = client.view().consent.as_ref().unwrap().sha256.clone();
    for (consent, code) in [(Some(&*shown), "evidence"), (None, "consent")] {
        let activation = Activation {
            alias: "mine",
            account_code: None,
            consent,
            signing: phone.signing(),
            agreement: phone.agreement(),
            platform: &Unattested,
            wallet_version: "1",
        };
        let refused = client.activate(&activation).await.unwrap_err();
        assert_eq!(refused.code(), Some(code), "{refused:?}");
    }

    // Of the reference provider's interface, what takes bare keys is not there.
    let http = reqwest::Client::new();
    let post = |path: &str, body: Value| {
        let address = format!("{url}/reference-provider/{path}");
        http.post(address).json(&body).send()
    };
    let challenge = post("challenge", json!({})).await.unwrap();
    assert_eq!(challenge.status(), 200);
    let key = phone.signing().public_key().to_jwk();
    let keys = json!({"jwkSet": {"keys": [key]}});
    for (path, body) in [
        ("wallet-instance-attestation/jwk", json!({"jwk": key})),
        ("key-attestation/jwk-set", keys.clone()),
        ("wallet-unit-attestation/jwk-set", keys),
    ] {
        let refused = post(path, body).await.unwrap();
        assert_eq!(refused.status(), 404, "{path}");
    }
    node.stop();
}
