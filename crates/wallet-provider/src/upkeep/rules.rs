//! The rules that a database can break.

finding::rules! {
    INTEGRITY = "DB-INTEGRITY", "Claviger, docs/database.md, Checking", Error,
        "the database's own check of its pages and indexes finds nothing";
    REFERENCE = "DB-REFERENCE", "Claviger, docs/database.md, Checking", Error,
        "whatever a row names is there";
    REVOKED = "DB-REVOKED", "ARF 3.0, WURevocation_07", Error,
        "every status entry of what is revoked is set";
    INDEX = "DB-INDEX", "Token Status List draft 20, 4.1", Error,
        "an index is within its list";
    TWICE = "DB-INDEX-TWICE", "ARF 3.0, ISSU_35a", Error,
        "an index stands for one entry";
    COUNTERS = "DB-COUNTERS", "Claviger, docs/database.md, Checking", Error,
        "a list hands out no more counters than it has entries, and publishes no revision before it is made";
    HISTORY = "DB-HISTORY", "ARF 3.0, 4.6.4", Error,
        "a unit's state is that of the last event of its history";
    MISSING = "DB-LIST-MISSING", "ARF 3.0, WUA_37", Error,
        "a list that was published is there to be fetched";
    OURS = "DB-LIST-OURS", "Token Status List draft 20, 5", Error,
        "a published list is signed by the status key";
    LOST = "DB-LIST-LOST", "ARF 3.0, WURevocation_07", Error,
        "what is published as revoked is revoked in the database";
    BEHIND = "DB-LIST-BEHIND", "ARF 3.0, WURevocation_07", Error,
        "what is revoked in the database, and counts as published, is published as revoked";
    DUE = "DB-LIST-DUE", "Claviger wallet provider protocol 1, 8", Warning,
        "no revocation waits to be published";
    UNKNOWN = "DB-LIST-UNKNOWN", "Claviger, docs/database.md, Restoring", Warning,
        "the database knows every list that is published";
    NO_KEY = "DB-LIST-NO-KEY", "Claviger, docs/database.md, Checking", Warning,
        "published lists can be verified: the status key's certificate is at hand";
    DEVICE = "DB-DEVICE", "Claviger, docs/database.md, Restoring", Warning,
        "the WSCA's tables were sealed by the device that is configured";
    FREEZE = "DB-FREEZE-DUE", "Claviger wallet provider protocol 1, 8", Warning,
        "the WSCA has been told of every revoked unit";
}

/// The way out of [`NO_KEY`].
pub(super) const NAME_IT: &str = "name the status key's certificate: --status-certificate FILE";
