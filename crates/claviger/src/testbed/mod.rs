//! A test bed: the parties of a wallet's ecosystem with keys, certificates to
//! their profiles, and three sealed lists. For development and the demo; nothing
//! in it vouches for anyone.

mod lists;
mod parties;

pub(crate) use lists::{ListName, SampleLists, WALLET_SOLUTION};
pub(crate) use parties::{Party, TestBed, names as party_names};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::time;

    #[tokio::test]
    async fn certificates_and_lists_conform_and_are_kept() {
        let device = wscd::open("software:").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (pki, lists) = (folder.path().join("pki"), folder.path().join("lists"));
        let at = time::now();
        let ca = "http://127.0.0.1:1/ca";
        let bed = TestBed::open(&device, &pki, ca, at).await.unwrap();
        bed.publish(&folder.path().join("ca"), at).await.unwrap();
        for (name, party, profile) in bed.parties() {
            let findings = pki::lint(&party.certificate, profile, at);
            assert!(findings.is_empty(), "{name}: {findings:#?}");
        }
        let url = "http://127.0.0.1:1/lists";
        let published = SampleLists::publish(&bed, &lists, url, at).await.unwrap();
        for name in ListName::ALL {
            let bytes = std::fs::read(published.path(name)).unwrap();
            let linted = lote::lint_bytes(&bytes, Some(name.profile()), at);
            assert!(
                linted.findings.is_empty(),
                "{name:?}: {:#?}",
                linted.findings
            );
        }

        let again = TestBed::open(&device, &pki, ca, at).await.unwrap();
        assert_eq!(again.access.certificate, bed.access.certificate);
        let before = std::fs::read(published.path(ListName::Wallet)).unwrap();
        SampleLists::publish(&again, &lists, url, at).await.unwrap();
        let after = std::fs::read(published.path(ListName::Wallet)).unwrap();
        assert_eq!(before, after, "a list that serves is left as it is");
    }
}
