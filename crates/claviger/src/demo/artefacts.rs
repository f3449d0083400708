//! What `--out` keeps, laid out so that another program can verify it.

use std::path::Path;

use issuer_guard::AttestationKind;
use serde_json::{Value, json};

use super::circle::Circle;
use super::issuer::Issued;
use super::revocation::After;
use super::units::Shown;
use crate::exit::{Doing, Failure};
use crate::files;
use crate::testbed::ListName;

/// Keeps every artefact in `folder`, which is made where it is missing.
pub(super) fn keep(
    folder: &Path,
    circle: &Circle,
    shown: &Shown,
    issued: &Issued,
    after: &After,
) -> Result<(), Failure> {
    let write = |name: &str, content: &[u8]| -> Result<(), Failure> {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).doing(parent.display())?;
        files::write(&path, content).doing(path.display())
    };
    let bed = &circle.development.test_bed;
    for (name, party, _) in bed.parties() {
        let pem = pki::chain::to_pem(std::slice::from_ref(&party.certificate));
        write(&format!("{name}.pem"), pem.as_bytes())?;
    }
    let mut lists = Vec::new();
    for name in ListName::ALL {
        let file = format!("lists/{}", name.file());
        let bytes = std::fs::read(circle.development.lists.path(name)).doing("a sample list")?;
        write(&file, &bytes)?;
        lists.push(json!({"profile": name.profile().name(), "file": file}));
    }
    write("wia.jwt", shown.wia.as_bytes())?;
    write("wia-pop.jwt", shown.wia_proof.as_bytes())?;
    write("ka.jwt", shown.ka.as_bytes())?;
    write("ka-proof.jwt", shown.ka_proof.as_bytes())?;
    let verdict = serde_json::to_vec_pretty(&issued.verdict).doing("the verdict")?;
    write("verdict.json", &verdict)?;
    let mut status = Vec::new();
    for (place, (uri, before)) in issued.before.iter().enumerate() {
        let Some((_, later)) = after.iter().find(|(known, _)| known == uri) else {
            return Err(Failure::new(format!("{uri} was not fetched again")));
        };
        let mut entry = json!({"uri": uri});
        for (when, forms) in [("before", before), ("after", later)] {
            for (form, suffix, bytes) in [("jwt", "", &forms.jwt), ("cwt", "_cwt", &forms.cwt)] {
                let file = format!("status/{place}-{when}.{form}");
                write(&file, bytes)?;
                if let Some(entry) = entry.as_object_mut() {
                    entry.insert(format!("{when}{suffix}"), file.into());
                }
            }
        }
        status.push(entry);
    }
    let entry = |kind: AttestationKind| -> Value {
        issued
            .verdict
            .references
            .iter()
            .find(|reference| reference.kind == kind)
            .map_or(
                Value::Null,
                |found| json!({"uri": found.reference.uri, "idx": found.reference.idx}),
            )
    };
    let manifest = json!({
        "operator_certificate": "list-operator.pem",
        "lists": lists,
        "wallet_provider_certificate": "wallet-provider.pem",
        "pid_provider_certificate": "pid-provider.pem",
        "wallet_status_certificate": "wallet-status.pem",
        "device_certified": circle.device_certified,
        "wia": "wia.jwt",
        "wia_pop": "wia-pop.jwt",
        "ka": "ka.jwt",
        "ka_proof": "ka-proof.jwt",
        "status": status,
        "unit": {
            "client_status": entry(AttestationKind::Wia),
            "key_storage_status": entry(AttestationKind::Ka),
        },
    });
    let manifest = serde_json::to_vec_pretty(&manifest).doing("the manifest")?;
    write("manifest.json", &manifest)
}
