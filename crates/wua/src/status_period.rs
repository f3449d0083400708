use finding::Rule;
use jiff::{SignedDuration, Timestamp};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::Value;
use status_list::{Reference, numeric_date};

use crate::claims::Reader;

/// Where a status is told, and until when the wallet provider keeps telling it:
/// the claims `client_status` and `key_storage_status` (TS3 v1.5.2, 2.4.1), in
/// JSON `{"status": {"status_list": {"idx", "uri"}}, "exp"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusPeriod {
    /// The entry.
    pub reference: Reference,
    /// `exp`: the end of the maintenance, which is not the end of the token.
    pub maintained_until: Timestamp,
}

impl Serialize for StatusPeriod {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut claim = serializer.serialize_struct("status", 2)?;
        claim.serialize_field("status", &self.reference.as_status())?;
        claim.serialize_field("exp", &self.maintained_until.as_second())?;
        claim.end()
    }
}

/// The rules one of the two claims is read by.
pub(crate) struct StatusRules {
    pub(crate) claim: &'static str,
    pub(crate) reference: &'static Rule,
    pub(crate) exp: &'static Rule,
    pub(crate) period: &'static Rule,
}

impl StatusRules {
    /// Reads the claim, and holds it to at least `min` of maintenance left.
    pub(crate) fn read(
        &self,
        reader: &mut Reader<'_>,
        at: Timestamp,
        min: SignedDuration,
    ) -> Option<StatusPeriod> {
        let Some(claim) = reader.get(self.claim).filter(|c| c.is_object()) else {
            reader.find(self.reference, self.claim, "absent or not an object");
            return None;
        };
        let status = claim.get("status").unwrap_or(&Value::Null);
        let reference = Reference::from_status(status, self.claim)
            .map_err(|refusal| {
                let why = refusal.findings().first().map(|f| f.evidence.clone());
                reader.find(self.reference, self.claim, why.unwrap_or_default());
            })
            .ok();
        let Some(until) = claim.get("exp").and_then(numeric_date) else {
            reader.find(self.exp, self.claim, "exp is absent or not a time");
            return None;
        };
        let left = until.duration_since(at);
        if left < min {
            let days = |d: SignedDuration| d.as_secs().div_euclid(86_400);
            let evidence = format!(
                "maintained until {until}, {} whole days ahead; {} are needed",
                days(left),
                days(min)
            );
            reader.find(self.period, self.claim, evidence);
        }
        Some(StatusPeriod {
            reference: reference?,
            maintained_until: until,
        })
    }
}
