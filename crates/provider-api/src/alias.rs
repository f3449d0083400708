//! The name that a user gives their account: whatever they like, as long as it can be
//! read back and typed again.

use finding::Refusal;
use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};

use crate::Problem;

/// The longest alias, in characters.
pub const MAX_ALIAS: usize = 64;

/// The longest text that can be an alias, in bytes: a composed character is typed as
/// up to four, with selectors and joiners between them.
const MAX_TYPED: usize = 32 * MAX_ALIAS;

/// An alias as it is kept and looked up: composed (Unicode NFC), since of two keyboards
/// one may send "é" as one character and the other as two, and without what no screen
/// shows by itself (the default ignorable code points: joiners, variation selectors,
/// fillers, marks of direction), so that two which look alike are not two. `None` where
/// it is so long that nobody has it.
pub fn compose_alias(typed: &str) -> Option<String> {
    if typed.len() > MAX_TYPED {
        return None;
    }
    let ignored = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let shown: String = typed.chars().filter(|c| !ignored.contains(*c)).collect();
    let composed = ComposingNormalizerBorrowed::new_nfc().normalize(&shown);
    Some(composed.into_owned())
}

/// The composed alias, if it may be anybody's. Refuses one that is empty, too long, or
/// holds what cannot be seen or typed again.
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

/// What is left of formatting characters, unassigned and private ones, the empty pattern
/// of Braille, and all spaces but the usual one.
fn is_unseen(character: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    GeneralCategoryGroup::Other.contains(category)
        || (GeneralCategoryGroup::Separator.contains(category) && character != ' ')
        || character == '\u{2800}'
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_alias_is_one_however_it_was_typed() {
        for (typed, kept) in [
            ("Zoe\u{308} 1", "Zoë 1"),
            ("\u{2764}\u{fe0f}", "\u{2764}"),
            ("a\u{200b}d\u{34f}a\u{3164}", "ada"),
            ("\u{202e}nimda", "nimda"),
        ] {
            assert_eq!(check_alias(typed).unwrap(), kept);
            assert_eq!(compose_alias(typed).unwrap(), kept);
        }
        for kept in ["ada.lovelace", "Ådalen", "日本", "Straße", "🦊", "&<\"'"] {
            assert_eq!(check_alias(kept).unwrap(), kept);
        }
        // As long as can be, typed in two or three times as many characters.
        let (typed, kept) = ("e\u{301}".repeat(64), "é".repeat(64));
        assert_eq!(check_alias(&typed).unwrap(), kept);
        let (typed, kept) = ("\u{1100}\u{1161}\u{11a8}".repeat(64), "각".repeat(64));
        assert_eq!(check_alias(&typed).unwrap(), kept);
    }

    #[test]
    fn what_cannot_be_read_back_is_no_alias() {
        let long = "x".repeat(65);
        let immense = "x".repeat(1 << 20);
        for (alias, what) in [
            ("", "empty"),
            ("\u{200b}", "empty"),
            (" mine", "space at an end"),
            ("mine\u{a0}", "space at an end"),
            ("a\nb", "control character"),
            ("a\u{2028}b", "cannot be seen"),
            ("a\u{a0}b", "cannot be seen"),
            ("a\u{e000}", "cannot be seen"),
            ("a\u{2800}", "cannot be seen"),
            ("a\u{fff9}b", "cannot be seen"),
            (&long, "longer than 64"),
            (&immense, "longer than 64"),
        ] {
            let refusal = check_alias(alias).unwrap_err().to_string();
            assert!(refusal.contains(what), "{alias:.20?}: {refusal}");
        }
        assert_eq!(compose_alias(&immense), None);
    }
}
