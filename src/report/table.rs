//! A table of labels and one or two columns that fits the terminal; long texts are wrapped, nothing is cut.

/// The width of a report in columns.
pub const WIDTH: usize = 80;

/// The width of the labels.
const LABEL: usize = 30;

/// A row: a label and one text per column.
pub struct Row {
    /// What the row is about.
    pub label: String,
    /// One text per column; fewer leave the others empty.
    pub cells: Vec<String>,
}

impl Row {
    /// A row.
    pub fn new(label: impl Into<String>, cells: impl IntoIterator<Item = String>) -> Self {
        Self {
            label: label.into(),
            cells: cells.into_iter().collect(),
        }
    }
}

/// The rows as lines of at most [`WIDTH`] columns, with so many columns (at least one).
pub fn layout(rows: &[Row], columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let cell = ((WIDTH - LABEL) / columns).saturating_sub(1).max(1);
    let mut lines = Vec::new();
    for row in rows {
        let indent = row.label.len() - row.label.trim_start().len();
        let mut parts = vec![wrap(&row.label, LABEL, indent)];
        parts.extend(row.cells.iter().map(|text| wrap(text, cell, 0)));
        let height = parts.iter().map(Vec::len).max().unwrap_or(0);
        for at in 0..height {
            let mut line = String::new();
            for (column, part) in parts.iter().enumerate() {
                let width = if column == 0 { LABEL } else { cell + 1 };
                let text = part.get(at).map_or("", String::as_str);
                let gap = if column == 0 { "" } else { " " };
                line.push_str(gap);
                line.push_str(text);
                line.extend(std::iter::repeat_n(
                    ' ',
                    width - gap.len() - text.chars().count().min(width - gap.len()),
                ));
            }
            lines.push(line.trim_end().to_owned());
        }
    }
    lines
}

/// Breaks a text into lines of at most `width` characters at its spaces, words longer than that anywhere. The first line keeps
/// the text's own indent; the following ones are indented by `indent`.
pub fn wrap(text: &str, width: usize, indent: usize) -> Vec<String> {
    let indent = indent.min(width.saturating_sub(1));
    let own = (text.len() - text.trim_start().len()).min(width.saturating_sub(1));
    let mut lines = vec![" ".repeat(own)];
    let mut used = own;
    let mut fresh = true; // whether the last line has only its indent
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let gap = usize::from(!fresh);
            if used + gap + word.len() <= width {
                push(&mut lines, gap, &word);
                used += gap + word.len();
                fresh = false;
                break;
            }
            if fresh {
                let rest = word.split_off(width - used);
                push(&mut lines, 0, &word);
                word = rest;
            }
            lines.push(" ".repeat(indent));
            (used, fresh) = (indent, true);
        }
    }
    lines
}

fn push(lines: &mut [String], gap: usize, word: &[char]) {
    if let Some(line) = lines.last_mut() {
        line.extend(std::iter::repeat_n(' ', gap));
        line.extend(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_break_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrap("- one two three", 9, 2), ["- one two", "  three"]);
        assert_eq!(wrap("  abcdefgh ij", 6, 3), ["  abcd", "   efg", "   h", "   ij"]);
        assert_eq!(wrap("", 6, 2), [""]);
    }

    #[test]
    fn a_row_is_as_high_as_its_highest_cell() {
        let rows = [Row::new("label", ["a".repeat(30), "b".into()])];
        let lines = layout(&rows, 2);
        assert_eq!(
            lines,
            [
                format!("{:30} {} b", "label", "a".repeat(24)),
                format!("{:30} {}", "", "a".repeat(6))
            ]
        );
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide_and_no_letter_is_lost(text in "[ a-zé]{0,200}", width in 1_usize..40, indent in 0_usize..50) {
            let lines = wrap(&text, width, indent);
            prop_assert!(lines.iter().all(|line| line.chars().count() <= width));
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}
