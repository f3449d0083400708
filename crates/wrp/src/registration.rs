//! A registration certificate whose signature and claims were checked.

use finding::{Finding, Refusal};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use jose::Map;
use pki::identifier::Identifier;
use serde::Serialize;
use serde_json::{Value, json};
use status_list::Reference;

use crate::claims::{Claims, Text, is_contact, is_country, is_email, is_phone, is_web, texts};
use crate::show::show;
use crate::{
    Claim, Credential, Entitlement, MAX_CLAIMS, Mode, RegistrationCheck, RegistrationForm, rules,
};

/// What a party is registered as, and for. Its signature verified and its claims
/// are as TS 119 475 has them; whether its signer is trusted, and whether it is
/// revoked, is asked apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RegistrationCertificate {
    /// The form it came in.
    pub form: RegistrationForm,
    /// The party's identifier (`sub`): what its access certificate has as its
    /// organizationIdentifier or serialNumber.
    pub id: String,
    /// Who it is.
    pub person: Person,
    /// Its trade name, to be shown to the user.
    pub trade_name: Option<String>,
    /// Its country, or `EU`.
    pub country: String,
    /// The identifier of the service, where it is said (`srv_id`).
    pub service_id: Option<String>,
    /// The URL of the national register's API.
    pub registry: String,
    /// Its services, each described in some languages.
    pub services: Vec<Vec<Text>>,
    /// What it is entitled to.
    pub entitlements: Vec<Entitlement>,
    /// URLs of privacy policies.
    pub privacy_policies: Vec<String>,
    /// URLs with general information.
    pub information: Vec<String>,
    /// Where users ask for the deletion of their data.
    pub support: Vec<String>,
    /// The data protection authority.
    pub authority: Authority,
    /// The policies it was issued under.
    pub policies: Vec<String>,
    /// The URL of the policy.
    pub policy_url: String,
    /// Whether the party is a public sector body.
    pub public_body: Option<bool>,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// Where its status is told.
    pub status: Reference,
    /// What it may ask wallets for, and why.
    pub intended_use: Option<IntendedUse>,
    /// The attestations it issues.
    pub provides: Vec<Credential>,
    /// Who acts for it.
    pub intermediary: Option<Intermediary>,
    /// What was found that is no reason to refuse it.
    #[serde(skip)]
    pub findings: Vec<Finding>,
}

/// A legal or natural person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Person {
    /// Its legal name.
    Legal(String),
    /// Given name and family name.
    Natural(String, String),
}

/// How a data protection authority is reached: at least one of the three.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Authority {
    /// An e-mail address.
    pub email: Option<String>,
    /// A telephone number.
    pub phone: Option<String>,
    /// A web form.
    pub url: Option<String>,
}

/// What a service provider asks for, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IntendedUse {
    /// The register's identifier of it.
    pub id: Option<String>,
    /// What the data is for.
    pub purpose: Vec<Text>,
    /// What may be asked for.
    pub credentials: Vec<Credential>,
}

/// Who acts for the party towards wallets, with an access certificate of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Intermediary {
    /// The identifier in its access certificate.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
}

/// Checks claims that were signed. `findings` is what the header gave.
pub(crate) fn check(
    form: RegistrationForm,
    claims: &Map,
    of: &RegistrationCheck<'_>,
    findings: Vec<Finding>,
) -> Result<RegistrationCertificate, Refusal> {
    let mut reader = Reader {
        claims: Claims {
            all: claims,
            findings,
        },
        of,
    };
    let person = reader.person();
    let id = reader.identifier(person.as_ref());
    let entitlements = reader.entitlements();
    let (issued, expires) = reader.times();
    let status = reader.status();
    let intended_use = reader.intended_use(&entitlements);
    let provides = reader.provides(&entitlements);
    reader.count(intended_use.as_ref(), &provides);
    let country = reader.country();
    let registry = reader.url(&rules::REGISTRY, "registry_uri");
    let services = reader.services();
    let privacy_policies = reader.privacy_policies(&entitlements);
    let support = reader.support();
    let authority = reader.authority();
    let policies = reader.policies();
    let policy_url = reader.url(&rules::POLICY_URL, "certificate_policy");
    let intermediary = reader.intermediary();
    let claims = &mut reader.claims;
    let trade_name = claims.needed_text(&rules::NAME, "name");
    let service_id = claims.text(&rules::SERVICE_ID, "srv_id");
    let information = claims.several(&rules::INFO, "info_uri", is_web);
    let public_body = match claims.get("public_body") {
        None => None,
        Some(Value::Bool(yes)) => Some(*yes),
        Some(_) => {
            claims.find(&rules::PUBLIC_BODY, "public_body", "neither true nor false");
            None
        }
    };

    let findings = Refusal::unless_clean(reader.claims.findings)?;
    match (id, person, country, registry, policy_url, issued, status) {
        (
            Some(id),
            Some(person),
            Some(country),
            Some(registry),
            Some(policy_url),
            Some(issued),
            Some(status),
        ) => Ok(RegistrationCertificate {
            form,
            id,
            person,
            trade_name,
            country,
            service_id,
            registry,
            services,
            entitlements,
            privacy_policies,
            information,
            support,
            authority,
            policies,
            policy_url,
            public_body,
            issued,
            expires,
            status,
            intended_use,
            provides,
            intermediary,
            findings,
        }),
        // Each leaves an error behind when it is absent; this arm only spares a panic.
        _ => Err(Refusal::because(&rules::FORM, "claims", "incomplete")),
    }
}

