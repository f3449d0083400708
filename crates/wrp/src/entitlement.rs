use serde::{Serialize, Serializer};

/// What a party is registered to do (TS 119 475, A.2 and A.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entitlement {
    /// A general service provider: it asks wallets for attestations.
    ServiceProvider,
    /// Issues qualified attestations.
    QeaaProvider,
    /// Issues non-qualified attestations.
    NonQEaaProvider,
    /// Issues attestations of a public sector body.
    PubEaaProvider,
    /// Issues person identification data.
    PidProvider,
    /// Issues qualified certificates for seals.
    SealCertificates,
    /// Issues qualified certificates for signatures.
    SignatureCertificates,
    /// Manages remote qualified seal creation devices.
    RemoteSealDevices,
    /// Manages remote qualified signature creation devices.
    RemoteSignatureDevices,
    /// Creates signatures or seals remotely, not qualified.
    RemoteCreation,
    /// A payment service provider, a kind of service provider (A.3.1).
    Payment(PaymentService),
    /// Another, which grants nothing here.
    Other(String),
}

/// The payment services of TS 119 475, A.3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentService {
    /// Account servicing.
    AccountServicing,
    /// Payment initiation.
    PaymentInitiation,
    /// Account information.
    AccountInformation,
    /// Issuing card-based payment instruments.
    CardIssuing,
    /// Not said which.
    Unspecified,
}

const BASE: &str = "https://uri.etsi.org/19475/Entitlement/";
const PAYMENT: &str = "https://uri.etsi.org/19475/SubEntitlement/psp/";
const SUB: &str = "https://uri.etsi.org/19475/SubEntitlement/";
const OID: &str = "0.4.0.19475.1.";

/// Each with the last part of its URI; its place is the last part of its OID.
const KNOWN: [(Entitlement, &str); 10] = [
    (Entitlement::ServiceProvider, "Service_Provider"),
    (Entitlement::QeaaProvider, "QEAA_Provider"),
    (Entitlement::NonQEaaProvider, "Non_Q_EAA_Provider"),
    (Entitlement::PubEaaProvider, "PUB_EAA_Provider"),
    (Entitlement::PidProvider, "PID_Provider"),
    (Entitlement::SealCertificates, "QCert_for_ESeal_Provider"),
    (
        Entitlement::SignatureCertificates,
        "QCert_for_ESig_Provider",
    ),
    (Entitlement::RemoteSealDevices, "rQSealCDs_Provider"),
    (Entitlement::RemoteSignatureDevices, "rQSigCDs_Provider"),
    (Entitlement::RemoteCreation, "ESig_ESeal_Creation_Provider"),
];

const PAYMENTS: [(PaymentService, &str); 5] = [
    (PaymentService::AccountServicing, "psp-as"),
    (PaymentService::PaymentInitiation, "psp-pi"),
    (PaymentService::AccountInformation, "psp-ai"),
    (PaymentService::CardIssuing, "psp-ic"),
    (PaymentService::Unspecified, "unspecified"),
];

impl Entitlement {
    /// The entitlement of a URI, or of an OID in dots (A.1).
    pub fn read(text: &str) -> Self {
        if let Some(name) = text.strip_prefix(BASE) {
            let known = KNOWN.iter().find(|(_, own)| *own == name);
            return known.map_or_else(|| Self::Other(text.to_owned()), |(e, _)| e.clone());
        }
        if let Some(name) = text.strip_prefix(PAYMENT) {
            let known = PAYMENTS.iter().find(|(_, own)| *own == name);
            return known.map_or_else(
                || Self::Other(text.to_owned()),
                |(service, _)| Self::Payment(*service),
            );
        }
        let place = text.strip_prefix(OID).and_then(|n| n.parse::<usize>().ok());
        place
            .and_then(|place| KNOWN.get(place.checked_sub(1)?))
            .filter(|(_, _)| text == format!("{OID}{}", place.unwrap_or_default()))
            .map_or_else(|| Self::Other(text.to_owned()), |(e, _)| e.clone())
    }

    /// Its URI.
    pub fn uri(&self) -> String {
        match self {
            Self::Other(text) => text.clone(),
            Self::Payment(service) => {
                let known = PAYMENTS.iter().find(|(own, _)| own == service);
                format!("{PAYMENT}{}", known.map_or("unspecified", |(_, name)| name))
            }
            known => {
                let name = KNOWN.iter().find(|(own, _)| own == known);
                format!("{BASE}{}", name.map_or("", |(_, name)| name))
            }
        }
    }

    /// Whether it is one of A.2.
    pub fn is_main(&self) -> bool {
        !matches!(self, Self::Payment(_) | Self::Other(_))
    }

    /// Whether it stands below [`Entitlement::is_main`], known or not (A.3).
    pub fn is_sub(&self) -> bool {
        match self {
            Self::Payment(_) => true,
            Self::Other(text) => text.starts_with(SUB),
            _ => false,
        }
    }

    /// Whether who has it may ask for attestations.
    pub fn asks(&self) -> bool {
        matches!(self, Self::ServiceProvider | Self::Payment(_))
    }

    /// Whether who has it may issue attestations that are no PID.
    pub fn attests(&self) -> bool {
        matches!(
            self,
            Self::QeaaProvider | Self::NonQEaaProvider | Self::PubEaaProvider
        )
    }
}

impl Serialize for Entitlement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.uri())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "https://uri.etsi.org/19475/Entitlement/PID_Provider",
        Entitlement::PidProvider
    )]
    #[case("0.4.0.19475.1.5", Entitlement::PidProvider)]
    #[case("0.4.0.19475.1.1", Entitlement::ServiceProvider)]
    #[case("0.4.0.19475.1.10", Entitlement::RemoteCreation)]
    #[case(
        "https://uri.etsi.org/19475/SubEntitlement/psp/psp-ai",
        Entitlement::Payment(PaymentService::AccountInformation)
    )]
    fn known(#[case] text: &str, #[case] expected: Entitlement) {
        assert_eq!(Entitlement::read(text), expected);
        assert_eq!(Entitlement::read(&expected.uri()), expected);
    }

    #[rstest]
    #[case("https://uri.etsi.org/19475/Entitlement/pid_provider")]
    #[case("http://uri.etsi.org/19475/Entitlement/PID_Provider")]
    #[case("https://uri.etsi.org/19475/Entitlement/PID_Provider/")]
    #[case("0.4.0.19475.1.0")]
    #[case("0.4.0.19475.1.11")]
    #[case("0.4.0.19475.1.+5")]
    #[case("0.4.0.19475.1.05")]
    #[case("PID_Provider")]
    fn unknown(#[case] text: &str) {
        assert_eq!(Entitlement::read(text), Entitlement::Other(text.to_owned()));
    }

    #[test]
    fn all_ten_have_their_uri_and_oid() {
        for (place, (entitlement, name)) in KNOWN.iter().enumerate() {
            assert_eq!(entitlement.uri(), format!("{BASE}{name}"));
            let oid = format!("{OID}{}", place + 1);
            assert_eq!(Entitlement::read(&oid), *entitlement);
        }
    }
}
