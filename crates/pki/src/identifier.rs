//! Semantics identifiers of EN 319 412-1, 5.1.3 and 5.1.4: what an
//! organizationIdentifier or a person's serialNumber is made of.

/// An identifier in its parts: `VATBE-0876866142`, `PNOBE-85073003328`,
/// `EI:SE-5567971433`, `NTRDE+HE-123456`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identifier<'t> {
    /// What kind of reference it is: three letters, or two and a colon for one
    /// that is defined nationally.
    pub kind: &'t str,
    /// The country, two capitals; `XG` for the global LEI.
    pub country: &'t str,
    /// The state or province whose trade register it is of (LEG-5.1.4-08).
    pub subdivision: Option<&'t str>,
    /// The reference itself.
    pub reference: &'t str,
}

/// Why a text is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// No kind, country, hyphen and reference in this order.
    #[error("not of the form {0}")]
    Form(&'static str),
    /// The kind is none that is defined.
    #[error("{0:?} is none of {1}")]
    Kind(String, &'static str),
    /// The global identifier of legal entities goes with `XG`.
    #[error("a LEI goes with XG, not {0}")]
    LeiCountry(String),
    /// It does not have the twenty letters and digits of ISO 17442.
    #[error("a LEI has twenty letters and digits (ISO 17442)")]
    Lei,
    /// It does not say which authority gave it (TS 119 495, 5.2.1).
    #[error("a PSD reference is the authority's two to eight capitals, a hyphen and the number")]
    Psd,
}

const LEGAL: &str = "VAT, NTR, PSD, LEI, EOR and EXC";
const NATURAL: &str = "PAS, IDC, PNO, TAX, TIN and EID";

impl<'t> Identifier<'t> {
    /// The identifier of a legal person (LEG-5.1.4-02 to -08).
    ///
    /// # Errors
    /// [`IdentifierError`].
    pub fn legal(text: &'t str) -> Result<Self, IdentifierError> {
        let id = Self::parts(text).ok_or(IdentifierError::Form("NTRDE-HRB12345"))?;
        match id.kind {
            "VAT" | "NTR" | "EOR" | "EXC" => {}
            "LEI" if id.country != "XG" => {
                return Err(IdentifierError::LeiCountry(id.country.to_owned()));
            }
            "LEI" if !is_lei(id.reference) => return Err(IdentifierError::Lei),
            "LEI" => {}
            "PSD" if !is_psd(id.reference) => return Err(IdentifierError::Psd),
            "PSD" => {}
            kind if kind.ends_with(':') => {}
            kind => return Err(IdentifierError::Kind(kind.to_owned(), LEGAL)),
        }
        // Only trade registers are kept by states and provinces.
        if id.subdivision.is_some() && id.kind != "NTR" {
            return Err(IdentifierError::Form("NTRDE-HRB12345"));
        }
        Ok(id)
    }

    /// The identifier of a natural person (NAT-5.1.3-02 and -03).
    ///
    /// # Errors
    /// [`IdentifierError::Form`] and [`IdentifierError::Kind`].
    pub fn natural(text: &'t str) -> Result<Self, IdentifierError> {
        let id = Self::parts(text)
            .filter(|id| id.subdivision.is_none())
            .ok_or(IdentifierError::Form("PNOBE-85073003328"))?;
        match id.kind {
            "PAS" | "IDC" | "PNO" | "TAX" | "TIN" | "EID" => Ok(id),
            kind if kind.ends_with(':') => Ok(id),
            kind => Err(IdentifierError::Kind(kind.to_owned(), NATURAL)),
        }
    }

    fn parts(text: &'t str) -> Option<Self> {
        let capitals = |text: &str| text.bytes().all(|b| b.is_ascii_uppercase());
        let (kind, rest) = text.split_at_checked(3)?;
        let (country, rest) = rest.split_at_checked(2)?;
        let (place, reference) = rest.split_once('-')?;
        let subdivision = match place {
            "" => None,
            place => Some(place.strip_prefix('+').filter(|code| {
                (1..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric())
            })?),
        };
        let kind_fits = capitals(kind) || kind.strip_suffix(':').is_some_and(capitals);
        (kind_fits && capitals(country) && !reference.trim().is_empty()).then_some(Self {
            kind,
            country,
            subdivision,
            reference,
        })
    }
}

fn is_lei(reference: &str) -> bool {
    reference.len() == 20 && reference.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn is_psd(reference: &str) -> bool {
    reference
        .split_once('-')
        .is_some_and(|(authority, number)| {
            (2..=8).contains(&authority.len())
                && authority.bytes().all(|b| b.is_ascii_uppercase())
                && !number.is_empty()
        })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("VATBE-0876866142", true)]
    #[case("VATXI-123456789", true)]
    #[case("NTRGB-12345678", true)]
    #[case("NTRDE-DED2601V.HRB12345", true)]
    #[case("NTRDE+HE-123456", true)]
    #[case("NTRUS+CA-123456", true)]
    #[case("PSDPL-PFSA-1234567890", true)]
    #[case("LEIXG-506700GE1G29325QX363", true)]
    #[case("EORDE-123456", true)]
    #[case("EXCDE-123456", true)]
    #[case("SI:EL-1234567890", true)]
    #[case("VATEL-123456789", true)]
    #[case("VATGR-123456789", true)]
    #[case("VATDE+HE-123456", false)]
    #[case("NTRDE+HESS-123456", false)]
    #[case("NTRDE+-123456", false)]
    #[case("PSDPL-1234567890", false)]
    #[case("PNOBE-85073003328", false)]
    #[case("LEIEU-123456789", false)]
    #[case("LEIXG-123456789", false)]
    #[case("vatBE-0876866142", false)]
    #[case("si:EL-1234567890", false)]
    #[case("XXXBE-1", false)]
    #[case("VATBE", false)]
    #[case("VATBE-", false)]
    #[case("ÄÖÜ", false)]
    #[case("", false)]
    fn of_legal_persons(#[case] text: &str, #[case] good: bool) {
        let read = Identifier::legal(text);
        assert_eq!(read.is_ok(), good, "{read:?}");
    }

    #[rstest]
    #[case("PASSK-P3000180", true)]
    #[case("IDCBE-590082394654", true)]
    #[case("PNOBE-85073003328", true)]
    #[case("TINEL-123456789", true)]
    #[case("TAXDE-1", true)]
    #[case("EIDSE-1", true)]
    #[case("EI:SE-200007292386", true)]
    #[case("VATBE-0876866142", false)]
    #[case("PNOBE+HE-1", false)]
    #[case("PASS-1", false)]
    #[case("85073003328", false)]
    fn of_natural_persons(#[case] text: &str, #[case] good: bool) {
        let read = Identifier::natural(text);
        assert_eq!(read.is_ok(), good, "{read:?}");
    }

    #[test]
    fn the_parts_are_told_apart() {
        let id = Identifier::legal("NTRDE+HE-HRB-1").ok();
        let expected = Identifier {
            kind: "NTR",
            country: "DE",
            subdivision: Some("HE"),
            reference: "HRB-1",
        };
        assert_eq!(id, Some(expected));
    }
}