impl RegistrationCertificate {
    /// The name to be shown: the trade name, or the official one.
    pub fn shown_name(&self) -> String {
        match (&self.trade_name, &self.person) {
            (Some(name), _) | (None, Person::Legal(name)) => name.clone(),
            (None, Person::Natural(given, family)) => format!("{given} {family}"),
        }
    }
}

struct Reader<'r> {
    claims: Claims<'r>,
    of: &'r RegistrationCheck<'r>,
}

impl Reader<'_> {
    fn person(&mut self) -> Option<Person> {
        let rule = &rules::PERSON;
        // B.2.3 has one legal name or more.
        let legal = self
            .claims
            .several(rule, "sub_ln", |text| !text.trim().is_empty());
        let given = self.claims.text(rule, "sub_gn");
        let family = self.claims.text(rule, "sub_fn");
        match (legal.into_iter().next(), given, family) {
            (Some(name), None, None) => Some(Person::Legal(name)),
            (None, Some(given), Some(family)) => Some(Person::Natural(given, family)),
            (None, None, None) => {
                self.claims
                    .find(rule, "sub_ln", "neither sub_ln nor sub_gn and sub_fn");
                None
            }
            _ => {
                let evidence = "names of a legal and of a natural person, or half a name";
                self.claims.find(rule, "sub_ln", evidence);
                None
            }
        }
    }

    fn identifier(&mut self, person: Option<&Person>) -> Option<String> {
        let id = self.claims.needed_text(&rules::SUB, "sub")?;
        let read = match person {
            Some(Person::Natural(..)) => Identifier::natural(&id),
            _ => Identifier::legal(&id),
        };
        if let Err(why) = read {
            let evidence = format!("{}: {why}", show(&id));
            let severity = self.of.deviation();
            self.claims.find_as(severity, &rules::SUB, "sub", evidence);
        }
        Some(id)
    }

    fn entitlements(&mut self) -> Vec<Entitlement> {
        const NAME: &str = "entitlements";
        let any = |text: &str| !text.is_empty();
        let texts = match self.claims.get(NAME) {
            Some(Value::Array(_)) => self.claims.several(&rules::ENTITLEMENTS, NAME, any),
            _ => Vec::new(),
        };
        let all: Vec<Entitlement> = texts.iter().map(|text| Entitlement::read(text)).collect();
        if !all.iter().any(Entitlement::is_main) {
            let evidence = format!("none of A.2 among {}", texts.len());
            self.claims.find(&rules::ENTITLEMENTS, NAME, evidence);
        }
        let sub = all.iter().any(Entitlement::is_sub);
        if sub && !all.iter().any(|e| matches!(e, Entitlement::Payment(_))) {
            let evidence = "a sub-entitlement, and none of A.3.1";
            self.claims.find(&rules::SUB_ENTITLEMENTS, NAME, evidence);
        }
        for entitlement in &all {
            if let Entitlement::Other(text) = entitlement {
                let rule = &rules::ENTITLEMENT_UNKNOWN;
                self.claims.find(rule, NAME, show(text));
            }
        }
        all
    }

    fn times(&mut self) -> (Option<Timestamp>, Option<Timestamp>) {
        let claims = &mut self.claims;
        if claims.get("iat").is_none() {
            claims.find(&rules::IAT, "iat", "absent");
        }
        let issued = claims.time(&rules::IAT, "iat");
        let expires = claims.time(&rules::EXP, "exp");
        let at = self.of.at;
        if let Some(issued) = issued
            && issued > self.of.latest()
        {
            claims.find(&rules::IAT, "iat", format!("{issued} lies after {at}"));
        }
        if let Some(expires) = expires {
            match issued {
                Some(issued) if expires <= issued => {
                    let evidence = format!("{expires} is not after {issued}");
                    claims.find(&rules::EXP, "exp", evidence);
                }
                Some(issued) if a_year_after(issued).is_none_or(|end| expires > end) => {
                    let evidence = format!("issued {issued}, and good until {expires}");
                    claims.find(&rules::TWELVE_MONTHS, "exp", evidence);
                }
                _ => {}
            }
            if expires <= at {
                let evidence = format!("expired {expires}, asked at {at}");
                claims.find(&rules::EXPIRED, "exp", evidence);
            }
        }
        if let Some(begins) = claims.time(&rules::EXPIRED, "nbf")
            && begins > self.of.latest()
        {
            let evidence = format!("good from {begins}, asked at {at}");
            claims.find(&rules::EXPIRED, "nbf", evidence);
        }
        (issued, expires)
    }

    fn status(&mut self) -> Option<Reference> {
        let Some(status) = self.claims.get("status") else {
            self.claims.find(&rules::STATUS, "status", "absent");
            return None;
        };
        let read = Reference::from_status(&numeric_index(status), "status");
        read.map_err(|refusal| {
            let findings = refusal.into_findings();
            let why = findings.into_iter().next().map(|f| f.evidence);
            let why = why.unwrap_or_default();
            self.claims.find(&rules::STATUS, "status", why);
        })
        .ok()
    }

    fn country(&mut self) -> Option<String> {
        let country = self.claims.needed_text(&rules::COUNTRY, "country")?;
        if !is_country(&country) {
            self.claims.find(&rules::COUNTRY, "country", show(&country));
        }
        Some(country)
    }

    fn url(&mut self, rule: &finding::Rule, name: &str) -> Option<String> {
        let url = self.claims.needed_text(rule, name)?;
        if !is_web(&url) {
            self.claims
                .find(rule, name, format!("{} is no URL", show(&url)));
        }
        Some(url)
    }

    fn services(&mut self) -> Vec<Vec<Text>> {
        const NAME: &str = "srv_description";
        let rule = &rules::SERVICE_DESCRIPTION;
        let value = self.claims.get(NAME).unwrap_or(&Value::Null);
        let items = value.as_array().map_or(&[][..], Vec::as_slice);
        let services: Option<Vec<_>> = items.iter().map(texts).collect();
        match services.filter(|services| !services.is_empty()) {
            Some(services) => services,
            None => match texts(value) {
                // Seen in the wild: one service, without the array around it.
                Some(one) if self.of.mode == Mode::Interop => {
                    let evidence = "one array of texts, not an array of arrays";
                    let severity = self.of.deviation();
                    self.claims.find_as(severity, rule, NAME, evidence);
                    vec![one]
                }
                _ => {
                    let evidence = "no array of arrays with a language tag and a text";
                    self.claims.find(rule, NAME, evidence);
                    Vec::new()
                }
            },
        }
    }

    fn privacy_policies(&mut self, entitlements: &[Entitlement]) -> Vec<String> {
        const NAME: &str = "privacy_policy";
        let rule = &rules::PRIVACY_POLICY;
        let urls = self.claims.several(rule, NAME, is_web);
        if self.claims.get(NAME).is_none() && entitlements.iter().any(Entitlement::asks) {
            self.claims.find(rule, NAME, "absent");
        }
        urls
    }

    fn support(&mut self) -> Vec<String> {
        const NAME: &str = "support_uri";
        if self.claims.get(NAME).is_none() {
            self.claims.find(&rules::SUPPORT, NAME, "absent");
        }
        self.claims.several(&rules::SUPPORT, NAME, is_contact)
    }

    fn authority(&mut self) -> Authority {
        const NAME: &str = "supervisory_authority";
        let rule = &rules::AUTHORITY;
        let value = self.claims.get(NAME).unwrap_or(&Value::Null);
        let member = |name: &str, is: fn(&str) -> bool| match value.get(name) {
            None => Ok(None),
            Some(text) => match text.as_str().filter(|text| is(text)) {
                Some(text) => Ok(Some(text.to_owned())),
                None => Err(format!("{name} is not as it should be")),
            },
        };
        let read = member("email", is_email).and_then(|email| {
            Ok(Authority {
                email,
                phone: member("phone", is_phone)?,
                url: member("uri", is_web)?,
            })
        });
        match read {
            Ok(authority) if authority != Authority::default() => authority,
            Ok(none) => {
                self.claims.find(rule, NAME, "none of email, phone and uri");
                none
            }
            Err(why) => {
                self.claims.find(rule, NAME, why);
                Authority::default()
            }
        }
    }

    fn policies(&mut self) -> Vec<String> {
        const NAME: &str = "policy_id";
        let policies = self
            .claims
            .several(&rules::POLICY, NAME, |text| !text.is_empty());
        if !policies.iter().any(|policy| policy == POLICY) {
            let evidence = format!("{POLICY} is not among them");
            self.claims.find(&rules::POLICY, NAME, evidence);
        }
        policies
    }

    fn intended_use(&mut self, entitlements: &[Entitlement]) -> Option<IntendedUse> {
        let asks = entitlements.iter().any(Entitlement::asks);
        let credentials = self.credentials(&rules::CREDENTIALS, "credentials");
        let purpose = self.claims.multilingual(&rules::PURPOSE, "purpose");
        let id = self.claims.text(&rules::INTENDED_USE, "intended_use_id");
        for (rule, name) in [
            (&rules::CREDENTIALS, "credentials"),
            (&rules::PURPOSE, "purpose"),
        ] {
            match self.claims.get(name) {
                None if asks => self.claims.find(rule, name, "absent"),
                Some(_) if !asks => {
                    let evidence = "the entitlements have no service provider";
                    self.claims.find(&rules::INTENDED_USE, name, evidence);
                }
                _ => {}
            }
        }
        asks.then_some(IntendedUse {
            id,
            purpose,
            credentials,
        })
    }

    fn provides(&mut self, entitlements: &[Entitlement]) -> Vec<Credential> {
        const NAME: &str = "provides_attestations";
        let provider = |e: &Entitlement| e.attests() || *e == Entitlement::PidProvider;
        if self.claims.get(NAME).is_none() && entitlements.iter().any(provider) {
            self.claims.find(&rules::PROVIDES, NAME, "absent");
        }
        self.credentials(&rules::PROVIDES, NAME)
    }

    fn credentials(&mut self, rule: &finding::Rule, name: &str) -> Vec<Credential> {
        let Some(value) = self.claims.get(name) else {
            return Vec::new();
        };
        let items = value.as_array().filter(|items| !items.is_empty());
        let read = items
            .ok_or_else(|| "not a non-empty array".to_owned())
            .and_then(|items| items.iter().map(Credential::read).collect());
        read.unwrap_or_else(|why: String| {
            let severity = finding::Severity::Error;
            self.claims.find_as(severity, rule, name, why);
            Vec::new()
        })
    }

    /// So that comparing a request with it takes bounded time.
    fn count(&mut self, intended_use: Option<&IntendedUse>, provides: &[Credential]) {
        let uses = intended_use.into_iter().flat_map(|u| &u.credentials);
        let claims: usize = uses.chain(provides).map(|c| c.claims.len().max(1)).sum();
        if claims > MAX_CLAIMS {
            let evidence = format!("{claims} claims, at most {MAX_CLAIMS} are read");
            self.claims.find(&rules::SIZE, "credentials", evidence);
        }
    }

    fn intermediary(&mut self) -> Option<Intermediary> {
        let rule = &rules::INTERMEDIARY;
        let member = self.claims.get("intermediary");
        // GEN-5.2.4-09 has act.sub, Table 10 and Annex C intermediary.sub.
        let act = self.claims.get("act");
        let text = |value: Option<&Value>, name: &str| {
            let text = value?.get(name)?.as_str()?;
            (!text.trim().is_empty()).then(|| text.to_owned())
        };
        let (named, acting) = (text(member, "sub"), text(act, "sub"));
        let id = match (member, act, named, acting) {
            (None, None, ..) => return None,
            (Some(_), None, Some(id), _) | (None, Some(_), _, Some(id)) => id,
            (Some(_), Some(_), Some(id), Some(other)) if id == other => id,
            (Some(_), Some(_), Some(_), Some(_)) => {
                self.claims
                    .find(rule, "act", "intermediary.sub and act.sub differ");
                return None;
            }
            _ => {
                self.claims.find(rule, "intermediary", "it has no sub");
                return None;
            }
        };
        // Table 10 has sname, Annex C name.
        let name = text(member, "sname").or_else(|| text(member, "name"));
        Some(Intermediary { id, name })
    }
}

/// GEN-6.2.6.1-04 calls the index a numeric string, the status list draft and
/// Annex C have a number: both are read.
fn numeric_index(status: &Value) -> Value {
    let entry = status.get("status_list");
    let text = entry
        .and_then(|entry| entry.get("idx"))
        .and_then(Value::as_str);
    let digits = text.filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let Some(index) = digits.and_then(|text| text.parse::<u64>().ok()) else {
        return status.clone();
    };
    let uri = entry.and_then(|entry| entry.get("uri"));
    json!({ "status_list": { "idx": index, "uri": uri } })
}

/// Twelve months by the calendar.
fn a_year_after(issued: Timestamp) -> Option<Timestamp> {
    let end = issued.to_zoned(TimeZone::UTC).checked_add(12.months());
    end.ok().map(|end| end.timestamp())
}

/// The policy of TS 119 475, 6.1.3.
pub(crate) const POLICY: &str = "0.4.0.19475.3.1";

impl Claim {
    /// Whether every value in `values` may be asked for.
    pub(crate) fn includes_values(&self, values: &[Value]) -> bool {
        self.values.is_empty()
            || (!values.is_empty() && values.iter().all(|value| self.values.contains(value)))
    }
}
