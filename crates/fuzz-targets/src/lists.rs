use lote::{Mode, Profile, Signers, UncheckedList, Verifier};

use crate::now;

/// A list of trusted entities: judged as whatever it is, and verified, in both
/// modes, sealed by anyone.
pub(crate) fn run(data: &[u8]) {
    let report = lote::lint_bytes(data, None, now());
    // An unchecked list says the same after it was written and read again.
    if let Some(list) = report.list
        && let Ok(json) = list.to_json()
    {
        let again = UncheckedList::from_json(&json);
        assert_eq!(again.ok(), Some(list), "a list survives a round trip");
    }
    let _ = lote::lint_draft(data, Some(Profile::Wallet), now());
    for mode in [Mode::Strict, Mode::Interop] {
        let verifier = Verifier {
            signers: Signers::Anyone,
            mode,
        };
        let _ = verifier.verify(data, now());
    }
}
