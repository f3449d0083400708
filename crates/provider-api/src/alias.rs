//! The name that a user gives their account: whatever they like, as long as it can be
//! read back and typed again.

use finding::Refusal;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::Problem;

/// The longest alias, in characters.
pub const MAX_ALIAS: usize = 64;

/// An alias as it is kept and looked up: composed (Unicode NFC), since of two keyboards
/// one may send "é" as one character and the other as two. `None` where it is so long
/// that nobody has it.
pub fn compose_alias(typed: &str) -> Option<String> {
    // No character has more than four bytes, and few are written as two.
    (typed.len() <= 8 * MAX_ALIAS).then(|| typed.nfc().collect())
}

/// The composed alias, if it may be anybody's. Refuses one that is empty, too long,
/// cannot be read back from a form, or holds what nobody sees: two aliases that look
/// alike on every screen would be two accounts.
pub fn check_alias(typed: &str) -> Result<String, Refusal> {
    let refuse = |what: &str| Problem::Alias.refusal("alias", what);
    let too_long = || refuse(&format!("longer than {MAX_ALIAS} characters"));
    let alias = compose_alias(typed).ok_or_else(too_long)?;
    if alias.chars().take(MAX_ALIAS + 1).count() > MAX_ALIAS {
        Err(too_long())
    } else if alias.trim() != alias || alias.is_empty() {
        Err(refuse("empty, or with space at an end"))
    } else if alias.chars().any(char::is_control) {
        Err(refuse("holds a control character"))
    } else if alias.chars().any(is_unseen) {
        Err(refuse(
            "holds a character that cannot be seen, or is none, or a space of another width",
        ))
    } else {
        Ok(alias)
    }
}

/// Formatting characters, unassigned and private ones, and all spaces but the usual one.
fn is_unseen(character: char) -> bool {
    match character.general_category_group() {
        GeneralCategoryGroup::Other => true,
        GeneralCategoryGroup::Separator => character != ' ',
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_one_however_it_was_typed() {
        assert_eq!(check_alias("Zoe\u{308} 1").unwrap(), "Zoë 1");
        assert_eq!(check_alias("Zoë 1").unwrap(), "Zoë 1");
        assert_eq!(compose_alias("Zoe\u{308}"), Some("Zoë".into()));
        for kept in ["ada.lovelace", "Ådalen", "日本", "Straße", "🦊", "&<\"'"] {
            assert_eq!(check_alias(kept).unwrap(), kept);
        }
        // As long as can be, typed in twice as many characters.
        assert_eq!(check_alias(&"e\u{301}".repeat(64)).unwrap(), "é".repeat(64));
    }

    #[test]
    fn what_cannot_be_read_back_is_no_alias() {
        let long = "x".repeat(65);
        let immense = "x".repeat(1 << 20);
        for (alias, what) in [
            ("", "empty"),
            (" mine", "space at an end"),
            ("mine\u{a0}", "space at an end"),
            ("a\nb", "control character"),
            ("a\u{200b}b", "cannot be seen"),
            ("\u{202e}nimda", "cannot be seen"),
            ("a\u{2028}b", "cannot be seen"),
            ("a\u{a0}b", "cannot be seen"),
            ("a\u{e000}", "cannot be seen"),
            (&long, "longer than 64"),
            (&immense, "longer than 64"),
        ] {
            let refusal = check_alias(alias).unwrap_err().to_string();
            assert!(refusal.contains(what), "{alias:.20?}: {refusal}");
        }
        assert_eq!(compose_alias(&immense), None);
    }
}
