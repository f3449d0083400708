use finding::{Finding, Trusted, Verdict};
use jiff::Timestamp;
use serde::Serialize;
use wrp::{AuthorizationRequest, IssuerMetadata, RegistrationCertificate};

/// What became of a token: who speaks, and what they may do.
#[derive(Debug, Clone, Serialize)]
pub struct CounterpartVerdict {
    /// What the token is.
    pub kind: Kind,
    /// The time the answer holds for.
    pub at: Timestamp,
    /// Who are you?
    pub identity: Half,
    /// What may you do?
    pub entitlement: Half,
    /// How the access certificate was judged.
    pub access: Option<Verdict>,
    /// What the token says.
    pub said: Option<Said>,
    /// The registration certificates, in their order.
    pub registrations: Vec<Registration>,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Signed credential-issuer metadata.
    IssuerMetadata,
    /// An authorization request.
    AuthorizationRequest,
    /// A registration certificate by itself.
    Registration,
    /// Neither.
    Unknown,
}

/// The answer to one of the two questions, and why.
#[derive(Debug, Clone, Serialize)]
pub struct Half {
    answer: Trusted,
    findings: Vec<Finding>,
}

/// What a token says.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Said {
    /// What is asked.
    Request(AuthorizationRequest),
    /// What is offered.
    Metadata(IssuerMetadata),
}

/// What became of a registration certificate.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Registration {
    /// What it says; absent when it is refused.
    pub certificate: Option<RegistrationCertificate>,
    /// How its signer was judged.
    pub signer: Option<Verdict>,
    /// What its status list said.
    pub status: Option<RegistrationStatus>,
}

/// What a status list said of a registration certificate.
#[derive(Debug, Clone, Serialize)]
pub struct RegistrationStatus {
    /// The list and the index.
    pub reference: status_list::Reference,
    /// What it said; absent when it could not be learnt.
    pub status: Option<status_list::Status>,
    /// When the list was issued.
    pub issued: Option<Timestamp>,
    /// How the list's signer was judged.
    pub signer: Option<Verdict>,
}

impl CounterpartVerdict {
    pub(super) fn new(kind: Kind, at: Timestamp) -> Self {
        Self {
            kind,
            at,
            identity: Half::default(),
            entitlement: Half::default(),
            access: None,
            said: None,
            registrations: Vec::new(),
        }
    }

    /// Both answers as one: yes when both are, no when one is. A registration
    /// certificate by itself is asked only what it allows.
    pub fn answer(&self) -> Trusted {
        let identity = self.identity.answer();
        let entitlement = self.entitlement.answer();
        match (self.kind, identity, entitlement) {
            (_, Trusted::No, _) | (_, _, Trusted::No) => Trusted::No,
            (Kind::Registration, ..) => entitlement,
            (_, Trusted::Yes, Trusted::Yes) => Trusted::Yes,
            _ => Trusted::Undecided,
        }
    }
}

impl Kind {
    /// What a token is by its form and `typ`, which nobody has vouched for.
    pub fn of(token: &[u8]) -> Self {
        if matches!(token.first(), Some(0xc0..=0xdb)) {
            return Self::Registration;
        }
        let text = std::str::from_utf8(token).unwrap_or_default().trim_ascii();
        let Ok(jws) = jose::jws::parse_accepting(text, of_any_size()) else {
            return Self::Unknown;
        };
        match jws.typ().unwrap_or_default() {
            "rc-wrp+jwt" => Self::Registration,
            typ => match wrp::StatementKind::of_typ(typ) {
                Some(wrp::StatementKind::IssuerMetadata) => Self::IssuerMetadata,
                Some(wrp::StatementKind::AuthorizationRequest) => Self::AuthorizationRequest,
                None => Self::Unknown,
            },
        }
    }

    /// Its name, as it stands in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::IssuerMetadata => "issuer-metadata",
            Self::AuthorizationRequest => "authorization-request",
            Self::Registration => "registration",
            Self::Unknown => "unknown",
        }
    }
}

fn of_any_size() -> jose::jws::Accept<'static> {
    jose::jws::Accept {
        max_bytes: wrp::MAX_STATEMENT,
        understood: &lote::jades::UNDERSTOOD,
    }
}

impl Half {
    /// Yes, no, or not known.
    pub fn answer(&self) -> Trusted {
        self.answer
    }

    /// Everything that was found.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// An error makes it a no; anything else is told beside.
    pub(super) fn add(&mut self, finding: Finding) {
        if finding.severity == finding::Severity::Error {
            self.answer = Trusted::No;
        }
        self.findings.push(finding);
    }

    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }

    /// Something that would have to be known for a yes.
    pub(super) fn open(&mut self, finding: Finding) {
        if self.answer == Trusted::Yes {
            self.answer = Trusted::Undecided;
        }
        self.add(finding);
    }
}

impl Default for Half {
    /// A yes, until something is found.
    fn default() -> Self {
        Self {
            answer: Trusted::Yes,
            findings: Vec::new(),
        }
    }
}
