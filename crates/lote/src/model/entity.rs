//! `TrustedEntitiesList` (6.4 to 6.7).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{PostalAddress, Text, TextUri};

/// A trusted entity and its services (6.4.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Entity {
    /// 6.5.
    #[serde(rename = "TrustedEntityInformation", default)]
    pub information: EntityInformation,
    /// 6.4.2.
    #[serde(rename = "TrustedEntityServices", default)]
    pub services: Vec<Service>,
    /// Members that the standard does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Entity {
    /// Whether a service of it has a status, now or before.
    pub(crate) fn has_status(&self) -> bool {
        self.services.iter().any(|service| {
            service.information.service_status.is_some()
                || service.information.status_starting_time.is_some()
                || !service.history.is_empty()
        })
    }

    /// The English name, or the first one, or nothing.
    pub fn name(&self) -> &str {
        let names = &self.information.name;
        names
            .iter()
            .find(|n| n.lang.as_deref() == Some("en"))
            .or_else(|| names.first())
            .map(Text::text)
            .unwrap_or_default()
    }
}

/// Who the entity is (6.5).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct EntityInformation {
    /// 6.5.1.
    #[serde(rename = "TEName", default, skip_serializing_if = "Vec::is_empty")]
    pub name: Vec<Text>,
    /// 6.5.2: official registration identifiers, and other names.
    #[serde(rename = "TETradeName", default, skip_serializing_if = "Vec::is_empty")]
    pub trade_name: Vec<Text>,
    /// 6.5.3.
    #[serde(rename = "TEAddress", default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// 6.5.4.
    #[serde(
        rename = "TEInformationURI",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub information_uri: Vec<TextUri>,
    /// 6.5.5.
    #[serde(
        rename = "TEInformationExtensions",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub extensions: Vec<Value>,
    /// Members that the standard does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// An entity's addresses (6.5.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Address {
    /// 6.5.3.1.
    #[serde(
        rename = "TEPostalAddress",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub postal: Vec<PostalAddress>,
    /// 6.5.3.2: `mailto:`, web and `tel:` URIs.
    #[serde(
        rename = "TEElectronicAddress",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub electronic: Vec<TextUri>,
    /// Members that the standard does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One service of an entity (6.4.3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Service {
    /// 6.6.
    #[serde(rename = "ServiceInformation", default)]
    pub information: ServiceInformation,
    /// 6.4.4, newest first.
    #[serde(
        rename = "ServiceHistory",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub history: Vec<HistoryInstance>,
    /// Members that the standard does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What a service is and by what it is known (6.6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
pub struct ServiceInformation {
    /// 6.6.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_type_identifier: Option<String>,
    /// 6.6.2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_name: Vec<Text>,
    /// 6.6.3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_digital_identity: Option<ServiceIdentity>,
    /// 6.6.4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_status: Option<String>,
    /// 6.6.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_starting_time: Option<String>,
    /// 6.6.6.
    #[serde(
        rename = "SchemeServiceDefinitionURI",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub scheme_service_definition_uri: Vec<TextUri>,
    /// 6.6.7.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_supply_points: Vec<SupplyPoint>,
    /// 6.6.8.
    #[serde(
        rename = "ServiceDefinitionURI",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub service_definition_uri: Vec<TextUri>,
    /// 6.6.9.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_information_extensions: Vec<Value>,
    /// Members that the standard does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// By what a service is known (6.6.3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct ServiceIdentity {
    /// 6.6.3.1.
    #[serde(
        rename = "X509Certificates",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub certificates: Vec<PkiObject>,
    /// 6.6.3.2.
    #[serde(
        rename = "X509SubjectNames",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub subject_names: Vec<String>,
    /// 6.6.3.3: JWKs.
    #[serde(
        rename = "PublicKeyValues",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub public_keys: Vec<Value>,
    /// 6.6.3.4: subject key identifiers, base64.
    #[serde(rename = "X509SKIs", default, skip_serializing_if = "Vec::is_empty")]
    pub skis: Vec<String>,
    /// 6.6.3.5.
    #[serde(rename = "OtherIds", default, skip_serializing_if = "Vec::is_empty")]
    pub other_ids: Vec<Value>,
    /// Members that the standard does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A certificate in base64 (the schema's `pkiOb`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct PkiObject {
    /// The encoding, DER when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// The specification it follows.
    #[serde(rename = "specRef", default, skip_serializing_if = "Option::is_none")]
    pub spec_ref: Option<String>,
    /// Base64 of the DER.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val: Option<String>,
    /// Members that the standard does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Where a service is found (6.6.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct SupplyPoint {
    /// What is found there.
    #[serde(
        rename = "ServiceType",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub service_type: Option<String>,
    /// Where.
    #[serde(rename = "uriValue", default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Members that the standard does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// An earlier status of a service (6.7).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
pub struct HistoryInstance {
    /// 6.6.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_type_identifier: Option<String>,
    /// 6.6.2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_name: Vec<Text>,
    /// 6.6.3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_digital_identity: Option<ServiceIdentity>,
    /// 6.6.4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_status: Option<String>,
    /// 6.6.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_starting_time: Option<String>,
    /// 6.6.9.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_information_extensions: Vec<Value>,
    /// Members that the standard does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}
