use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use jose::{Curve, Signer};
use pki::{AltName, Certificate, CrlRequest, Issuer, Policy, Profile, Request, Subject};
use wscd::{DeviceSigner, KeyName, Wscd};

use crate::exit::{Doing, Failure};
use crate::{files, input};

/// A party: its key, which stays in the device, and its certificate.
#[derive(Debug, Clone)]
pub(crate) struct Party {
    pub(crate) signer: Arc<DeviceSigner>,
    pub(crate) certificate: Certificate,
}

/// Every party of the circle but the user.
#[derive(Debug)]
pub(crate) struct TestBed {
    /// Seals the lists.
    pub(crate) operator: Party,
    /// Seals WIA and KA.
    pub(crate) wallet_provider: Party,
    /// Seals status lists, for the wallet provider.
    pub(crate) wallet_status: Party,
    /// Issues PIDs.
    pub(crate) pid_provider: Party,
    /// Issues access certificates.
    pub(crate) access_ca: Party,
    /// The PID provider's access certificate.
    pub(crate) access: Party,
}

/// How the sample parties are named, in certificates and lists alike.
pub(crate) mod names {
    pub(crate) const COUNTRY: &str = "DE";
    pub(crate) const OPERATOR: &str = "Sample List Operator";
    pub(crate) const TERRITORY: &str = "EU";
    pub(crate) const WALLET_PROVIDER: (&str, &str) =
        ("Sample Wallet Provider GmbH", "NTRDE-HRB100001");
    pub(crate) const PID_PROVIDER: (&str, &str) = ("Sample PID Provider GmbH", "NTRDE-HRB100002");
    pub(crate) const ACCESS_CA: (&str, &str) = ("Sample Access CA GmbH", "NTRDE-HRB100003");
}

const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);

/// The folder a certificate is kept in, where its CA publishes, and when it is made.
struct Maker<'a> {
    device: &'a Arc<dyn Wscd>,
    folder: PathBuf,
    ca_url: &'a str,
    at: Timestamp,
}

/// The names of the files that the access CA publishes.
const CA_FILE: &str = "access-ca.cer";
const CRL_FILE: &str = "access-ca.crl";

impl TestBed {
    /// Opens the test bed in `folder`, making what is missing; `ca_url` is where
    /// the folder of [`TestBed::publish`] is served. A certificate that does not
    /// fit its key or that address any more, or ends within a week, is made anew.
    pub(crate) async fn open(
        device: &Arc<dyn Wscd>,
        folder: &Path,
        ca_url: &str,
        at: Timestamp,
    ) -> Result<Self, Failure> {
        std::fs::create_dir_all(folder).doing(folder.display())?;
        let maker = Maker {
            device,
            folder: folder.to_owned(),
            ca_url,
            at,
        };
        let legal = |(name, id): (&str, &str), what: &str| {
            Subject::legal(names::COUNTRY, name, id, &format!("{name}, {what}"))
        };
        let operator = Subject::legal(
            names::TERRITORY,
            names::OPERATOR,
            "NTREU-000001",
            "Sample list operator, lists of trusted entities",
        );
        let access_ca = maker
            .party(
                "access-ca",
                legal(names::ACCESS_CA, "access certificates"),
                Profile::Ca,
                None,
            )
            .await?;
        Ok(Self {
            operator: maker
                .party("list-operator", operator, Profile::ListOperator, None)
                .await?,
            wallet_provider: maker
                .party(
                    "wallet-provider",
                    legal(names::WALLET_PROVIDER, "wallet unit attestations"),
                    Profile::Wallet,
                    None,
                )
                .await?,
            wallet_status: maker
                .party(
                    "wallet-status",
                    legal(names::WALLET_PROVIDER, "status lists"),
                    Profile::StatusList,
                    None,
                )
                .await?,
            pid_provider: maker
                .party(
                    "pid-provider",
                    legal(names::PID_PROVIDER, "person identification data"),
                    Profile::Pid,
                    None,
                )
                .await?,
            access: maker
                .party(
                    "access",
                    legal(names::PID_PROVIDER, "access"),
                    Profile::Access,
                    Some(&access_ca),
                )
                .await?,
            access_ca,
        })
    }

