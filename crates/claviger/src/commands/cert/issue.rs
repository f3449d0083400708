//! `claviger cert issue`: conforming certificates for test beds, by keys that
//! stay in their device.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use finding::{CertificateRef, Finding};
use jiff::{SignedDuration, Timestamp};
use jose::Signer;
use pki::{AltName, Issuer, Policy, Profile, QcPsb, QcStatements, Request, Subject};
use serde::Serialize;
use wscd::{DeviceSigner, KeyName, Wscd};

use crate::exit::{Doing, Done, Failure, Outcome};
use crate::output::{Output, Report};
use crate::{files, input, runtime, time};

#[derive(Debug, clap::Args)]
pub(crate) struct Issue {
    /// The profile: pid, wallet, access, ca, list-operator, status-list …
    #[arg(long)]
    profile: Profile,
    /// The device that holds the keys: software:PATH?key-file=FILE, pkcs11:…
    #[arg(long)]
    device: String,
    /// The name of the key to certify; it is made if the device has none of it
    #[arg(long)]
    key: String,
    /// The subject, such as "C=BE,O=Org,organizationIdentifier=VATBE-0876866142,CN=Name",
    /// or "C=BE,givenName=Ada,surname=Jansens,CN=Ada Jansens,serialNumber=PNOBE-1"
    #[arg(long, value_parser = subject)]
    subject: Subject,
    /// The certificate of the CA that issues it (PEM); self-signed, if absent
    #[arg(long, requires = "issuer_key")]
    issuer: Option<PathBuf>,
    /// The name of the CA's key in the device
    #[arg(long, requires = "issuer")]
    issuer_key: Option<String>,
    /// Where the certificate goes (PEM)
    #[arg(long)]
    out: PathBuf,
    /// For how many days it is valid
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..))]
    days: u16,
    /// The start of its validity (RFC 3339); now, if absent
    #[arg(long)]
    not_before: Option<Timestamp>,
    /// Where its CRL is
    #[arg(long)]
    crl_url: Vec<String>,
    /// Where its OCSP responder is
    #[arg(long)]
    ocsp_url: Vec<String>,
    /// Where its issuer's certificate is
    #[arg(long)]
    ca_issuers_url: Vec<String>,
    /// How to reach the party: a URL, an e-mail address, or a telephone number
    /// that begins with +
    #[arg(long)]
    contact: Vec<String>,
    /// Where the practice statement of its policy is
    #[arg(long)]
    cps_url: Vec<String>,
    /// For a public sector body: the country of the law it stands on, or EU
    #[arg(long, requires_all = ["psb_source", "psb_law"])]
    psb_country: Option<String>,
    /// For a public sector body: the authentic source it is responsible for
    #[arg(long, requires = "psb_country")]
    psb_source: Option<String>,
    /// For a public sector body: the law it stands on
    #[arg(long, requires = "psb_country")]
    psb_law: Option<String>,
    /// For a CA: how many CAs may stand below it
    #[arg(long)]
    path_len: Option<u8>,
}

pub(super) fn run(args: &Issue, output: Output) -> Done {
    let issuer = match &args.issuer {
        None => None,
        Some(file) => {
            let mut chain = input::certificates(file)?;
            Some(chain.swap_remove(0))
        }
    };
    let issued = runtime::block_on(async {
        let device = crate::device::open(&args.device).await?;
        let key = signer(&device, &args.key).await?;
        let request = request(args, &key)?;
        let made = match (&issuer, &args.issuer_key) {
            (Some(certificate), Some(name)) => {
                let signer = signer(&device, name).await?;
                let ca = Issuer::Ca {
                    certificate,
                    signer: &signer,
                };
                pki::issue(&request, ca).await
            }
            _ => pki::issue(&request, Issuer::Itself(&key)).await,
        };
        match made {
            Ok(certificate) => Ok(Ok(certificate)),
            Err(pki::IssueError::NotConforming(refusal)) => Ok(Err(refusal)),
            Err(error) => Err(Failure::of("the certificate", &error)),
        }
    })?;
    let mut report = Issued {
        out: args.out.display().to_string(),
        profile: args.profile.to_string(),
        certificate: None,
        findings: vec![],
    };
    match issued {
        Ok(certificate) => {
            let pem = pki::chain::to_pem(std::slice::from_ref(&certificate));
            files::write(&args.out, pem.as_bytes()).doing(args.out.display())?;
            report.certificate = Some(certificate.to_ref());
        }
        Err(refusal) => report.findings = refusal.findings().to_vec(),
    }
    output.print(&report)?;
    Ok(match report.certificate {
        Some(_) => Outcome::Yes,
        None => Outcome::No,
    })
}

async fn signer(device: &Arc<dyn Wscd>, name: &str) -> Result<DeviceSigner, Failure> {
    let name = KeyName::new(name).doing(format!("the key {name:?}"))?;
    DeviceSigner::open(Arc::clone(device), name, jose::Curve::P256)
        .await
        .doing("the device")
}

