//! Which tokens of a set count for anchors, as the tokens themselves remember it.
//!
//! Tokens that hold the same keys are alike for every operation but one: what was
//! written to one of them, and to the others not. An anchor (the device's memory
//! against a database put back to an earlier day) must never be read from a token
//! that missed the last write. So each token of a set keeps the *view*: a number
//! and the tokens that have every anchor. Whoever goes on without a token first
//! writes, to all that remain, a view that leaves it out; whoever brings one back
//! writes that it *joins* (from then on it gets every anchor), copies what it
//! missed, and then that it is in. Reading takes every token of the newest view.
//! `docs/decisions/0031-several-tokens.md` says what this holds against.

use std::collections::BTreeSet;

use aws_lc_rs::digest;
use cryptoki::slot::TokenInfo;

/// Tells a token from others that hold the same keys: by its label and serial
/// number, of which at least one differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TokenId([u8; 4]);

/// Which tokens have every anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) number: u64,
    /// Those that have every anchor.
    pub(crate) members: BTreeSet<TokenId>,
    /// Those that get every anchor from now on, and may miss earlier ones.
    pub(crate) joining: BTreeSet<TokenId>,
}

impl TokenId {
    pub(crate) fn of(about: &TokenInfo) -> Self {
        let name = [about.label(), "\0", about.serial_number()].concat();
        let digest = digest::digest(&digest::SHA256, name.as_bytes());
        Self(digest.as_ref().first_chunk().copied().unwrap_or_default())
    }
}

impl std::fmt::Display for TokenId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl View {
    /// Whether `remaining` of its members may go on without the others: a majority,
    /// so that no two parts of a divided set do so at once. Of two, one may: see the
    /// decision for what that costs.
    pub(crate) fn may_go_on_with(&self, remaining: &BTreeSet<TokenId>) -> bool {
        let (left, all) = (remaining.len(), self.members.len());
        left > 0 && (2 * left > all || all == 2)
    }

    pub(crate) fn next(&self, members: BTreeSet<TokenId>, joining: BTreeSet<TokenId>) -> Self {
        Self {
            number: self.number.saturating_add(1),
            members,
            joining,
        }
    }

    pub(crate) fn text(&self) -> String {
        let list = |ids: &BTreeSet<TokenId>| {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            ids.join(",")
        };
        let (members, joining) = (list(&self.members), list(&self.joining));
        if joining.is_empty() {
            format!("view={} in={members}", self.number)
        } else {
            format!("view={} in={members} joins={joining}", self.number)
        }
    }

    pub(crate) fn parse(label: &str) -> Option<Self> {
        let (number, rest) = label.strip_prefix("view=")?.split_once(" in=")?;
        let (members, joining) = match rest.split_once(" joins=") {
            Some((members, joining)) => (members, ids(joining)?),
            None => (rest, BTreeSet::new()),
        };
        Some(Self {
            number: number.parse().ok()?,
            members: ids(members)?,
            joining,
        })
    }
}

fn ids(text: &str) -> Option<BTreeSet<TokenId>> {
    text.split(',')
        .map(|id| {
            let mut bytes = [0; 4];
            hex::decode_to_slice(id, &mut bytes).ok()?;
            Some(TokenId(bytes))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rstest::rstest;

    use super::*;

    fn tokens(numbers: &[u8]) -> BTreeSet<TokenId> {
        numbers.iter().map(|n| TokenId([*n; 4])).collect()
    }

    fn view(members: &[u8], joining: &[u8]) -> View {
        View {
            number: 7,
            members: tokens(members),
            joining: tokens(joining),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for view in [view(&[1], &[]), view(&[1, 2, 3], &[4, 5])] {
            assert_eq!(View::parse(&view.text()), Some(view));
        }
        let eight = view(&[1, 2, 3, 4, 5, 6, 7, 8], &[]).text();
        assert!(eight.len() < 90, "{eight}");
        for bad in [
            "",
            "view=1",
            "view=x in=01010101",
            "view=1 in=",
            "view=1 in=0101",
        ] {
            assert_eq!(View::parse(bad), None, "{bad}");
        }
    }

    #[rstest]
    #[case(&[1, 2], &[1], true)]
    #[case(&[1, 2], &[], false)]
    #[case(&[1], &[], false)]
    #[case(&[1, 2, 3], &[2, 3], true)]
    #[case(&[1, 2, 3], &[2], false)]
    #[case(&[1, 2, 3, 4], &[1, 2], false)]
    #[case(&[1, 2, 3, 4], &[1, 2, 3], true)]
    fn no_two_parts_of_a_divided_set_go_on(
        #[case] members: &[u8],
        #[case] remaining: &[u8],
        #[case] may: bool,
    ) {
        assert_eq!(view(members, &[]).may_go_on_with(&tokens(remaining)), may);
    }
}
