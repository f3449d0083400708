//! Android key attestation: a certificate chain from the key to Google's root,
//! whose first certificate says what the keystore and the hardware hold the key
//! to ("Verify hardware-backed key pairs with key attestation").

pub(crate) mod bytes;

mod application;
mod authorization;
mod boot;
mod description;
mod judge;
mod level;
mod path;
mod policy;
mod provisioning;
mod revocation;
mod roots;

pub use application::{ApplicationId, Package};
pub use authorization::{AuthorizationList, DeviceIds, Origin, Purpose};
pub use boot::{BootState, RootOfTrust};
pub use description::{KeyDescription, SecurityLevel};
pub use policy::{
    AndroidPolicy, BootKey, CertifiedDevice, Leniency, Levels, WithoutRevocationList,
};
pub use provisioning::Provisioning;
pub use revocation::{MAX_REVOCATION_LIST, RevocationList, Status};

use jiff::Timestamp;
use jose::PublicKey;
use pki::{Certificate, Oid};
use serde::Serialize;

use crate::assessment::{Assessment, Platform, UserAuthentication};
use crate::chain::{MAX_BYTES, MAX_LEN};
use crate::rules;

/// The extension with the KeyDescription.
pub const KEY_DESCRIPTION: Oid = Oid::new_unwrap("1.3.6.1.4.1.11129.2.1.17");

/// The extension in which some Keymaster 4.1 devices say the same as an EAT.
const KEY_DESCRIPTION_EAT: Oid = Oid::new_unwrap("1.3.6.1.4.1.11129.2.1.25");

/// What the evidence is held against.
#[derive(Debug, Clone, Copy)]
pub struct Check<'a> {
    /// What is required.
    pub policy: &'a AndroidPolicy,
    /// The challenge that the key was to be made with. Evidence without one to
    /// compare is undecided.
    pub challenge: Option<&'a [u8]>,
    /// The key that the evidence is to be about, where it is known otherwise.
    pub key: Option<&'a PublicKey>,
    /// Google's revocation list, where a copy is at hand.
    pub revocation: Option<&'a RevocationList>,
    /// The time the answer holds for.
    pub at: Timestamp,
}

/// What a device says of a key and of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// What stands in the key's certificate.
    #[serde(flatten)]
    pub description: KeyDescription,
    /// How the attesting key came into the device.
    pub provisioning: Provisioning,
    /// Whom the hardware asks for before the key is used.
    pub user_authentication: UserAuthentication,
}

/// Judges a chain as it arrives: DER certificates, the attested key's first; the
/// root's may be left out.
pub fn assess<D: AsRef<[u8]>>(chain: &[D], check: &Check<'_>) -> Assessment<Said> {
    let mut assessment = Assessment::new(Platform::Android, check.at);
    let size = chain.iter().map(|der| der.as_ref().len()).sum::<usize>();
    if chain.len() > MAX_LEN || size > MAX_BYTES {
        assessment.findings.push(rules::SIZE.finding(
            "x5c",
            format!(
                "{} certificates of {size} bytes, at most {MAX_LEN} of {MAX_BYTES} are read",
                chain.len()
            ),
        ));
        return assessment.decided();
    }
    match pki::chain::from_ders(chain) {
        Ok(chain) => assess_certificates(&chain, check),
        Err(error) => {
            let finding = rules::ANDROID_CHAIN.finding("x5c", error.to_string());
            assessment.findings.push(finding);
            assessment.decided()
        }
    }
}

/// As [`assess`], of certificates that have been read.
pub fn assess_certificates(chain: &[Certificate], check: &Check<'_>) -> Assessment<Said> {
    let mut assessment = Assessment::new(Platform::Android, check.at);
    assessment.path = chain.iter().map(Certificate::to_ref).collect();
    let mut findings = Vec::new();
    let Some(leaf) = chain.first().filter(|_| chain.len() <= MAX_LEN) else {
        findings.push(rules::SIZE.finding(
            "x5c",
            format!("{} certificates, 1 to {MAX_LEN} are read", chain.len()),
        ));
        assessment.findings = findings;
        return assessment.decided();
    };
    assessment.key = leaf.public_key().ok();
    assessment.root = path::check(chain, check, &mut findings);
    if let Some(description) = description(leaf, &mut findings) {
        let provisioning = path::provisioning(chain, check, &mut findings);
        let said = Said {
            user_authentication: level::user_authentication(&description),
            description,
            provisioning,
        };
        judge::description(&said.description, chain, check, &mut findings);
        level::earn(&said, check.policy, &mut assessment, &mut findings);
        assessment.says = Some(said);
    }
    assessment.findings = findings;
    assessment.decided()
}

fn description(leaf: &Certificate, findings: &mut Vec<finding::Finding>) -> Option<KeyDescription> {
    let Some(extension) = leaf.extension(KEY_DESCRIPTION) else {
        findings.push(rules::ANDROID_EXTENSION.finding(
            "certificate 1",
            format!("the extension {KEY_DESCRIPTION} is absent"),
        ));
        return None;
    };
    match KeyDescription::from_der(extension.extn_value.as_bytes()) {
        Ok(description) => Some(description),
        Err(error) => {
            findings.push(rules::ANDROID_EXTENSION.finding(
                format!("certificate 1, extension {KEY_DESCRIPTION}"),
                error.to_string(),
            ));
            None
        }
    }
}

/// Google's root keys, by name: what [`AndroidPolicy::google_roots`] trusts.
pub fn google_roots() -> &'static [crate::chain::RootKey] {
    &*roots::GOOGLE
}
