//! What an Android device says.

use std::path::PathBuf;

use device_evidence::android::{
    self, AuthorizationList, Check, MAX_REVOCATION_LIST, Provisioning, RevocationList, Said,
};
use jiff::Timestamp;

use super::report::{Judged, Row, Rows, bytes, row};
use super::{Common, value};
use crate::exit::{Doing, Done};
use crate::input;
use crate::output::Output;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The chain: PEM, or a JSON array as in x5c. The root may be left out
    file: PathBuf,
    #[command(flatten)]
    common: Common,
    /// The key that it must be about: PEM, or a JWK
    #[arg(long)]
    key: Option<PathBuf>,
    /// A copy of Google's list (android.googleapis.com/attestation/status)
    #[arg(long)]
    revocation_list: Option<PathBuf>,
    /// When that copy was fetched (RFC 3339); at the time of the answer, if absent
    #[arg(long, requires = "revocation_list")]
    revocation_list_of: Option<Timestamp>,
}

pub(super) fn run(args: &Args, output: Output) -> Done {
    let chain = input::certificates(&args.file)?;
    let policy = args.common.policy()?.android;
    let at = args.common.at();
    let key = args.key.as_deref().map(value::public_key).transpose()?;
    let revocation = match &args.revocation_list {
        None => None,
        Some(path) => {
            let max = u64::try_from(MAX_REVOCATION_LIST).unwrap_or(u64::MAX);
            let list = input::read(path, max)?;
            let fetched = args.revocation_list_of.unwrap_or(at);
            Some(RevocationList::from_json(&list, fetched).doing(path.display())?)
        }
    };
    let assessment = android::assess_certificates(
        &chain,
        &Check {
            policy: &policy,
            challenge: args.common.challenge.as_ref().map(|c| c.0.as_slice()),
            key: key.as_ref(),
            revocation: revocation.as_ref(),
            at,
        },
    );
    Judged::print(&args.file, assessment, output)
}

impl Rows for Said {
    fn rows(&self) -> Vec<Row> {
        let description = &self.description;
        let hardware = &description.hardware_enforced;
        let software = &description.software_enforced;
        let mut rows = vec![
            row("keystore", place(description)),
            row("provisioned", provisioned(self.provisioning)),
            row("challenge", bytes(&description.challenge)),
        ];
        rows.extend(device(hardware));
        rows.push(row("key", key(hardware)));
        rows.push(row("user", user(self, hardware)));
        rows.extend(boot(hardware));
        rows.push(row("system", system(hardware)));
        rows.extend(app(software));
        if let Some(made) = software
            .creation_date_time
            .or(hardware.creation_date_time)
            .and_then(|millis| i64::try_from(millis).ok())
            .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        {
            rows.push(row("made", format!("{made}, as Android says")));
        }
        if let Some(hash) = &software.module_hash {
            rows.push(row("modules", hex::encode(hash)));
        }
        rows
    }
}

fn place(description: &android::KeyDescription) -> String {
    let key = description.keymint_security_level;
    let attestation = description.attestation_security_level;
    let by = if key == attestation {
        String::new()
    } else {
        format!(", attested by {attestation}")
    };
    format!(
        "{key}{by} (attestation version {}, KeyMint {})",
        description.attestation_version, description.keymint_version
    )
}

fn provisioned(provisioning: Provisioning) -> String {
    match provisioning {
        Provisioning::Factory => "in the factory".into(),
        Provisioning::Remote {
            certificates_issued: None,
        } => "remotely".into(),
        Provisioning::Remote {
            certificates_issued: Some(issued),
        } => format!("remotely, about {issued} certificates in 30 days"),
    }
}

