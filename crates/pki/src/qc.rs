//! QCStatements (RFC 3739, EN 319 412-5, TS 119 412-6): parsed and built.

use der::Encode;
use der::asn1::Any;
use der::{Decode, Sequence};

use crate::oid::{self, Oid};
use crate::tlv;

/// One statement: what it is, and the DER of what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QcStatement {
    /// statementId.
    pub id: Oid,
    /// statementInfo as DER, where there is one.
    pub info: Option<Vec<u8>>,
}

/// The content of a qcStatements extension.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QcStatements(pub Vec<QcStatement>);

/// Why the extension was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QcError {
    /// Not a SEQUENCE of statements.
    #[error("not a SEQUENCE of QCStatement")]
    Statements,
    /// The QcType statement holds something else than a SEQUENCE of identifiers.
    #[error("the QcType statement does not hold a SEQUENCE of object identifiers")]
    QcType,
}

/// The law under which a public sector body is established (TS 119 412-6,
/// Annex A, `QcPSB`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QcPsb {
    /// An alpha-2 country code, or `EU`.
    pub country: String,
    /// The authentic source.
    pub source: String,
    /// The law.
    pub legislation: String,
}

#[derive(Sequence)]
struct Statement {
    id: Oid,
    info: Option<Any>,
}

impl QcStatements {
    /// Reads the value of the extension.
    pub fn from_der(der: &[u8]) -> Result<Self, QcError> {
        let statements = Vec::<Statement>::from_der(der).map_err(|_| QcError::Statements)?;
        statements
            .into_iter()
            .map(|s| {
                let info = s.info.map(|info| info.to_der()).transpose();
                Ok(QcStatement {
                    id: s.id,
                    info: info.map_err(|_| QcError::Statements)?,
                })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The value of the extension.
    pub fn to_der(&self) -> Result<Vec<u8>, der::Error> {
        let statements: Vec<Statement> = self
            .0
            .iter()
            .map(|s| {
                Ok(Statement {
                    id: s.id,
                    info: s.info.as_deref().map(Any::from_der).transpose()?,
                })
            })
            .collect::<Result<_, der::Error>>()?;
        statements.to_der()
    }

    /// The statement with this id.
    pub fn find(&self, id: Oid) -> Option<&QcStatement> {
        self.0.iter().find(|s| s.id == id)
    }

    /// The values of every QcType statement; empty where there is none.
    pub fn qc_types(&self) -> Result<Vec<Oid>, QcError> {
        let mut types = Vec::new();
        for statement in self.0.iter().filter(|s| s.id == oid::QC_TYPE) {
            let info = statement.info.as_deref().ok_or(QcError::QcType)?;
            types.extend(Vec::<Oid>::from_der(info).map_err(|_| QcError::QcType)?);
        }
        Ok(types)
    }

    /// A QcType statement with these values.
    pub fn of_types(types: &[Oid]) -> Result<Self, der::Error> {
        Ok(Self(vec![QcStatement {
            id: oid::QC_TYPE,
            info: Some(types.to_vec().to_der()?),
        }]))
    }

    /// A QcPSB statement.
    pub fn of_psb(body: &QcPsb) -> Result<Self, der::Error> {
        Ok(Self(vec![QcStatement {
            id: oid::QC_PSB,
            info: Some(body.to_der()?),
        }]))
    }

    /// The QcPSB statement. TS 119 412-6 v1.1.1 names its identifier without
    /// giving a value, which its later edition does ([`oid::QC_PSB`]); so where
    /// that one is absent, it is known by its shape.
    pub fn psb(&self) -> Option<QcPsb> {
        let read = |s: &QcStatement| QcPsb::from_der(s.info.as_deref()?);
        match self.find(oid::QC_PSB) {
            Some(statement) => read(statement),
            None => self.0.iter().find_map(read),
        }
    }
}

impl QcPsb {
    fn from_der(der: &[u8]) -> Option<Self> {
        let mut input = der;
        let outer = tlv::next(&mut input)?;
        if outer.tag != tlv::SEQUENCE || !input.is_empty() {
            return None;
        }
        let parts = tlv::all(outer.content)?;
        let [country, source, legislation] = parts.as_slice() else {
            return None;
        };
        let text = |part: &tlv::Tlv<'_>, tag| {
            (part.tag == tag)
                .then(|| std::str::from_utf8(part.content).ok().map(str::to_owned))
                .flatten()
        };
        Some(Self {
            country: text(country, tlv::PRINTABLE_STRING)?,
            source: text(source, tlv::UTF8_STRING)?,
            legislation: text(legislation, tlv::UTF8_STRING)?,
        })
    }

    /// Its DER, for a statement's info.
    pub fn to_der(&self) -> Result<Vec<u8>, der::Error> {
        let parts = vec![
            Any::new(der::Tag::PrintableString, self.country.as_bytes())?,
            Any::new(der::Tag::Utf8String, self.source.as_bytes())?,
            Any::new(der::Tag::Utf8String, self.legislation.as_bytes())?,
        ];
        parts.to_der()
    }
}
