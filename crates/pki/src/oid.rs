//! The object identifiers this room knows, by the names their documents use.

use const_oid::ObjectIdentifier;

/// An object identifier.
pub type Oid = ObjectIdentifier;

macro_rules! oids {
    ($($(#[$meta:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$meta])* pub const $name: Oid = Oid::new_unwrap($text);)*
    };
}

oids! {
    /// commonName (X.520).
    COMMON_NAME = "2.5.4.3";
    /// surname (X.520).
    SURNAME = "2.5.4.4";
    /// serialNumber, of a subject (X.520).
    SERIAL_NUMBER = "2.5.4.5";
    /// countryName (X.520).
    COUNTRY = "2.5.4.6";
    /// localityName (X.520).
    LOCALITY = "2.5.4.7";
    /// stateOrProvinceName (X.520).
    STATE = "2.5.4.8";
    /// streetAddress (X.520).
    STREET = "2.5.4.9";
    /// organizationName (X.520).
    ORGANIZATION = "2.5.4.10";
    /// organizationalUnitName (X.520).
    ORGANIZATIONAL_UNIT = "2.5.4.11";
    /// title (X.520).
    TITLE = "2.5.4.12";
    /// telephoneNumber (X.520, 6.7.1).
    TELEPHONE_NUMBER = "2.5.4.20";
    /// givenName (X.520).
    GIVEN_NAME = "2.5.4.42";
    /// pseudonym (X.520).
    PSEUDONYM = "2.5.4.65";
    /// organizationIdentifier (X.520).
    ORGANIZATION_IDENTIFIER = "2.5.4.97";
    /// userId (RFC 4519).
    USER_ID = "0.9.2342.19200300.100.1.1";
    /// domainComponent (RFC 4519).
    DOMAIN_COMPONENT = "0.9.2342.19200300.100.1.25";
    /// emailAddress (PKCS #9).
    EMAIL_ADDRESS = "1.2.840.113549.1.9.1";

    /// subjectDirectoryAttributes (RFC 5280, 4.2.1.8).
    SUBJECT_DIRECTORY_ATTRIBUTES = "2.5.29.9";
    /// subjectKeyIdentifier (RFC 5280, 4.2.1.2).
    SUBJECT_KEY_IDENTIFIER = "2.5.29.14";
    /// keyUsage (RFC 5280, 4.2.1.3).
    KEY_USAGE = "2.5.29.15";
    /// subjectAltName (RFC 5280, 4.2.1.6).
    SUBJECT_ALT_NAME = "2.5.29.17";
    /// issuerAltName (RFC 5280, 4.2.1.7).
    ISSUER_ALT_NAME = "2.5.29.18";
    /// basicConstraints (RFC 5280, 4.2.1.9).
    BASIC_CONSTRAINTS = "2.5.29.19";
    /// cRLNumber (RFC 5280, 5.2.3).
    CRL_NUMBER = "2.5.29.20";
    /// reasonCode of a CRL entry (RFC 5280, 5.3.1).
    CRL_REASON = "2.5.29.21";
    /// deltaCRLIndicator (RFC 5280, 5.2.4).
    DELTA_CRL_INDICATOR = "2.5.29.27";
    /// issuingDistributionPoint (RFC 5280, 5.2.5).
    ISSUING_DISTRIBUTION_POINT = "2.5.29.28";
    /// certificateIssuer of a CRL entry (RFC 5280, 5.3.3).
    CERTIFICATE_ISSUER = "2.5.29.29";
    /// nameConstraints (RFC 5280, 4.2.1.10).
    NAME_CONSTRAINTS = "2.5.29.30";
    /// cRLDistributionPoints (RFC 5280, 4.2.1.13).
    CRL_DISTRIBUTION_POINTS = "2.5.29.31";
    /// certificatePolicies (RFC 5280, 4.2.1.4).
    CERTIFICATE_POLICIES = "2.5.29.32";
    /// anyPolicy (RFC 5280, 4.2.1.4).
    ANY_POLICY = "2.5.29.32.0";
    /// policyMappings (RFC 5280, 4.2.1.5).
    POLICY_MAPPINGS = "2.5.29.33";
    /// authorityKeyIdentifier (RFC 5280, 4.2.1.1).
    AUTHORITY_KEY_IDENTIFIER = "2.5.29.35";
    /// policyConstraints (RFC 5280, 4.2.1.11).
    POLICY_CONSTRAINTS = "2.5.29.36";
    /// extKeyUsage (RFC 5280, 4.2.1.12).
    EXTENDED_KEY_USAGE = "2.5.29.37";
    /// freshestCRL (RFC 5280, 4.2.1.15).
    FRESHEST_CRL = "2.5.29.46";
    /// inhibitAnyPolicy (RFC 5280, 4.2.1.14).
    INHIBIT_ANY_POLICY = "2.5.29.54";
    /// noRevAvail (RFC 9608).
    NO_REV_AVAIL = "2.5.29.56";
    /// authorityInfoAccess (RFC 5280, 4.2.2.1).
    AUTHORITY_INFO_ACCESS = "1.3.6.1.5.5.7.1.1";
    /// qcStatements (RFC 3739).
    QC_STATEMENTS = "1.3.6.1.5.5.7.1.3";
    /// subjectInfoAccess (RFC 5280, 4.2.2.2).
    SUBJECT_INFO_ACCESS = "1.3.6.1.5.5.7.1.11";
    /// The validity-assured short-term extension (EN 319 412-1, 5.2).
    VALIDITY_ASSURED = "0.4.0.194121.2.1";

    /// id-qt-cps (RFC 5280, 4.2.1.4).
    CPS_QUALIFIER = "1.3.6.1.5.5.7.2.1";
    /// id-ad-ocsp (RFC 5280, 4.2.2.1).
    AD_OCSP = "1.3.6.1.5.5.7.48.1";
    /// id-ad-caIssuers (RFC 5280, 4.2.2.1).
    AD_CA_ISSUERS = "1.3.6.1.5.5.7.48.2";
    /// id-kp-OCSPSigning (RFC 6960, 4.2.2.2).
    OCSP_SIGNING = "1.3.6.1.5.5.7.3.9";
    /// id-pkix-ocsp-basic (RFC 6960, 4.2.1).
    OCSP_BASIC = "1.3.6.1.5.5.7.48.1.1";
    /// id-pkix-ocsp-nonce (RFC 9654, 2.1).
    OCSP_NONCE = "1.3.6.1.5.5.7.48.1.2";
    /// id-pkix-ocsp-nocheck (RFC 6960, 4.2.2.2.1).
    OCSP_NO_CHECK = "1.3.6.1.5.5.7.48.1.5";
    /// id-tsl-kp-tslSigning (TS 119 612, 5.7.1).
    TSL_SIGNING = "0.4.0.2231.3.0";

    /// id-etsi-qcs-QcCompliance (EN 319 412-5).
    QC_COMPLIANCE = "0.4.0.1862.1.1";
    /// id-etsi-qcs-QcSSCD (EN 319 412-5).
    QC_SSCD = "0.4.0.1862.1.4";
    /// id-etsi-qcs-QcType (EN 319 412-5).
    QC_TYPE = "0.4.0.1862.1.6";
    /// id-etsi-qct-esign (EN 319 412-5).
    QCT_ESIGN = "0.4.0.1862.1.6.1";
    /// id-etsi-qct-eseal (EN 319 412-5).
    QCT_ESEAL = "0.4.0.1862.1.6.2";
    /// id-etsi-qct-pid (TS 119 412-6, Annex A).
    QCT_PID = "0.4.0.194126.1.1";
    /// id-etsi-qct-wal (TS 119 412-6, Annex A).
    QCT_WAL = "0.4.0.194126.1.2";
    /// id-etsi-qcs-QcPSB: `{ id-etsi-eidas2-qct-extensions 3 }` in the edition
    /// of TS 119 412-6 after v1.1.1, which leaves its value out.
    QC_PSB = "0.4.0.194126.1.3";

    /// NCP, the normalized certificate policy (EN 319 411-1, 5.3).
    NCP = "0.4.0.2042.1.1";
    /// NCP-n-eudiwrp (TS 119 411-8, 5.3).
    NCP_N_EUDIWRP = "0.4.0.194118.1.1";
    /// NCP-l-eudiwrp (TS 119 411-8, 5.3).
    NCP_L_EUDIWRP = "0.4.0.194118.1.2";
    /// QCP-n-eudiwrp (TS 119 411-8, 5.3).
    QCP_N_EUDIWRP = "0.4.0.194118.1.3";
    /// QCP-l-eudiwrp (TS 119 411-8, 5.3).
    QCP_L_EUDIWRP = "0.4.0.194118.1.4";

    /// ecdsa-with-SHA256 (RFC 5758).
    ECDSA_SHA256 = "1.2.840.10045.4.3.2";
    /// ecdsa-with-SHA384 (RFC 5758).
    ECDSA_SHA384 = "1.2.840.10045.4.3.3";
    /// ecdsa-with-SHA512 (RFC 5758).
    ECDSA_SHA512 = "1.2.840.10045.4.3.4";
    /// sha256WithRSAEncryption (RFC 4055).
    RSA_SHA256 = "1.2.840.113549.1.1.11";
    /// sha384WithRSAEncryption (RFC 4055).
    RSA_SHA384 = "1.2.840.113549.1.1.12";
    /// sha512WithRSAEncryption (RFC 4055).
    RSA_SHA512 = "1.2.840.113549.1.1.13";
    /// rsaEncryption (RFC 3279).
    RSA_ENCRYPTION = "1.2.840.113549.1.1.1";
    /// id-sha1 (RFC 3279); only to name what an OCSP response is about.
    SHA1 = "1.3.14.3.2.26";
    /// id-sha256 (RFC 5754).
    SHA256 = "2.16.840.1.101.3.4.2.1";
    /// id-ecPublicKey (RFC 5480).
    EC_PUBLIC_KEY = "1.2.840.10045.2.1";
}
