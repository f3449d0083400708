//! The content of a token: an integrity verdict.

use finding::Finding;
use jiff::Timestamp;
use jose::Map;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::token::format_error;

/// The most labels, and digests, of one verdict.
const MAX: usize = 32;

/// What Google says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// What was asked.
    pub request: RequestDetails,
    /// Of the app.
    pub app: AppIntegrity,
    /// Of the device.
    pub device: DeviceIntegrity,
    /// `LICENSED`, `UNLICENSED` or `UNEVALUATED`.
    pub licensing: Option<String>,
    /// What Play Protect says, where it is asked.
    pub play_protect: Option<String>,
}

/// What was asked, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestDetails {
    /// The package that asked.
    pub package: String,
    /// Of a classic request, in base64url.
    pub nonce: Option<String>,
    /// Of a standard request.
    pub request_hash: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What Play says of the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppIntegrity {
    /// `PLAY_RECOGNIZED`, `UNRECOGNIZED_VERSION` or `UNEVALUATED`.
    pub verdict: String,
    /// The package.
    pub package: Option<String>,
    /// SHA-256 of its signing certificates, in base64url.
    pub signers: Vec<String>,
    /// Its versionCode.
    pub version: Option<u64>,
}

/// What Google says of the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceIntegrity {
    /// Such as `MEETS_DEVICE_INTEGRITY`.
    pub labels: Vec<String>,
    /// The system's SDK version.
    pub sdk_version: Option<u64>,
}

/// Reads the claims of a token.
pub(super) fn read(claims: &Map) -> Result<Said, Box<Finding>> {
    let written: Written = serde_json::from_value(Value::Object(claims.clone()))
        .map_err(|error| format_error("the payload", error.to_string()))?;
    let request = written.request_details;
    let app = written.app_integrity;
    let device = written.device_integrity;
    if app.certificate_sha256_digest.len() > MAX || device.device_recognition_verdict.len() > MAX {
        return Err(format_error("the payload", "too many labels or digests"));
    }
    let at = request
        .timestamp_millis
        .read()
        .and_then(|millis| i64::try_from(millis).ok())
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .ok_or_else(|| format_error("requestDetails.timestampMillis", "it is no time"))?;
    let version = match app.version_code {
        None => None,
        Some(number) => Some(
            number
                .read()
                .ok_or_else(|| format_error("appIntegrity.versionCode", "it is no number"))?,
        ),
    };
    Ok(Said {
        request: RequestDetails {
            package: request.request_package_name,
            nonce: request.nonce,
            request_hash: request.request_hash,
            at,
        },
        app: AppIntegrity {
            verdict: app.app_recognition_verdict,
            package: app.package_name,
            signers: app.certificate_sha256_digest,
            version,
        },
        device: DeviceIntegrity {
            labels: device.device_recognition_verdict,
            sdk_version: device
                .device_attributes
                .and_then(|attributes| attributes.sdk_version),
        },
        licensing: written
            .account_details
            .map(|account| account.app_licensing_verdict),
        play_protect: written
            .environment_details
            .and_then(|environment| environment.play_protect_verdict),
    })
}

// Google adds members: those unknown here are passed over.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    request_details: WrittenRequest,
    app_integrity: WrittenApp,
    #[serde(default)]
    device_integrity: WrittenDevice,
    account_details: Option<WrittenAccount>,
    environment_details: Option<WrittenEnvironment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenRequest {
    request_package_name: String,
    timestamp_millis: Number,
    nonce: Option<String>,
    request_hash: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenApp {
    app_recognition_verdict: String,
    package_name: Option<String>,
    #[serde(default)]
    certificate_sha256_digest: Vec<String>,
    version_code: Option<Number>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenDevice {
    #[serde(default)]
    device_recognition_verdict: Vec<String>,
    device_attributes: Option<WrittenAttributes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenAttributes {
    sdk_version: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenAccount {
    app_licensing_verdict: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenEnvironment {
    play_protect_verdict: Option<String>,
}

/// 64-bit numbers come as strings, and from some versions as numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Text(String),
}

impl Number {
    fn read(&self) -> Option<u64> {
        match self {
            Number::Number(number) => Some(*number),
            Number::Text(text) => text.parse().ok(),
        }
    }
}
