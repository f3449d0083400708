//! The rules that a check of the audit log can name.

finding::rules! {
    AUDIT_CHAIN = "AUDIT-CHAIN", "CIR (EU) 2015/1502, Annex 2.4.4; docs/protocols/wsca.md, 11", Error,
        "each entry's hash is over the entry and the hash before it, without a gap";
    AUDIT_CHECKPOINT = "AUDIT-CHECKPOINT", "CIR (EU) 2015/1502, Annex 2.4.4; docs/protocols/wsca.md, 11", Error,
        "each checkpoint is signed by the WSCA's audit key, and says what the log says";
    AUDIT_TRUNCATED = "AUDIT-TRUNCATED", "CIR (EU) 2015/1502, Annex 2.4.4; docs/protocols/wsca.md, 11", Error,
        "the log reaches as far as every checkpoint, receipt and anchor that is known of it";
    AUDIT_RECEIPT = "AUDIT-RECEIPT", "docs/protocols/wsca.md, 11", Error,
        "the log holds the entries that receipts were given for";
    AUDIT_KEY = "AUDIT-KEY", "docs/protocols/wsca.md, 11", Warning,
        "someone vouches for the key that the checkpoints are verified with";
    AUDIT_TAIL = "AUDIT-TAIL", "docs/protocols/wsca.md, 11", Note,
        "the newest entries are covered by a checkpoint";
}
