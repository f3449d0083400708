//! The profiles of the standard: Annexes D to I, and the lists of mobile driving
//! licence providers.

/// Which list this is, and so which of the annexes it has to hold to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Profile {
    /// Annex D: providers of person identification data.
    Pid,
    /// Annex E: wallet providers.
    Wallet,
    /// Annex F: providers of wallet-relying party access certificates.
    Access,
    /// Annex G: providers of wallet-relying party registration certificates.
    Registration,
    /// Annex H: public sector bodies that issue attestations of attributes.
    PubEaa,
    /// Annex I: registrars and registers.
    Registrars,
    /// Providers of mobile driving licences. TS 119 602 has no annex for them.
    Mdl,
}

/// What a service of a list does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServiceKind {
    /// It issues what the list is about.
    Issuance,
    /// It says whether what was issued is still valid.
    Revocation,
    /// It is a register (Annex I).
    Register,
}

/// The base of the URIs that ETSI registered for these lists (Annex C.2).
pub const BASE: &str = "http://uri.etsi.org/19602/";

/// Annex H: the entity may issue.
pub const STATUS_NOTIFIED: &str =
    "http://uri.etsi.org/19602/PubEAAProvidersList/SvcStatus/notified";
/// Annex H: the entity may not issue any more.
pub const STATUS_WITHDRAWN: &str =
    "http://uri.etsi.org/19602/PubEAAProvidersList/SvcStatus/withdrawn";

/// Whether a component is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Required,
    Forbidden,
    Free,
}

/// The annex of a profile as a table.
#[derive(Debug)]
pub(crate) struct Table {
    /// The annex's letter, none for mDL.
    pub(crate) annex: Option<char>,
    pub(crate) lote_type: &'static str,
    /// The first is what we write, the others are read as well.
    pub(crate) status_determination: &'static [&'static str],
    pub(crate) community_rules: &'static str,
    pub(crate) services: &'static [(&'static str, ServiceKind)],
    /// The part before `/CC` of the URI that names the responsible Member State.
    pub(crate) responsible: Option<&'static str>,
    /// Annex H wants that URI among the electronic addresses.
    pub(crate) responsible_in_address: bool,
    /// Whether SchemeInformationURI leads to earlier instances too.
    pub(crate) archive: bool,
    pub(crate) pointers: Presence,
    pub(crate) status: Presence,
    /// 65535 for Annex H, absent elsewhere.
    pub(crate) history: Presence,
    pub(crate) six_months: bool,
}

macro_rules! base {
    ($rest:literal) => {
        concat!("http://uri.etsi.org/19602/", $rest)
    };
}

const fn annex(letter: char) -> Table {
    Table {
        annex: Some(letter),
        lote_type: "",
        status_determination: &[],
        community_rules: "",
        services: &[],
        responsible: None,
        responsible_in_address: false,
        archive: true,
        pointers: Presence::Required,
        status: Presence::Forbidden,
        history: Presence::Forbidden,
        six_months: true,
    }
}

static PID: Table = Table {
    lote_type: base!("LoTEType/EUPIDProvidersList"),
    status_determination: &[base!("PIDProvidersList/StatusDetn/EU")],
    community_rules: base!("PIDProviders/schemerules/EU"),
    services: &[
        (base!("SvcType/PID/Issuance"), ServiceKind::Issuance),
        (base!("SvcType/PID/Revocation"), ServiceKind::Revocation),
    ],
    responsible: Some(base!("ListOfTrustedEntities/PIDProvider/")),
    ..annex('D')
};

static WALLET: Table = Table {
    lote_type: base!("LoTEType/EUWalletProvidersList"),
    status_determination: &[base!("WalletProvidersList/StatusDetn/EU")],
    community_rules: base!("WalletProvidersList/schemerules/EU"),
    services: &[
        (
            base!("SvcType/WalletSolution/Issuance"),
            ServiceKind::Issuance,
        ),
        (
            base!("SvcType/WalletSolution/Revocation"),
            ServiceKind::Revocation,
        ),
    ],
    responsible: Some(base!("ListOfTrustedEntities/WalletProvider/")),
    ..annex('E')
};

static ACCESS: Table = Table {
    lote_type: base!("LoTEType/EUWRPACProvidersList"),
    status_determination: &[base!("WRPACProvidersList/StatusDetn/EU")],
    community_rules: base!("WRPACProvidersList/schemerules/EU"),
    services: &[
        (base!("SvcType/WRPAC/Issuance"), ServiceKind::Issuance),
        (base!("SvcType/WRPAC/Revocation"), ServiceKind::Revocation),
    ],
    responsible: Some(base!("ListOfTrustedEntities/WRPACProvider/")),
    ..annex('F')
};

