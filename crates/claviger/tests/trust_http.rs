//! Questions of trust over HTTP, in our own form and in those of the services that
//! ours can stand in for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod support;

use pki::Certificate;
use serde_json::{Value, json};
use support::Up;

struct Asked {
    up: Up,
    http: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Asked {
    fn of_a_node() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let up = Up::start(&folder.path().join("data"), "127.0.0.1:0");
        Self {
            up,
            http: reqwest::Client::new(),
            _folder: folder,
        }
    }

    fn leaf(&self, name: &str) -> Certificate {
        let pem = std::fs::read(self.up.data.join(format!("pki/{name}.pem"))).unwrap();
        pki::read_chain(&pem).unwrap().remove(0)
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post_text(path, body.to_string()).await
    }

    async fn post_text(&self, path: &str, body: String) -> (u16, Value) {
        let request = self
            .http
            .post(format!("{}{path}", self.up.url))
            .header("content-type", "application/json");
        let response = request.body(body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

fn base64(certificate: &Certificate) -> String {
    jose::b64::encode_std(certificate.der())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_verdict() {
    let node = Asked::of_a_node();
    let chain = json!([base64(&node.leaf("pid-provider"))]);
    let (status, verdict) = node
        .post(
            "/v1/trust/check",
            &json!({"chain": chain, "context": "pid"}),
        )
        .await;
    assert_eq!(
        (status, &verdict["trusted"]),
        (200, &json!("yes")),
        "{verdict}"
    );

    let early = json!({"chain": chain, "context": "pid", "at": "2020-01-01T00:00:00Z"});
    let (_, verdict) = node.post("/v1/trust/check", &early).await;
    assert_ne!(verdict["trusted"], "yes", "{verdict}");

    let wrong = [
        json!({"chain": [], "context": "pid"}),
        json!({"chain": ["AAAA"], "context": "pid"}),
        json!({"chain": vec![chain[0].clone(); 50], "context": "pid"}),
        json!({"chain": chain, "context": "driver"}),
        json!({"chain": chain, "context": "pid", "policy": "any"}),
        json!({"chain": chain, "context": "pid", "at": "yesterday"}),
    ];
    for question in wrong {
        let (status, problem) = node.post("/v1/trust/check", &question).await;
        assert_eq!(
            (status, &problem["code"]),
            (400, &json!("malformed")),
            "{problem}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_validator_in_its_current_form() {
    let node = Asked::of_a_node();
    let pid = base64(&node.leaf("pid-provider"));
    let ask = |context: &str| json!({"chain": [pid], "verificationContext": context});

    let (status, answer) = node.post("/trust", &ask("PID")).await;
    assert_eq!(status, 200);
    assert_eq!(answer, json!({"trusted": true, "trustAnchor": pid}));

    for other in [
        "WalletProviderAttestation",
        "WalletInstanceAttestation",
        "WalletUnitAttestation",
        "WalletOrKeyStorageStatus",
        "WalletUnitAttestationStatus",
    ] {
        let (status, answer) = node.post("/trust", &ask(other)).await;
        assert_eq!(
            (status, &answer["trusted"]),
            (200, &json!(false)),
            "{other}"
        );
        assert_eq!(answer.get("trustAnchor"), None);
        let why = answer["error"].as_str().unwrap();
        assert!(why.contains("TRUST-OTHER"), "{other}: {why}");
    }

    for (question, status, said) in [
        (ask("QEAA"), 500, "No configuration found"),
        (ask("EAA"), 400, "Missing useCase"),
        (ask("Custom"), 400, "Missing useCase"),
        (ask("Passport"), 400, "Passport"),
        (
            json!({"chain": [], "verificationContext": "PID"}),
            400,
            "chain",
        ),
        (
            json!({"chain": vec![pid.clone(); 50], "verificationContext": "PID"}),
            400,
            "chain",
        ),
        (json!({"chain": [pid]}), 400, "verificationContext"),
        (json!([]), 400, "Unparsable"),
    ] {
        let (got, answer) = node.post("/trust", &question).await;
        assert_eq!(got, status, "{answer}");
        let description = answer["description"].as_str().unwrap();
        assert!(description.contains(said), "{description}");
    }

    let twice = format!(
        r#"{{"chain":["{pid}"],"verificationContext":"PID","verificationContext":"PIDStatus"}}"#
    );
    let (status, answer) = node.post_text("/trust", twice).await;
    assert_eq!(status, 400, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_validator_in_its_older_form() {
    let node = Asked::of_a_node();
    let pid = base64(&node.leaf("pid-provider"));
    let ask = |service: &str| json!({"x5c": [pid], "serviceType": service});

    assert_eq!(
        node.post("/trust", &ask("PIDProvider")).await,
        (200, json!({"trusted": true}))
    );
    assert_eq!(
        node.post("/trust", &ask("WalletProvider")).await,
        (200, json!({"trusted": false}))
    );
    let (status, answer) = node.post("/trust", &ask("Bakery")).await;
    assert_eq!((status, &answer["error"]), (400, &json!("InvalidRequest")));
    assert!(answer["description"].as_str().unwrap().contains("Bakery"));
}

#[tokio::test(flavor = "multi_thread")]
async fn authzen_binds_a_key_to_a_name_in_a_role() {
    let node = Asked::of_a_node();
    let leaf = node.leaf("pid-provider");
    let x5c = json!([base64(&leaf)]);
    let name = leaf.subject_name().organization_identifier().unwrap();
    let ask = |name: &str, resource: Value, role: Option<&str>| {
        let mut resource = resource;
        resource["id"] = json!(name);
        let mut question = json!({"subject": {"type": "key", "id": name}, "resource": resource});
        if let Some(role) = role {
            question["action"] = json!({"name": role});
        }
        question
    };
    let chain = json!({"type": "x5c", "key": x5c});
    let mut jwk = leaf.public_key().unwrap().to_jwk();
    let bare = json!({"type": "jwk", "key": jwk});
    jwk["x5c"] = x5c.clone();
    let with_chain = json!({"type": "jwk", "key": jwk});
    let uri = "http://uri.etsi.org/19602/SvcType/PID/Issuance";

    let yes = [
        ask(&name, chain.clone(), Some("pid")),
        ask(&name, chain.clone(), Some(uri)),
        ask(&leaf.subject(), chain.clone(), Some("pid")),
        ask(&name, with_chain.clone(), Some("pid")),
        ask(&name, json!({"type": "jwk", "key": [jwk]}), Some("pid")),
    ];
    for question in yes {
        let (status, answer) = node.post("/evaluation", &question).await;
        assert_eq!(
            (status, &answer["decision"]),
            (200, &json!(true)),
            "{answer}"
        );
        assert_eq!(answer["context"]["trust_metadata"]["trusted"], "yes");
        assert_eq!(answer["context"].get("reason"), None);
    }

    let no = [
        (ask(&name, chain.clone(), None), "AUTHZEN-ACTION"),
        (ask(&name, chain.clone(), Some("baker")), "AUTHZEN-ACTION"),
        (
            ask("somebody else", chain.clone(), Some("pid")),
            "AUTHZEN-NAME",
        ),
        (ask("", chain.clone(), Some("pid")), "AUTHZEN-NAME"),
        (
            ask(&name, chain.clone(), Some("wallet")),
            "TRUST-OTHER-CONTEXT",
        ),
        (ask(&name, bare, Some("pid")), "AUTHZEN-KEY"),
        (ask(&name, json!({}), Some("pid")), "AUTHZEN-KEY"),
    ];
    for (question, rule) in no {
        let (status, answer) = node.post("/evaluation", &question).await;
        assert_eq!(
            (status, &answer["decision"]),
            (200, &json!(false)),
            "{answer}"
        );
        assert!(
            answer["context"]["reason"].get(rule).is_some(),
            "{rule}: {answer}"
        );
    }

    let other = base64(&node.leaf("wallet-provider"));
    jwk["x5c"] = json!([other]);
    let wrong = [
        ask(&name, json!({"type": "jwk", "key": jwk}), Some("pid")),
        ask(&name, json!({"type": "x5c", "key": "text"}), Some("pid")),
        ask(&name, json!({"type": "pgp", "key": x5c}), Some("pid")),
        json!({"subject": {"type": "user", "id": name}, "resource": chain, "action": {"name": "pid"}}),
        json!({"subject": {"type": "key", "id": name},
               "resource": {"type": "x5c", "id": "another", "key": x5c}, "action": {"name": "pid"}}),
    ];
    for question in wrong {
        let (status, answer) = node.post("/evaluation", &question).await;
        assert_eq!(status, 400, "{answer}");
    }

    let configuration = format!("{}/.well-known/authzen-configuration", node.up.url);
    let configuration: Value = node
        .http
        .get(configuration)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(configuration["policy_decision_point"], node.up.url);
    assert_eq!(
        configuration["access_evaluation_endpoint"],
        format!("{}/evaluation", node.up.url)
    );
}