fn device(hardware: &AuthorizationList) -> Option<Row> {
    let ids = &hardware.device;
    let named = [
        ("", &ids.manufacturer),
        ("", &ids.model),
        ("brand ", &ids.brand),
        ("device ", &ids.device),
        ("product ", &ids.product),
        ("serial ", &ids.serial),
        ("IMEI ", &ids.imei),
        ("IMEI ", &ids.second_imei),
        ("MEID ", &ids.meid),
    ];
    let named: Vec<String> = named
        .into_iter()
        .filter_map(|(what, id)| id.as_ref().map(|id| format!("{what}{id}")))
        .collect();
    (!named.is_empty()).then(|| row("device", named.join(", ")))
}

fn key(hardware: &AuthorizationList) -> String {
    let kind = match (hardware.algorithm, hardware.ec_curve) {
        (Some(3), Some(1)) => "EC P-256".into(),
        (Some(3), Some(2)) => "EC P-384".into(),
        (Some(3), Some(3)) => "EC P-521".into(),
        (Some(3), _) => format!("EC of {} bits", hardware.key_size.unwrap_or_default()),
        (Some(1), _) => format!("RSA of {} bits", hardware.key_size.unwrap_or_default()),
        (other, _) => format!("algorithm {other:?}"),
    };
    let origin = hardware.origin.map_or_else(
        || "of unknown origin".into(),
        |origin| format!("{origin:?}").to_lowercase(),
    );
    let purposes: Vec<&str> = hardware
        .purposes
        .iter()
        .flatten()
        .map(|purpose| purpose.name())
        .collect();
    let rollback = if hardware.rollback_resistance {
        ", rollback-resistant"
    } else {
        ""
    };
    format!("{kind}, {origin}, may {}{rollback}", purposes.join(" and "))
}

fn user(said: &Said, hardware: &AuthorizationList) -> String {
    use device_evidence::UserAuthentication as Asked;
    let asked = match said.user_authentication {
        Asked::None => return "nobody is asked before the key is used".into(),
        Asked::Password => "asked for PIN, pattern or password",
        Asked::Biometric => "asked for a biometric trait",
        Asked::PasswordOrBiometric => "asked for PIN, password or a biometric trait",
    };
    match hardware.auth_timeout {
        None => format!("{asked}, each time"),
        Some(seconds) => format!("{asked}, good for {seconds} s"),
    }
}

fn boot(hardware: &AuthorizationList) -> Vec<Row> {
    let Some(root) = &hardware.root_of_trust else {
        return vec![row("boot", "hardware does not say")];
    };
    let lock = if root.device_locked {
        "locked"
    } else {
        "UNLOCKED"
    };
    let key = if root.has_no_key() {
        "none (zeros)".into()
    } else {
        hex::encode(&root.verified_boot_key)
    };
    vec![
        row("boot", format!("{lock}; {}", root.verified_boot_state)),
        row("boot key", key),
    ]
}

fn system(hardware: &AuthorizationList) -> String {
    let version = hardware.os_version.map_or_else(
        || "of unknown version".into(),
        |version| {
            format!(
                "{}.{}.{}",
                version / 10_000,
                version / 100 % 100,
                version % 100
            )
        },
    );
    let patch = |level: Option<u64>| level.map_or_else(|| "unknown".into(), date);
    format!(
        "Android {version}; patches: system {}, vendor {}, boot {}",
        patch(hardware.os_patch_level),
        patch(hardware.vendor_patch_level),
        patch(hardware.boot_patch_level)
    )
}

/// 202511 and 20251105 as a person writes them.
fn date(level: u64) -> String {
    if level > 999_999 {
        format!(
            "{}-{:02}-{:02}",
            level / 10_000,
            level / 100 % 100,
            level % 100
        )
    } else {
        format!("{}-{:02}", level / 100, level % 100)
    }
}

fn app(software: &AuthorizationList) -> Vec<Row> {
    let Some(id) = &software.application_id else {
        return vec![row("app", "unknown")];
    };
    let mut rows: Vec<Row> = id
        .packages
        .iter()
        .map(|package| {
            row(
                "app",
                format!("{} version {}", package.name, package.version),
            )
        })
        .collect();
    rows.extend(id.signers.iter().map(|s| row("signed by", hex::encode(s))));
    rows
}
