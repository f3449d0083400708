//! `ListAndSchemeInformation` (6.3).

use pki::Certificate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ServiceIdentity, Text, TextUri, nullable};
use crate::cert::{self, Read};

/// `ListAndSchemeInformation` (6.3): the list, its operator and its scheme.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
pub struct SchemeInformation {
    /// 6.3.1.
    #[serde(
        rename = "LoTEVersionIdentifier",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub version: Option<i64>,
    /// 6.3.2.
    #[serde(
        rename = "LoTESequenceNumber",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub sequence: Option<i64>,
    /// 6.3.3.
    #[serde(rename = "LoTEType", default, skip_serializing_if = "Option::is_none")]
    pub lote_type: Option<String>,
    /// 6.3.4.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scheme_operator_name: Vec<Text>,
    /// 6.3.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme_operator_address: Option<Addresses>,
    /// 6.3.6.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scheme_name: Vec<Text>,
    /// 6.3.7.
    #[serde(
        rename = "SchemeInformationURI",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub scheme_information_uri: Vec<TextUri>,
    /// 6.3.8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_determination_approach: Option<String>,
    /// 6.3.9.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scheme_type_community_rules: Vec<TextUri>,
    /// 6.3.10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme_territory: Option<String>,
    /// 6.3.11.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy_or_legal_notice: Vec<PolicyOrLegalNotice>,
    /// 6.3.12.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub historical_information_period: Option<i64>,
    /// 6.3.13, as the clause and the JSON schema spell it.
    #[serde(
        rename = "PointersToOtherLoTE",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub pointers_to_other_lote: Vec<Pointer>,
    /// 6.3.13, as 6.3.0 and Table 1 spell it.
    #[serde(
        rename = "PointerToOtherLoTE",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub pointer_to_other_lote: Vec<Pointer>,
    /// 6.3.14.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list_issue_date_time: Option<String>,
    /// 6.3.15: absent, null (a closed list), or a time.
    #[serde(
        default,
        deserialize_with = "nullable",
        skip_serializing_if = "Option::is_none"
    )]
    pub next_update: Option<Option<String>>,
    /// 6.3.16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub distribution_points: Vec<String>,
    /// 6.3.17.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scheme_extensions: Vec<Value>,
    /// Members that the standard does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl SchemeInformation {
    /// The pointers, under whichever of the two spellings they stand.
    pub fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        self.pointers_to_other_lote
            .iter()
            .chain(&self.pointer_to_other_lote)
    }

    /// The pointers to the list that they stand in. They announce who seals its
    /// versions from the next one on; a pointer to the like list of another
    /// territory or operator announces nobody for this one.
    pub fn own_pointers(&self) -> impl Iterator<Item = &Pointer> {
        let own = self.own();
        self.pointers().filter(move |p| p.is_to(&own))
    }

    /// The pointers to other lists.
    pub fn pointers_elsewhere(&self) -> impl Iterator<Item = &Pointer> {
        let own = self.own();
        self.pointers().filter(move |p| !p.is_to(&own))
    }

    pub(crate) fn own_pointers_mut(&mut self) -> impl Iterator<Item = &mut Pointer> {
        let own = Own {
            lote_type: self.lote_type.as_deref(),
            territory: self.scheme_territory.as_deref(),
            operator: &self.scheme_operator_name,
        };
        self.pointers_to_other_lote
            .iter_mut()
            .chain(&mut self.pointer_to_other_lote)
            .filter(move |p| p.is_to(&own))
    }

    fn own(&self) -> Own<'_> {
        Own {
            lote_type: self.lote_type.as_deref(),
            territory: self.scheme_territory.as_deref(),
            operator: &self.scheme_operator_name,
        }
    }
}

/// What a list says of itself, by which a pointer to it is known.
struct Own<'s> {
    lote_type: Option<&'s str>,
    territory: Option<&'s str>,
    operator: &'s [Text],
}

/// Postal and electronic addresses (6.3.5), here the scheme operator's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Addresses {
    /// 6.3.5.1.
    #[serde(
        rename = "SchemeOperatorPostalAddress",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub postal: Vec<PostalAddress>,
    /// 6.3.5.2: `mailto:`, web and `tel:` URIs.
    #[serde(
        rename = "SchemeOperatorElectronicAddress",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub electronic: Vec<TextUri>,
    /// Members that the standard does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A postal address in one language (6.3.5.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
pub struct PostalAddress {
    /// The language it is written in.
    #[serde(rename = "lang", default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// Street and number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub street_address: Option<String>,
    /// Town.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locality: Option<String>,
    /// State or province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_or_province: Option<String>,
    /// Postal code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// Two-letter country code (6.1.5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Members that the standard does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One policy or one legal notice (6.3.11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct PolicyOrLegalNotice {
    /// A pointer to the policy.
    #[serde(
        rename = "LoTEPolicy",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub policy: Option<TextUri>,
    /// The text of the notice.
    #[serde(
        rename = "LoTELegalNotice",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub notice: Option<LegalNotice>,
    /// Members that the standard does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A legal notice: the text of 6.3.11 makes it multilingual, the JSON schema a
/// plain string. Both are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LegalNotice {
    /// As the schema has it.
    Plain(String),
    /// As the text has it.
    Multilingual(Text),
}

/// A pointer to a list (6.3.13).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Pointer {
    /// Where that list is.
    #[serde(
        rename = "LoTELocation",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub location: Option<String>,
    /// Who seals it.
    #[serde(
        rename = "ServiceDigitalIdentities",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub identities: Vec<ServiceIdentity>,
    /// What it is.
    #[serde(
        rename = "LoTEQualifiers",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub qualifiers: Vec<Qualifier>,
    /// Members that the standard does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Pointer {
    /// The certificates of those who seal the list, as far as they can be read.
    pub fn certificates(&self) -> impl Iterator<Item = Certificate> {
        let objects = self.identities.iter().flat_map(|i| &i.certificates);
        objects.filter_map(|object| match cert::read(object) {
            Read::Good(certificate) | Read::Sloppy(certificate, _) => Some(certificate),
            Read::Bad(_) => None,
        })
    }

    fn is_to(&self, own: &Own<'_>) -> bool {
        self.qualifiers.iter().any(|q| q.describes(own))
    }
}

/// What a pointer says about the list it points to (6.3.13 c).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
pub struct Qualifier {
    /// Its type.
    #[serde(rename = "LoTEType", default, skip_serializing_if = "Option::is_none")]
    pub lote_type: Option<String>,
    /// Its operator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scheme_operator_name: Vec<Text>,
    /// Its rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scheme_type_community_rules: Vec<TextUri>,
    /// Its territory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme_territory: Option<String>,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Members that the standard does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Qualifier {
    /// Whether this is what a list says of itself: its type, and its territory and
    /// operator where they are said.
    fn describes(&self, own: &Own<'_>) -> bool {
        let territory = self.scheme_territory.as_deref();
        let named = |name: &Text| own.operator.iter().any(|o| o.text() == name.text());
        self.lote_type.is_some()
            && self.lote_type.as_deref() == own.lote_type
            && (territory.is_none() || territory == own.territory)
            && (self.scheme_operator_name.is_empty() || self.scheme_operator_name.iter().any(named))
    }
}