static REGISTRATION: Table = Table {
    lote_type: base!("LoTEType/EUWRPRCProvidersList"),
    // The standard itself drops the P, in Table G.1 and in C.2.2 alike.
    status_determination: &[
        base!("WRPRCrovidersList/StatusDetn/EU"),
        base!("WRPRCProvidersList/StatusDetn/EU"),
    ],
    community_rules: base!("WRPRCProvidersList/schemerules/EU"),
    services: &[
        (base!("SvcType/WRPRC/Issuance"), ServiceKind::Issuance),
        (base!("SvcType/WRPRC/Revocation"), ServiceKind::Revocation),
    ],
    responsible: Some(base!("ListOfTrustedEntities/WRPRCProvider/")),
    ..annex('G')
};

static PUB_EAA: Table = Table {
    lote_type: base!("LoTEType/EUPubEAAProvidersList"),
    status_determination: &[base!("PubEAAProvidersList/StatusDetn/EU")],
    community_rules: base!("PubEAAProvidersList/schemerules/EU"),
    services: &[
        (base!("SvcType/PubEAA/Issuance"), ServiceKind::Issuance),
        (base!("SvcType/PubEAA/Revocation"), ServiceKind::Revocation),
    ],
    responsible: Some(base!("ListOfTrustedEntities/PubEAAProvider/")),
    responsible_in_address: true,
    archive: false,
    pointers: Presence::Forbidden,
    status: Presence::Required,
    history: Presence::Required,
    ..annex('H')
};

static REGISTRARS: Table = Table {
    lote_type: base!("LoTEType/EURegistrarsAndRegistersList"),
    status_determination: &[base!("RegistrarsAndRegistersList/StatusDetn/EU")],
    community_rules: base!("RegistrarsAndRegistersList/schemerules/EU"),
    services: &[(base!("SvcType/Register"), ServiceKind::Register)],
    responsible: Some(base!("ListOfTrustedEntities/Registrar/")),
    ..annex('I')
};

static MDL: Table = Table {
    annex: None,
    lote_type: "http://trust.ec.europa.eu/lists/mDL/mDLProvidersListType",
    status_determination: &["http://trust.ec.europa.eu/lists/mDL/mDLProvidersListStatusDetn"],
    community_rules: "http://trust.ec.europa.eu/lists/mDL/schemerules",
    services: &[
        (
            "http://trust.ec.europa.eu/lists/mDL/SvcType/Issuance",
            ServiceKind::Issuance,
        ),
        (
            "http://trust.ec.europa.eu/lists/mDL/SvcType/Revocation",
            ServiceKind::Revocation,
        ),
        // Published lists use these as well.
        (base!("SvcType/mDL/Issuance"), ServiceKind::Issuance),
        (base!("SvcType/mDL/Revocation"), ServiceKind::Revocation),
    ],
    pointers: Presence::Free,
    status: Presence::Free,
    history: Presence::Free,
    archive: false,
    six_months: false,
    ..annex('-')
};

impl Profile {
    /// All of them.
    pub const ALL: [Profile; 7] = [
        Profile::Pid,
        Profile::Wallet,
        Profile::Access,
        Profile::Registration,
        Profile::PubEaa,
        Profile::Registrars,
        Profile::Mdl,
    ];

    /// The profile that a LoTEType announces.
    pub fn of_type(lote_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.lote_type() == lote_type)
    }

    /// The profile by its name on the command line.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Pid => "pid",
            Profile::Wallet => "wallet",
            Profile::Access => "access",
            Profile::Registration => "registration",
            Profile::PubEaa => "pub-eaa",
            Profile::Registrars => "registrars",
            Profile::Mdl => "mdl",
        }
    }

    /// The LoTEType of its lists.
    pub fn lote_type(self) -> &'static str {
        self.table().lote_type
    }

    /// The URI of its services of this kind, as we write it.
    pub fn service_type(self, kind: ServiceKind) -> Option<&'static str> {
        let found = self.table().services.iter().find(|(_, k)| *k == kind);
        found.map(|(uri, _)| *uri)
    }

    /// What a service of this type does in its lists.
    pub fn service_kind(self, service_type: &str) -> Option<ServiceKind> {
        let services = self.table().services;
        let found = services.iter().find(|(uri, _)| *uri == service_type);
        found.map(|(_, kind)| *kind)
    }

    pub(crate) fn table(self) -> &'static Table {
        match self {
            Profile::Pid => &PID,
            Profile::Wallet => &WALLET,
            Profile::Access => &ACCESS,
            Profile::Registration => &REGISTRATION,
            Profile::PubEaa => &PUB_EAA,
            Profile::Registrars => &REGISTRARS,
            Profile::Mdl => &MDL,
        }
    }
}

impl std::fmt::Display for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