fn request(args: &Issue, key: &DeviceSigner) -> Result<Request, Failure> {
    let from = args.not_before.unwrap_or_else(time::now);
    let to = from
        .checked_add(SignedDuration::from_hours(24 * i64::from(args.days)))
        .doing("--days")?;
    let mut request = Request::new(
        args.profile,
        args.subject.clone(),
        key.public_key().clone(),
        from,
        to,
    );
    request.crl_urls.clone_from(&args.crl_url);
    request.ocsp_urls.clone_from(&args.ocsp_url);
    request.ca_issuers_urls.clone_from(&args.ca_issuers_url);
    request.path_len = args.path_len;
    request.alt_names = args.contact.iter().map(|text| contact(text)).collect();
    if !args.cps_url.is_empty() {
        let id = match (args.profile, &args.subject) {
            (Profile::Access, Subject::Legal { .. }) => pki::oid::NCP_L_EUDIWRP,
            (Profile::Access, Subject::Natural { .. }) => pki::oid::NCP_N_EUDIWRP,
            _ => pki::oid::NCP,
        };
        request.policies = vec![Policy {
            id,
            cps: args.cps_url.clone(),
        }];
    }
    if let (Some(country), Some(source), Some(law)) =
        (&args.psb_country, &args.psb_source, &args.psb_law)
    {
        let body = QcPsb {
            country: country.clone(),
            source: source.clone(),
            legislation: law.clone(),
        };
        request.statements = QcStatements::of_psb(&body).doing("--psb-country")?;
    }
    Ok(request)
}

fn contact(text: &str) -> AltName {
    if text.starts_with('+') {
        AltName::Phone(text.to_owned())
    } else if text.contains("://") {
        AltName::Uri(text.to_owned())
    } else {
        AltName::Email(text.to_owned())
    }
}

/// Reads attributes and their values, in any order; a comma, an equals sign or
/// a backslash in a value stands after a backslash.
pub(in crate::commands) fn subject(text: &str) -> Result<Subject, String> {
    let mut values: [Option<String>; 7] = Default::default();
    for part in split(text) {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| format!("{part:?}: an attribute and its value are expected"))?;
        let at = NAMES
            .iter()
            .position(|names| names.iter().any(|n| n.eq_ignore_ascii_case(name.trim())))
            .ok_or_else(|| format!("{:?} is no attribute of a subject", name.trim()))?;
        if let Some(slot) = values.get_mut(at)
            && slot.replace(value.trim().to_owned()).is_some()
        {
            return Err(format!("{:?} stands twice", name.trim()));
        }
    }
    let [
        country,
        organization,
        identifier,
        common_name,
        given,
        surname,
        serial,
    ] = values;
    let needs =
        |value: Option<String>, name: &str| value.ok_or_else(|| format!("{name} is missing"));
    if organization.is_some() || identifier.is_some() {
        if given.is_some() || surname.is_some() || serial.is_some() {
            return Err("attributes of an organization and of a human being".to_owned());
        }
        return Ok(Subject::Legal {
            country: needs(country, "C (country)")?,
            organization: needs(organization, "O (organization)")?,
            identifier: needs(identifier, "organizationIdentifier")?,
            common_name: needs(common_name, "CN (common name)")?,
        });
    }
    Ok(Subject::Natural {
        country: needs(country, "C (country)")?,
        given_name: needs(given, "O (organization) or givenName")?,
        surname: needs(surname, "surname")?,
        common_name: needs(common_name, "CN (common name)")?,
        serial_number: needs(serial, "serialNumber")?,
    })
}

const NAMES: [&[&str]; 7] = [
    &["C", "countryName"],
    &["O", "organizationName"],
    &["organizationIdentifier", "2.5.4.97"],
    &["CN", "commonName"],
    &["GN", "givenName"],
    &["SN", "surname"],
    &["serialNumber"],
];

fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ',' => parts.push(String::new()),
            other => {
                let literal = if other == '\\' {
                    characters.next()
                } else {
                    Some(other)
                };
                if let (Some(part), Some(literal)) = (parts.last_mut(), literal) {
                    part.push(literal);
                }
            }
        }
    }
    parts
}

#[derive(Serialize)]
struct Issued {
    out: String,
    profile: String,
    certificate: Option<CertificateRef>,
    findings: Vec<Finding>,
}

impl Report for Issued {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        match &self.certificate {
            Some(certificate) => {
                writeln!(out, "{}: {}", self.out, certificate.subject)?;
                writeln!(
                    out,
                    "{} to {}, sha256 {}",
                    certificate.not_before, certificate.not_after, certificate.sha256
                )
            }
            None => {
                writeln!(
                    out,
                    "not made: it would not conform to the profile {}",
                    self.profile
                )?;
                crate::output::findings(out, &self.findings)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pki::Subject;
    use rstest::rstest;

    use super::subject;

    #[test]
    fn a_subject_is_read_in_any_order() {
        let text = r"CN=The\, Name,O=Org,C=BE,organizationIdentifier=VATBE-0876866142";
        let expected = Subject::legal("BE", "Org", "VATBE-0876866142", "The, Name");
        assert_eq!(subject(text), Ok(expected));
        let person = "C=BE, GN=Ada, SN=Jansens, CN=Ada Jansens, serialNumber=PNOBE-1";
        assert!(matches!(subject(person), Ok(Subject::Natural { .. })));
    }

    #[rstest]
    #[case("", "\"\": an attribute and its value are expected")]
    #[case("C=BE,O=Org,CN=Name", "organizationIdentifier is missing")]
    #[case("C=BE,C=FR", "\"C\" stands twice")]
    #[case("X=1", "\"X\" is no attribute of a subject")]
    #[case("O=Org,CN=Name", "C (country) is missing")]
    #[case("C=BE,CN=Name", "O (organization) or givenName is missing")]
    #[case(
        "O=Org,surname=S",
        "attributes of an organization and of a human being"
    )]
    fn what_is_missing_is_said(#[case] text: &str, #[case] why: &str) {
        assert_eq!(subject(text), Err(why.to_owned()));
    }
}
