//! A reader of Rust source that knows just enough: what is code and what is
//! comment or text, what is test code, and which functions are tests.

/// The source with comments and the insides of text literals blanked. Lines and
/// columns stay where they were.
pub fn code_only(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    let mut previous = ' ';
    while let Some(c) = rest.chars().next() {
        let skipped = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            'r' if !is_word(previous) || matches!(previous, 'b' | 'c') => raw_string(rest),
            '\'' => char_literal(rest),
            _ => 0,
        };
        let (blanked, left) = rest.split_at(skipped);
        if skipped == 0 {
            out.push(c);
            previous = c;
            rest = left.strip_prefix(c).unwrap_or("");
        } else {
            out.extend(blanked.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            previous = ' ';
            rest = left;
        }
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the raw string that begins here, or zero.
fn raw_string(text: &str) -> usize {
    let hashes = text.chars().skip(1).take_while(|c| *c == '#').count();
    if text.chars().nth(1 + hashes) != Some('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let opening = 2 + hashes;
    text.get(opening..)
        .and_then(|inside| inside.find(&end))
        .map_or(text.len(), |at| opening + at + end.len())
}

/// The length of the character literal that begins here; zero for a lifetime.
fn char_literal(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            let _escaped = chars.next();
            chars
                .find(|(_, c)| *c == '\'')
                .map_or(text.len(), |(at, _)| at + 1)
        }
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

/// Code (see [`code_only`]) with every item under `#[cfg(test)]` blanked.
pub fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        let (before, item) = rest.split_at(at);
        out.push_str(before);
        let (item, after) = item.split_at(item_end(item));
        out.extend(item.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Where the item ends that begins the text: after its `;` or its block.
fn item_end(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A test function and the modules, within its file, that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFunction {
    /// Names of the inline modules around it, outermost first.
    pub modules: Vec<String>,
    /// The function's name.
    pub name: String,
}

/// The test functions of code that went through [`code_only`].
pub fn test_functions(code: &str) -> Vec<TestFunction> {
    let mut found = Vec::new();
    let mut modules: Vec<(String, usize)> = Vec::new();
    let mut depth = 0_usize;
    let mut marked = false;
    let mut rest = code;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("#[") {
            let (attribute, after) = split_attribute(rest);
            marked |= is_test_attribute(attribute);
            rest = after;
            continue;
        }
        if is_word(c) {
            let (word, after) = split_word(rest);
            rest = after;
            match word {
                "fn" => {
                    let (name, after) = split_word(rest.trim_start());
                    if marked {
                        found.push(TestFunction {
                            modules: modules.iter().map(|(name, _)| name.clone()).collect(),
                            name: name.to_owned(),
                        });
                    }
                    marked = false;
                    rest = after;
                }
                "mod" => {
                    let (name, after) = split_word(rest.trim_start());
                    if after.trim_start().starts_with('{') {
                        modules.push((name.to_owned(), depth));
                    }
                    marked = false;
                    rest = after;
                }
                _ => {}
            }
            continue;
        }
        match c {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                modules.retain(|(_, outside)| *outside < depth);
            }
            _ => {}
        }
        rest = rest.strip_prefix(c).unwrap_or("");
    }
    found
}

/// Modules whose file the source names itself: `#[path = "file"] mod module;`.
pub fn modules_by_path(source: &str) -> Vec<(String, String)> {
    source
        .split("#[path = \"")
        .skip(1)
        .filter_map(|text| {
            let (file, rest) = text.split_once("\"]")?;
            let (_, rest) = rest.split_once("mod ")?;
            Some((file.to_owned(), split_word(rest).0.to_owned()))
        })
        .collect()
}

fn split_word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c| !is_word(c)).unwrap_or(text.len()))
}

fn split_attribute(text: &str) -> (&str, &str) {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return text.split_at(at + 1);
                }
            }
            _ => {}
        }
    }
    (text, "")
}

/// `#[test]`, `#[tokio::test(…)]`, `#[rstest]` and the like; not `#[cfg(test)]`.
fn is_test_attribute(attribute: &str) -> bool {
    let path = attribute
        .trim_start_matches("#[")
        .split(['(', ']', ' ', '='])
        .next()
        .unwrap_or("");
    matches!(path.rsplit("::").next(), Some("test" | "rstest"))
}

#[cfg(test)]
mod tests {
    use super::{TestFunction, code_only, modules_by_path, test_functions, without_tests};

    #[test]
    fn comments_and_text_are_blanked_and_lines_stay() {
        for (source, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a _________________ e"),
            ("x(\"fn \\\" y\")z", "x(_________)z"),
            ("r#\"a \" b\"# c", "__________ c"),
            ("for r in x", "for r in x"),
            ("'\"' a", "___ a"),
            ("'\\'' a", "____ a"),
            ("&'a str", "&'a str"),
        ] {
            assert_eq!(code_only(source), code.replace('_', " "), "{source}");
        }
    }

    #[test]
    fn what_is_under_cfg_test_is_blanked_and_nothing_else() {
        let code = "a();\n#[cfg(test)]\nmod tests { x { y } z }\nb();\n#[cfg(test)]\nuse c;\nd();";
        let left: String = without_tests(code).split_whitespace().collect();
        assert_eq!(left, "a();b();d();");
    }

    #[test]
    fn tests_are_found_with_their_modules() {
        let code = "
            fn not_a_test() {}
            #[test] fn outer() { if a { b } }
            #[cfg(test)]
            mod tests {
                fn helper() {}
                #[tokio::test(flavor = x)]
                async fn one() {}
                mod deep { #[rstest] #[case(1)] fn two(#[case] a: u8) {} }
                #[test]
                #[should_panic]
                fn three() {}
            }
            mod elsewhere;
            #[test] fn last() {}
        ";
        let found: Vec<String> = test_functions(code)
            .into_iter()
            .map(|TestFunction { modules, name }| [modules, vec![name]].concat().join("::"))
            .collect();
        assert_eq!(
            found,
            [
                "outer",
                "tests::one",
                "tests::deep::two",
                "tests::three",
                "last"
            ]
        );
    }

    #[test]
    fn a_module_may_name_its_file() {
        let source = "#[cfg(test)]\n#[path = \"db_tests.rs\"]\nmod tests;\nmod other;";
        assert_eq!(
            modules_by_path(source),
            [("db_tests.rs".to_owned(), "tests".to_owned())]
        );
    }
}
