//! What a chain is to be trusted for.

use lote::ServiceKind;

/// What a chain is to be trusted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Context {
    /// It signed a PID.
    Pid,
    /// It signed the status list of PIDs.
    PidStatus,
    /// It signed a WIA or KA.
    Wallet,
    /// It signed the status list of WIAs or KAs.
    WalletStatus,
    /// It is a wallet-relying party's access certificate.
    AccessCertificate,
    /// It signed a registration certificate.
    RegistrationCertificate,
    /// It signed the status list of registration certificates.
    RegistrationCertificateStatus,
    /// It signed an attestation of a public sector body.
    PubEaa,
    /// It signed the status list of such attestations.
    PubEaaStatus,
    /// It signed a mobile driving licence.
    Mdl,
    /// It signed the status list of mobile driving licences.
    MdlStatus,
}

/// There is no context of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no context {0:?}: one of {names} is expected", names = names())]
pub struct UnknownContext(pub String);

/// How a context may tie a chain to an anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ways {
    /// As the policy says.
    ByPolicy,
    /// By a path alone.
    Pkix,
    /// By either, whatever the policy says.
    Either,
}

impl Context {
    /// All of them.
    pub const ALL: [Context; 11] = [
        Context::Pid,
        Context::PidStatus,
        Context::Wallet,
        Context::WalletStatus,
        Context::AccessCertificate,
        Context::RegistrationCertificate,
        Context::RegistrationCertificateStatus,
        Context::PubEaa,
        Context::PubEaaStatus,
        Context::Mdl,
        Context::MdlStatus,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Context::Pid => "pid",
            Context::PidStatus => "pid-status",
            Context::Wallet => "wallet",
            Context::WalletStatus => "wallet-status",
            Context::AccessCertificate => "access-certificate",
            Context::RegistrationCertificate => "registration-certificate",
            Context::RegistrationCertificateStatus => "registration-certificate-status",
            Context::PubEaa => "pub-eaa",
            Context::PubEaaStatus => "pub-eaa-status",
            Context::Mdl => "mdl",
            Context::MdlStatus => "mdl-status",
        }
    }

    /// The lists it is decided by.
    pub fn list(self) -> lote::Profile {
        match self {
            Context::Pid | Context::PidStatus => lote::Profile::Pid,
            Context::Wallet | Context::WalletStatus => lote::Profile::Wallet,
            Context::AccessCertificate => lote::Profile::Access,
            Context::RegistrationCertificate | Context::RegistrationCertificateStatus => {
                lote::Profile::Registration
            }
            Context::PubEaa | Context::PubEaaStatus => lote::Profile::PubEaa,
            Context::Mdl | Context::MdlStatus => lote::Profile::Mdl,
        }
    }

    /// The services of these lists it is decided by.
    pub fn service(self) -> ServiceKind {
        match self {
            Context::PidStatus
            | Context::WalletStatus
            | Context::RegistrationCertificateStatus
            | Context::PubEaaStatus
            | Context::MdlStatus => ServiceKind::Revocation,
            _ => ServiceKind::Issuance,
        }
    }

    /// The profile of its leaf certificates, where there is one.
    pub fn leaf(self) -> Option<pki::Profile> {
        match self {
            Context::Pid => Some(pki::Profile::Pid),
            Context::Wallet => Some(pki::Profile::Wallet),
            Context::AccessCertificate => Some(pki::Profile::Access),
            Context::PubEaa => Some(pki::Profile::PubEaa),
            Context::RegistrationCertificate | Context::Mdl => None,
            _ => Some(pki::Profile::StatusList),
        }
    }

    /// The profile that its leaf is judged as, where it has none of its own as one
    /// that signs.
    pub(crate) fn used_as(self) -> pki::Profile {
        self.leaf().unwrap_or(pki::Profile::StatusList)
    }

    pub(crate) fn ways(self) -> Ways {
        match self.list() {
            lote::Profile::Access | lote::Profile::Registration => Ways::Pkix,
            lote::Profile::PubEaa | lote::Profile::Mdl => Ways::Either,
            _ => Ways::ByPolicy,
        }
    }
}

impl std::fmt::Display for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Context {
    type Err = UnknownContext;

    fn from_str(name: &str) -> Result<Self, UnknownContext> {
        Self::ALL
            .into_iter()
            .find(|context| context.name() == name)
            .ok_or_else(|| UnknownContext(name.chars().take(40).collect()))
    }
}

fn names() -> String {
    Context::ALL.map(Context::name).join(", ")
}
