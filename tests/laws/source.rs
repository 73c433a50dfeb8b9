//! Reading Rust without a parser: enough to find the paths that a file names.

use std::fs;
use std::path::Path;

/// A source file: its path below `src` with forward slashes, and its text.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every Rust file below `root`, in order of path.
pub(crate) fn files(root: &Path) -> Vec<File> {
    fn walk(root: &Path, folder: &Path, files: &mut Vec<File>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(root).unwrap().components();
                let below: Vec<_> = below.map(|part| part.as_os_str().to_str().unwrap()).collect();
                files.push(File {
                    path: below.join("/"),
                    text: fs::read_to_string(&path).unwrap(),
                });
            }
        }
    }
    let mut files = Vec::new();
    walk(root, root, &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The code alone: without comments, without what literals hold, without lifetimes, and without modules for tests.
pub(crate) fn code(text: &str) -> String {
    without_tests(&without_literals(text))
}

fn without_literals(text: &str) -> String {
    let text: Vec<char> = text.chars().collect();
    let at = |index: usize| text.get(index).copied().unwrap_or('\0');
    let (mut code, mut i) = (String::with_capacity(text.len()), 0);
    while i < text.len() {
        let starts_word = i == 0 || !is_word(at(i - 1));
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < text.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= text.len() {
                        break;
                    }
                }
                code.push(' ');
            }
            'r' if starts_word && (at(i + 1) == '"' || at(i + 1) == '#' && matches!(at(i + 2), '#' | '"')) => {
                let mut hashes = 0;
                while at(i + 1 + hashes) == '#' {
                    hashes += 1;
                }
                i += hashes + 2;
                while i < text.len() && !(at(i) == '"' && (1..=hashes).all(|hash| at(i + hash) == '#')) {
                    i += 1;
                }
                i += hashes + 1;
                code.push_str("\"\"");
            }
            '"' => {
                i += 1;
                while i < text.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                i += 1;
                code.push_str("\"\"");
            }
            '\'' if at(i + 1) == '\\' => {
                i += 3;
                while i < text.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            '\'' if at(i + 2) == '\'' => i += 3,
            '\'' => {
                i += 1;
                while is_word(at(i)) {
                    i += 1;
                }
            }
            other => {
                code.push(other);
                i += 1;
            }
        }
    }
    code
}

fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let (mut left, mut rest) = (String::new(), code);
    while let Some(start) = rest.find(MARK) {
        let (before, after) = rest.split_at(start);
        left.push_str(before);
        let after = &after[MARK.len()..];
        // The item ends with its block, or with a semicolon before any block.
        let (mut depth, mut end) = (0_usize, after.len());
        for (index, character) in after.char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && matches!(character, '}' | ';') {
                end = index + 1;
                break;
            }
        }
        rest = &after[end..];
    }
    left + rest
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Every path that the code names, as segments; those of `use` with their groups spelt out.
pub(crate) fn paths(code: &str) -> Vec<Vec<String>> {
    let (mut paths, mut rest) = (Vec::new(), code);
    while !rest.is_empty() {
        let Some(start) = rest.find(is_word) else { break };
        let found = &rest[start..];
        let end = chain_end(found);
        let chain: Vec<String> = segments(&found[..end]);
        if chain == ["use"] {
            let end = found.find(';').unwrap_or(found.len());
            use_tree(&[], &found["use".len()..end], &mut paths);
            rest = &found[end..];
        } else {
            paths.push(chain);
            rest = &found[end..];
        }
    }
    paths
}

fn chain_end(text: &str) -> usize {
    let mut end = 0;
    loop {
        end += text[end..]
            .find(|character| !is_word(character))
            .unwrap_or(text.len() - end);
        match text[end..].strip_prefix("::") {
            Some(next) if next.starts_with(is_word) => end += 2,
            _ => return end,
        }
    }
}

fn segments(path: &str) -> Vec<String> {
    path.split("::")
        .map(|segment| segment.trim().to_owned())
        .filter(|segment| !segment.is_empty())
        .collect()
}

fn use_tree(prefix: &[String], tree: &str, paths: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    if let Some((path, group)) = tree.split_once('{') {
        let prefix = [prefix, &segments(path)[..]].concat();
        let group = group.trim_end().strip_suffix('}').unwrap_or(group);
        let (mut depth, mut start) = (0_usize, 0);
        for (index, character) in group.char_indices().chain([(group.len(), ',')]) {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                ',' if depth == 0 => {
                    use_tree(&prefix, &group[start..index], paths);
                    start = index + 1;
                }
                _ => {}
            }
        }
    } else if !tree.is_empty() {
        let path = tree.split(" as ").next().unwrap_or(tree);
        paths.push([prefix, &segments(path)[..]].concat());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Vec<String> {
        paths(&code(text)).iter().map(|path| path.join("::")).collect()
    }

    #[test]
    fn groups_of_use_are_spelt_out() {
        assert_eq!(
            named("use std::{thread, time::{Duration, Instant as Now}};\nuse a::b;"),
            ["std::thread", "std::time::Duration", "std::time::Instant", "a::b"]
        );
    }

    #[test]
    fn paths_outside_of_use_are_found() {
        assert_eq!(
            named("let t = std::time::Instant::now();")[2],
            "std::time::Instant::now"
        );
    }

    #[test]
    fn comments_and_literals_name_nothing() {
        let text = "// tokio\n/* tokio /* tokio */ tokio */ x(\"tokio \\\" tokio\", r#\"tokio \" tokio\"#, 'a', '\\'', '\"') //! tokio\n/// tokio";
        assert_eq!(named(text), ["x"]);
    }

    #[test]
    fn lifetimes_are_not_literals() {
        assert_eq!(named("fn f<'a>(x: &'static a::B) {} // 'x"), ["fn", "f", "x", "a::B"]);
    }

    #[test]
    fn modules_for_tests_are_left_out_and_what_follows_is_not() {
        assert_eq!(
            named("a;\n#[cfg(test)]\nmod tests { use b; fn f() { c() } }\nd;"),
            ["a", "d"]
        );
        assert_eq!(named("#[cfg(test)]\npub(crate) mod sample;\nd;"), ["d"]);
    }
}