    /// Puts what the access CA publishes, its certificate and its CRL, into `folder`.
    pub(crate) async fn publish(&self, folder: &Path, at: Timestamp) -> Result<(), Failure> {
        std::fs::create_dir_all(folder).doing(folder.display())?;
        let ca = &self.access_ca;
        let number = u64::try_from(at.as_second()).unwrap_or_default();
        let request = CrlRequest {
            number,
            this_update: at,
            next_update: at + SignedDuration::from_hours(7 * 24),
            revoked: Vec::new(),
            scope: None,
            delta_base: None,
        };
        let crl = pki::issue_crl(&request, &ca.certificate, ca.signer.as_ref())
            .await
            .doing("the CRL of the sample access CA")?;
        let files = [(CA_FILE, ca.certificate.der()), (CRL_FILE, crl.as_slice())];
        for (name, content) in files {
            let path = folder.join(name);
            files::write(&path, content).doing(path.display())?;
        }
        Ok(())
    }

    /// The parties with the file names of their certificates.
    pub(crate) fn parties(&self) -> [(&'static str, &Party, Profile); 6] {
        [
            ("list-operator", &self.operator, Profile::ListOperator),
            ("wallet-provider", &self.wallet_provider, Profile::Wallet),
            ("wallet-status", &self.wallet_status, Profile::StatusList),
            ("pid-provider", &self.pid_provider, Profile::Pid),
            ("access-ca", &self.access_ca, Profile::Ca),
            ("access", &self.access, Profile::Access),
        ]
    }
}

impl Maker<'_> {
    async fn party(
        &self,
        name: &'static str,
        subject: Subject,
        profile: Profile,
        ca: Option<&Party>,
    ) -> Result<Party, Failure> {
        let key = KeyName::new(format!("sample-{name}")).doing(name)?;
        let signer = DeviceSigner::open(Arc::clone(self.device), key, Curve::P256)
            .await
            .doing(format_args!("the key of the sample {name}"))?;
        let path = self.folder.join(format!("{name}.pem"));
        let certificate = match self.kept(&path, &signer, ca)? {
            Some(kept) => kept,
            None => {
                let made = self
                    .issue(subject, profile, &signer, ca)
                    .await
                    .doing(format_args!("the certificate of the sample {name}"))?;
                files::write(
                    &path,
                    pki::chain::to_pem(std::slice::from_ref(&made)).as_bytes(),
                )
                .doing(path.display())?;
                made
            }
        };
        Ok(Party {
            signer: Arc::new(signer),
            certificate,
        })
    }

    /// The certificate that is there already, if it still serves.
    fn kept(
        &self,
        path: &Path,
        signer: &DeviceSigner,
        ca: Option<&Party>,
    ) -> Result<Option<Certificate>, Failure> {
        if !path.exists() {
            return Ok(None);
        }
        let chain = input::certificates(path)?;
        let week = SignedDuration::from_hours(7 * 24);
        Ok(chain.into_iter().next().filter(|certificate| {
            let fits = certificate
                .public_key()
                .is_ok_and(|key| &key == signer.public_key());
            let issued =
                ca.is_none_or(|ca| certificate.issuer_der() == ca.certificate.subject_der());
            let published = ca.is_none()
                || certificate
                    .crl_urls()
                    .iter()
                    .any(|url| url.starts_with(self.ca_url));
            fits && issued
                && published
                && certificate.not_before() <= self.at
                && certificate.not_after().duration_since(self.at) > week
        }))
    }

    async fn issue(
        &self,
        subject: Subject,
        profile: Profile,
        signer: &DeviceSigner,
        ca: Option<&Party>,
    ) -> Result<Certificate, pki::IssueError> {
        // A day back, so that a reader whose clock runs behind takes it too.
        let not_before = self.at - SignedDuration::from_hours(24);
        let not_after = self.at + YEAR;
        let mut request = Request::new(
            profile,
            subject,
            signer.public_key().clone(),
            not_before,
            not_after,
        );
        if profile == Profile::Access {
            request.alt_names = vec![AltName::Uri("https://pid.example/contact".into())];
            request.ca_issuers_urls = vec![format!("{}/{CA_FILE}", self.ca_url)];
            request.crl_urls = vec![format!("{}/{CRL_FILE}", self.ca_url)];
            request.policies = vec![Policy {
                id: pki::oid::NCP_L_EUDIWRP,
                cps: vec!["https://access.example/cps".into()],
            }];
        }
        if profile == Profile::Ca {
            request.path_len = Some(0);
        }
        let issuer = match ca {
            None => Issuer::Itself(signer),
            Some(ca) => Issuer::Ca {
                certificate: &ca.certificate,
                signer: ca.signer.as_ref(),
            },
        };
        pki::issue(&request, issuer).await
    }
}
