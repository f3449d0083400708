//! The rules of lists: one for each "shall" that can be checked.
//!
//! The clause of a rule names where it comes from in general. A finding under a
//! rule of the annexes names the table of the list's own annex.

finding::rules! {
    // What it is at all.
    JSON = "LOTE-JSON", "ETSI TS 119 602 v1.1.1, A.1; RFC 8259", Error,
        "a list is one JSON document of bounded size and depth, without duplicate members";
    SHAPE = "LOTE-SHAPE", "ETSI TS 119 602 v1.1.1, A.1 (JSON schema)", Error,
        "each member has the type that the JSON binding gives it";
    UNKNOWN_MEMBER = "LOTE-UNKNOWN-MEMBER", "ETSI TS 119 602 v1.1.1, A.1 (JSON schema)", Error,
        "no object has members beyond those of the JSON binding";
    EMPTY = "LOTE-EMPTY-ARRAY", "ETSI TS 119 602 v1.1.1, A.1 (JSON schema)", Error,
        "an array that is present has at least one element";
    MORE = "LOTE-MORE-FINDINGS", "house rule: reports are bounded", Note,
        "a report holds at most 1,000 findings and says how many it left out";
    PROFILE = "LOTE-PROFILE", "ETSI TS 119 602 v1.1.1, 6.3.3 and Annexes D to I", Warning,
        "the LoTEType announces a profile that is known, so that its annex can be checked";

    // General principles, 6.1 and Annex B.
    URI = "LOTE-URI", "ETSI TS 119 602 v1.1.1, 6.1.2", Error,
        "a URI has the general syntax of RFC 3986";
    DATE = "LOTE-DATE-TIME", "ETSI TS 119 602 v1.1.1, 6.1.3", Error,
        "a date and time is UTC, to the second, without a fraction, with Z";
    ENGLISH = "LOTE-ENGLISH", "ETSI TS 119 602 v1.1.1, 6.1.4", Error,
        "a multilingual component has a version in English";
    LANGUAGE = "LOTE-LANGUAGE", "ETSI TS 119 602 v1.1.1, 6.1.4 and B.1", Error,
        "a language tag is there, follows RFC 5646 and is in lower case";
    TEXT = "LOTE-TEXT", "ETSI TS 119 602 v1.1.1, B.2", Error,
        "a text is there and has no control, private-use or tag character, no byte order mark and no mark-up";
    COUNTRY = "LOTE-COUNTRY", "ETSI TS 119 602 v1.1.1, 6.1.5", Error,
        "a country code is ISO 3166-1 alpha-2 in capitals, with UK, EL and EU as the exceptions";

    // The scheme, 6.3 and Tables D.1 to I.1.
    VERSION = "LOTE-VERSION", "ETSI TS 119 602 v1.1.1, 6.3.1 and Tables D.1 to I.1", Error,
        "LoTEVersionIdentifier is 1";
    SEQUENCE = "LOTE-SEQUENCE", "ETSI TS 119 602 v1.1.1, 6.3.2", Error,
        "LoTESequenceNumber is there and starts at 1";
    SEQUENCE_BACK = "LOTE-SEQUENCE-BACK", "ETSI TS 119 602 v1.1.1, 6.3.2", Error,
        "a later release has a higher sequence number, and no release goes back";
    TYPE = "LOTE-TYPE", "ETSI TS 119 602 v1.1.1, 6.3.3 and Tables D.1 to I.1", Error,
        "LoTEType is there and is the one of the profile";
    OPERATOR_NAME = "LOTE-OPERATOR-NAME", "ETSI TS 119 602 v1.1.1, 6.3.4", Error,
        "SchemeOperatorName is there";
    OPERATOR_ADDRESS = "LOTE-OPERATOR-ADDRESS", "ETSI TS 119 602 v1.1.1, 6.3.0 (Table 1) and 6.3.5", Error,
        "SchemeOperatorAddress is there, with postal and electronic addresses";
    POSTAL_ADDRESS = "LOTE-POSTAL-ADDRESS", "ETSI TS 119 602 v1.1.1, 6.3.5.1", Error,
        "a postal address has a street address and a country";
    EMAIL = "LOTE-EMAIL", "ETSI TS 119 602 v1.1.1, 6.3.5.2", Error,
        "an electronic address has an e-mail address as a mailto: URI";
    WEB_SITE = "LOTE-WEB-SITE", "ETSI TS 119 602 v1.1.1, 6.3.5.2", Error,
        "an electronic address has a web site";
    SCHEME_NAME = "LOTE-SCHEME-NAME", "ETSI TS 119 602 v1.1.1, 6.3.6", Error,
        "SchemeName is there, written as CC:name with the territory as CC";
    INFORMATION_URI = "LOTE-INFORMATION-URI", "ETSI TS 119 602 v1.1.1, 6.3.7 and Tables D.1 to I.1", Error,
        "SchemeInformationURI leads to information on the list and, but for Annex H, to its earlier instances";
    STATUS_DETERMINATION = "LOTE-STATUS-DETERMINATION", "ETSI TS 119 602 v1.1.1, 6.3.8 and Tables D.1 to I.1", Error,
        "StatusDeterminationApproach is the one of the profile";
    COMMUNITY_RULES = "LOTE-COMMUNITY-RULES", "ETSI TS 119 602 v1.1.1, 6.3.9 and Tables D.1 to I.1", Error,
        "SchemeTypeCommunityRules is the one of the profile";
    TERRITORY = "LOTE-TERRITORY", "ETSI TS 119 602 v1.1.1, 6.3.10 and Tables D.1 to I.1", Error,
        "SchemeTerritory is there, and EU in the profiles of the annexes";
    POLICY = "LOTE-POLICY-NOTICE", "ETSI TS 119 602 v1.1.1, 6.3.0 (Table 1) and 6.3.11", Error,
        "PolicyOrLegalNotice is there";
    POLICY_FORM = "LOTE-POLICY-NOTICE-FORM", "ETSI TS 119 602 v1.1.1, 6.3.11", Error,
        "PolicyOrLegalNotice holds either LoTEPolicy elements or LoTELegalNotice elements, not both";
    HISTORY_PERIOD = "LOTE-HISTORY-PERIOD", "ETSI TS 119 602 v1.1.1, 6.3.12 and Tables D.1 to I.1", Error,
        "HistoricalInformationPeriod is absent, and 65535 for Annex H";
    POINTERS = "LOTE-POINTERS", "ETSI TS 119 602 v1.1.1, 6.3.13 and Tables D.1 to I.1", Error,
        "PointersToOtherLoTE has a pointer to the list itself, and is absent for Annex H";
    POINTER_FORM = "LOTE-POINTER-FORM", "ETSI TS 119 602 v1.1.1, 6.3.13", Error,
        "a pointer has a location, the identities of the list's issuer, and its qualifiers";
    POINTER_SPELLING = "LOTE-POINTER-SPELLING", "ETSI TS 119 602 v1.1.1, 6.3.13 beside Table 1", Warning,
        "pointers stand in PointersToOtherLoTE, as 6.3.13 and the JSON schema spell it";
    POINTER_SIGNER = "LOTE-POINTER-SIGNER", "ETSI TS 119 602 v1.1.1, 6.3.13", Error,
        "the pointer of a list to itself names the certificate that sealed it";
    ISSUE_TIME = "LOTE-ISSUE-TIME", "ETSI TS 119 602 v1.1.1, 6.3.14", Error,
        "ListIssueDateTime is there and is not in the future";
    NEXT_UPDATE = "LOTE-NEXT-UPDATE", "ETSI TS 119 602 v1.1.1, 6.3.15", Error,
        "a list whose NextUpdate has passed is discarded";
    NEXT_UPDATE_FORM = "LOTE-NEXT-UPDATE-FORM", "ETSI TS 119 602 v1.1.1, 6.3.15 and Table 1", Error,
        "NextUpdate is there, and after the time of issue";
    NEXT_UPDATE_SPAN = "LOTE-NEXT-UPDATE-SPAN", "ETSI TS 119 602 v1.1.1, 6.3.15 and Tables D.1 to I.1", Error,
        "NextUpdate is at most 6 months after the time of issue";
    CLOSED = "LOTE-CLOSED", "ETSI TS 119 602 v1.1.1, 6.3.15", Warning,
        "a NextUpdate of null says that the list is closed and is not updated any more";
    CRITICAL_EXTENSION = "LOTE-CRITICAL-EXTENSION", "ETSI TS 119 602 v1.1.1, 6.3.17", Error,
        "a list with a critical extension that is not recognized is rejected";
    EXTENSION_CRITICALITY = "LOTE-EXTENSION-CRITICALITY", "ETSI TS 119 602 v1.1.1, 6.3.17", Error,
        "a scheme extension says whether it is critical";

    // The entities, 6.5 and Tables D.2 to I.2.
    TE_NAME = "LOTE-TE-NAME", "ETSI TS 119 602 v1.1.1, 6.5.1", Error,
        "TEName is there";
    TE_TRADE_NAME = "LOTE-TE-TRADE-NAME", "ETSI TS 119 602 v1.1.1, 6.5.2 and Tables D.2 to I.2", Error,
        "TETradeName has a registration identifier in the form of EN 319 412-1";
    TE_LAW = "LOTE-TE-LAW", "ETSI TS 119 602 v1.1.1, Table H.2", Error,
        "TETradeName of a public sector body refers to the law it stands on, as an OJ: URI";
    TE_ADDRESS = "LOTE-TE-ADDRESS", "ETSI TS 119 602 v1.1.1, 6.5.3", Error,
        "TEAddress is there, with postal and electronic addresses";
    TE_PHONE = "LOTE-TE-PHONE", "ETSI TS 119 602 v1.1.1, 6.5.3 and Tables D.2 to I.2", Error,
        "TEAddress has a contact telephone number as a tel: URI";
    TE_INFORMATION_URI = "LOTE-TE-INFORMATION-URI", "ETSI TS 119 602 v1.1.1, 6.5.4 and Tables D.2 to I.2", Error,
        "TEInformationURI leads to the entity's policies, terms and conditions";
    TE_RESPONSIBLE = "LOTE-TE-RESPONSIBLE", "ETSI TS 119 602 v1.1.1, 6.5.4 and Tables D.2 to I.2", Error,
        "a URI of the profile names the Member State that is responsible for the entity";
    TE_ASSOCIATED_BODY = "LOTE-TE-ASSOCIATED-BODY", "ETSI TS 119 602 v1.1.1, 6.5.5.1 and Tables D.2 and E.2", Error,
        "each of OtherAssociatedBodies has a name, and is another body than the entity";
    TE_SERVICES = "LOTE-TE-SERVICES", "ETSI TS 119 602 v1.1.1, 6.4.1", Error,
        "an entity has at least one service";

    // The services, 6.6, 6.7 and Tables D.3 to I.3.
    SVC_TYPE = "LOTE-SVC-TYPE", "ETSI TS 119 602 v1.1.1, 6.6.1 and Tables D.3 to I.3", Error,
        "ServiceTypeIdentifier is one of the profile's";
    SVC_NAME = "LOTE-SVC-NAME", "ETSI TS 119 602 v1.1.1, 6.6.2", Error,
        "ServiceName is there";
    SVC_IDENTITY = "LOTE-SVC-IDENTITY", "ETSI TS 119 602 v1.1.1, 6.6.0, 6.6.3 and Tables D.3 to I.3", Error,
        "ServiceDigitalIdentity is there and has at least one certificate";
    SVC_CERTIFICATE = "LOTE-SVC-CERTIFICATE", "ETSI TS 119 602 v1.1.1, 6.6.3.1", Error,
        "an X.509 certificate of a list is base64 of its DER and can be read";
    SVC_SUBJECT = "LOTE-SVC-SUBJECT", "ETSI TS 119 602 v1.1.1, Tables D.3, E.3 and I.3", Error,
        "the certified identity has the entity's name and registration number";
    SVC_ORGANIZATION = "LOTE-SVC-ORGANIZATION", "ETSI TS 119 602 v1.1.1, 6.6.3 and Table H.3", Error,
        "the certificate's organizationName matches TEName strictly";
    SVC_ONE_KEY = "LOTE-SVC-ONE-KEY", "ETSI TS 119 602 v1.1.1, Table H.3", Error,
        "the certificates of one service are all of one public key";
    SVC_ONE_SUBJECT = "LOTE-SVC-ONE-SUBJECT", "ETSI TS 119 602 v1.1.1, Table H.3", Error,
        "the certificates of one service have identical subject names";
    SVC_PUBLIC_KEY = "LOTE-SVC-PUBLIC-KEY", "ETSI TS 119 602 v1.1.1, 6.6.3.3", Error,
        "a PublicKeyValue is the key of the certificate beside it";
    SVC_SKI = "LOTE-SVC-SKI", "ETSI TS 119 602 v1.1.1, 6.6.3.4", Error,
        "an X509SKI is of the key of the certificate beside it";
    SVC_CA = "LOTE-SVC-CA", "house policy direct-only, beside Tables D.3 and E.3", Warning,
        "lists of PID and wallet providers hold end-entity certificates";
    SVC_NOT_CA = "LOTE-SVC-NOT-CA", "ETSI TS 119 602 v1.1.1, Tables F.3 and G.3", Warning,
        "what issues access and registration certificates is a certification authority";
    SVC_STATUS = "LOTE-SVC-STATUS", "ETSI TS 119 602 v1.1.1, 6.6.4 and Tables D.3 to I.3", Error,
        "ServiceStatus is not used, and is notified or withdrawn for Annex H";
    SVC_STATUS_TIME = "LOTE-SVC-STATUS-TIME", "ETSI TS 119 602 v1.1.1, 6.6.5 and Tables D.3 to I.3", Error,
        "StatusStartingTime is not used, and does not lie after the time of issue for Annex H";
    SVC_UNIQUE_ID = "LOTE-SVC-UNIQUE-ID", "ETSI TS 119 602 v1.1.1, 6.6.9.1 and Table E.3", Error,
        "the ServiceUniqueIdentifier extension has the wallet solution's reference number, as a URI";
    SVC_ID_TWICE = "LOTE-SVC-ID-TWICE", "ETSI TS 119 602 v1.1.1, 6.6.9.1", Error,
        "a ServiceUniqueIdentifier identifies one service and no other";
    SVC_SUPPLY_POINT = "LOTE-SVC-SUPPLY-POINT", "ETSI TS 119 602 v1.1.1, 6.6.7 and Table I.3", Error,
        "ServiceSupplyPoints says where the register is available";
    SVC_HISTORY = "LOTE-SVC-HISTORY", "ETSI TS 119 602 v1.1.1, 6.3.12 and 6.4.3", Error,
        "a list that keeps no history has no ServiceHistory";
    HISTORY_INSTANCE = "LOTE-HISTORY-INSTANCE", "ETSI TS 119 602 v1.1.1, 6.7", Error,
        "a history instance has a name, an identity, a status and its starting time";
    HISTORY_ORDER = "LOTE-HISTORY-ORDER", "ETSI TS 119 602 v1.1.1, 6.4.4", Error,
        "the history stands in descending order of time, and before the current status";
    HISTORY_SKI = "LOTE-HISTORY-SKI", "ETSI TS 119 602 v1.1.1, Table H.3", Error,
        "a history instance has an X509SKI and no certificate";

    // The seal, 6.8, D.4 to I.4 and JAdES.
    SEAL_FORM = "LOTE-SEAL-FORM", "ETSI TS 119 602 v1.1.1, 6.8.0 and D.4 to I.4", Error,
        "a list is sealed with a compact JAdES baseline B signature";
    SEAL_SIGNATURE = "LOTE-SEAL-SIGNATURE", "ETSI TS 119 602 v1.1.1, 6.8.0; RFC 7515, 5.2", Error,
        "the seal verifies under the signer's key";
    SEAL_ALGORITHM = "LOTE-SEAL-ALGORITHM", "ETSI TS 119 182-1, 5.1.2; house rule: ES256, ES384 and ES512", Error,
        "the seal is made with ES256, ES384 or ES512, the algorithms that are verified here";
    SEAL_CERTIFICATE = "LOTE-SEAL-CERTIFICATE", "ETSI TS 119 182-1, 5.1.8", Error,
        "the seal carries its signer's certificate in x5c";
    SEAL_CERT_DIGEST = "LOTE-SEAL-CERT-DIGEST", "ETSI TS 119 182-1, baseline B (x5t#S256, x5t#o, sigX5ts)", Error,
        "the seal has exactly one of x5t#S256, x5t#o and sigX5ts, and it is of the signer's certificate";
    SEAL_TIME = "LOTE-SEAL-TIME", "ETSI TS 119 182-1, baseline B (iat, sigT)", Error,
        "the seal has exactly one claimed signing time, iat since 2025-07-15";
    SEAL_CRIT = "LOTE-SEAL-CRIT", "RFC 7515, 4.1.11; ETSI TS 119 182-1 (crit)", Error,
        "crit is well-formed and understood, and sigD and b64 stand nowhere but within it";
    SEAL_TYP = "LOTE-SEAL-TYP", "RFC 7515, 4.1.9", Warning,
        "typ of a seal, where it is used, is JOSE";
    SEAL_VALIDITY = "LOTE-SEAL-VALIDITY", "RFC 5280, 4.1.2.5", Error,
        "the signer's certificate was valid when the list was sealed";
    SEAL_SIGNER = "LOTE-SEAL-SIGNER", "ETSI TS 119 602 v1.1.1, 6.3.13", Error,
        "the signer's certificate is one of those announced for the list, byte for byte";
    SEAL_SUCCESSOR = "LOTE-SEAL-SUCCESSOR", "ETSI TS 119 602 v1.1.1, 6.3.13", Error,
        "a version is sealed with the certificate of the version before, or with one that it announced";
    SEAL_COUNTRY = "LOTE-SEAL-COUNTRY", "ETSI TS 119 602 v1.1.1, 6.8.0", Error,
        "the country in the signer's subject is the SchemeTerritory";
    SEAL_ORGANIZATION = "LOTE-SEAL-ORGANIZATION", "ETSI TS 119 602 v1.1.1, 6.8.0", Error,
        "the organization in the signer's subject is one of SchemeOperatorName";
}
