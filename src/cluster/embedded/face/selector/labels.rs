//! Label selectors, in the grammar of `k8s.io/apimachinery/pkg/labels/selector.go`.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::CharIndices;

use crate::simulation::api::Labels;

/// Requirements that must all be met.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LabelSelector(Vec<Requirement>);

#[derive(Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    rule: Rule,
}

#[derive(Debug, PartialEq, Eq)]
enum Rule {
    Exists,
    Absent,
    In(BTreeSet<String>),
    /// Met by objects without the label as well.
    NotIn(BTreeSet<String>),
    Above(i64),
    Below(i64),
}

/// Why a text is no label selector.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LabelError {
    /// Something else was expected.
    #[error("unable to parse requirement: found '{found}', expected: {expected}")]
    Unexpected {
        /// What there is.
        found: String,
        /// What may be there.
        expected: &'static str,
    },
    /// A key that no label can have.
    #[error(
        "unable to parse requirement: <nil>: Invalid value: \"{0}\": name part must consist of alphanumeric characters, \
         '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or \
         '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
    )]
    Key(String),
    /// A value that no label can have.
    #[error(
        "unable to parse requirement: values[0][{key}]: Invalid value: \"{value}\": a valid label must be an empty \
         string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
         character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
         '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
    )]
    Value {
        /// Of which label.
        key: String,
        /// The value.
        value: String,
    },
    /// `<` and `>` compare whole numbers.
    #[error(
        "unable to parse requirement: values[0]: Invalid value: \"{0}\": for 'Gt', 'Lt' operators, the value must be an integer"
    )]
    Number(String),
}

impl LabelSelector {
    /// Reads a selector; the empty text selects everything.
    pub(super) fn parse(text: &str) -> Result<Self, LabelError> {
        let mut tokens = Tokens {
            text,
            rest: text.char_indices().peekable(),
        };
        let mut requirements = Vec::new();
        let mut token = tokens.next();
        if token == Token::End {
            return Ok(Self(requirements));
        }
        loop {
            let (requirement, next) = tokens.requirement(token)?;
            requirements.push(requirement);
            match next {
                Token::End => return Ok(Self(requirements)),
                Token::Mark(",") => token = tokens.next(),
                other => return Err(other.unexpected("',' or 'end of string'")),
            }
        }
    }

    pub(super) fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|Requirement { key, rule }| {
            let value = labels.get(key);
            let number = || value.and_then(|value| value.parse::<i64>().ok());
            match rule {
                Rule::Exists => value.is_some(),
                Rule::Absent => value.is_none(),
                Rule::In(values) => value.is_some_and(|value| values.contains(value)),
                Rule::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Rule::Above(bound) => number().is_some_and(|number| number > *bound),
                Rule::Below(bound) => number().is_some_and(|number| number < *bound),
            }
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'t> {
    Word(&'t str),
    Mark(&'t str),
    End,
}

impl Token<'_> {
    fn unexpected(self, expected: &'static str) -> LabelError {
        let found = match self {
            Self::Word(text) | Self::Mark(text) => text,
            Self::End => "",
        };
        LabelError::Unexpected {
            found: found.to_owned(),
            expected,
        }
    }
}

struct Tokens<'t> {
    text: &'t str,
    rest: Peekable<CharIndices<'t>>,
}

impl<'t> Tokens<'t> {
    fn next(&mut self) -> Token<'t> {
        while self.rest.next_if(|(_, char)| char.is_ascii_whitespace()).is_some() {}
        let Some((start, first)) = self.rest.next() else {
            return Token::End;
        };
        let is_mark = |char: char| "=!(),<>".contains(char);
        if is_mark(first) {
            if "=!".contains(first) {
                self.rest.next_if(|(_, char)| *char == '=');
            }
            return Token::Mark(&self.text[start..self.position()]);
        }
        while self
            .rest
            .next_if(|(_, char)| !is_mark(*char) && !char.is_ascii_whitespace())
            .is_some()
        {}
        Token::Word(&self.text[start..self.position()])
    }

    fn position(&mut self) -> usize {
        self.rest.peek().map_or(self.text.len(), |(position, _)| *position)
    }

    /// The requirement that starts with `token`, and the token after it.
    fn requirement(&mut self, token: Token<'t>) -> Result<(Requirement, Token<'t>), LabelError> {
        if token == Token::Mark("!") {
            let key = key(self.next())?;
            return Ok((
                Requirement {
                    key,
                    rule: Rule::Absent,
                },
                self.next(),
            ));
        }
        let key = key(token)?;
        let rule = match self.next() {
            next @ (Token::End | Token::Mark(",")) => {
                return Ok((
                    Requirement {
                        key,
                        rule: Rule::Exists,
                    },
                    next,
                ));
            }
            Token::Mark("=" | "==") => return self.equal(key, Rule::In),
            Token::Mark("!=") => return self.equal(key, Rule::NotIn),
            Token::Word("in") => Rule::In(self.set(&key)?),
            Token::Word("notin") => Rule::NotIn(self.set(&key)?),
            Token::Mark(">") => Rule::Above(self.number()?),
            Token::Mark("<") => Rule::Below(self.number()?),
            other => return Err(other.unexpected("in, notin, =, ==, !=, gt, lt")),
        };
        Ok((Requirement { key, rule }, self.next()))
    }

    fn equal(
        &mut self,
        key: String,
        rule: fn(BTreeSet<String>) -> Rule,
    ) -> Result<(Requirement, Token<'t>), LabelError> {
        let (value, next) = match self.next() {
            Token::Word(word) => (value(&key, word)?, self.next()),
            next @ (Token::End | Token::Mark(",")) => (String::new(), next),
            other @ Token::Mark(_) => return Err(other.unexpected("identifier")),
        };
        Ok((
            Requirement {
                key,
                rule: rule(BTreeSet::from([value])),
            },
            next,
        ))
    }

    fn set(&mut self, key: &str) -> Result<BTreeSet<String>, LabelError> {
        match self.next() {
            Token::Mark("(") => {}
            other => return Err(other.unexpected("'('")),
        }
        let mut values = BTreeSet::new();
        let mut pending = String::new();
        loop {
            match self.next() {
                Token::Word(word) if pending.is_empty() => pending = value(key, word)?,
                Token::Mark(",") => _ = values.insert(std::mem::take(&mut pending)),
                Token::Mark(")") => {
                    values.insert(pending);
                    return Ok(values);
                }
                other => return Err(other.unexpected("',' or ')'")),
            }
        }
    }

    fn number(&mut self) -> Result<i64, LabelError> {
        match self.next() {
            Token::Word(word) => word.parse().map_err(|_| LabelError::Number(word.to_owned())),
            other => Err(other.unexpected("identifier")),
        }
    }
}

fn key(token: Token<'_>) -> Result<String, LabelError> {
    let Token::Word(word) = token else {
        return Err(token.unexpected("!, identifier, or 'end of string'"));
    };
    let (prefix, name) = word
        .split_once('/')
        .map_or((None, word), |(prefix, name)| (Some(prefix), name));
    let is_domain = |prefix: &str| {
        prefix.len() <= 253
            && prefix
                .split('.')
                .all(|part| is_name(part) && !part.contains(['_', '.']))
    };
    if is_name(name) && prefix.is_none_or(is_domain) {
        Ok(word.to_owned())
    } else {
        Err(LabelError::Key(word.to_owned()))
    }
}

fn value(key: &str, word: &str) -> Result<String, LabelError> {
    if is_name(word) {
        Ok(word.to_owned())
    } else {
        Err(LabelError::Value {
            key: key.to_owned(),
            value: word.to_owned(),
        })
    }
}

/// `k8s.io/apimachinery/pkg/util/validation/validation.go`: the name of a label, or a value that is not empty.
fn is_name(text: &str) -> bool {
    let ends = |end: Option<char>| end.is_some_and(|char| char.is_ascii_alphanumeric());
    text.len() <= 63
        && ends(text.chars().next())
        && ends(text.chars().last())
        && text
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || "-_.".contains(char))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn labels(text: &str) -> Labels {
        text.split_terminator(',')
            .filter_map(|pair| pair.split_once('='))
            .map(|(k, v)| (k.into(), v.into()))
            .collect()
    }

    #[rstest]
    #[case("", "a=1", true)]
    #[case("a", "a=1", true)]
    #[case("a", "b=1", false)]
    #[case("!a", "b=1", true)]
    #[case("!a", "a=", false)]
    #[case("a=1", "a=1,b=2", true)]
    #[case("a==1", "a=1", true)]
    #[case("a=1", "a=2", false)]
    #[case("a=", "a=", true)]
    #[case("a=", "b=1", false)]
    #[case("a!=1", "a=1", false)]
    #[case("a!=1", "b=1", true)]
    #[case("a in (1, 2)", "a=2", true)]
    #[case("a in (1,2)", "a=3", false)]
    #[case("a in (1,2)", "", false)]
    #[case("a in (,1)", "a=", true)]
    #[case("a notin (1,2)", "a=3", true)]
    #[case("a notin (1,2)", "", true)]
    #[case("a notin (1,2)", "a=1", false)]
    #[case("a=1,b in (x,y),!c", "a=1,b=y", true)]
    #[case("a=1,b in (x,y),!c", "a=1,b=y,c=0", false)]
    #[case("a>3", "a=4", true)]
    #[case("a<3", "a=4", false)]
    #[case("a>3", "a=x", false)]
    #[case("app.kubernetes.io/name=web", "app.kubernetes.io/name=web", true)]
    #[case("in in (in)", "in=in", true)]
    fn a_selector_matches_labels(#[case] selector: &str, #[case] on: &str, #[case] expected: bool) {
        assert_eq!(LabelSelector::parse(selector).unwrap().matches(&labels(on)), expected);
    }

    #[rstest]
    #[case("a in")]
    #[case("a in (1")]
    #[case("a in 1")]
    #[case("a in (1 2)")]
    #[case("a=1 b=2")]
    #[case("a=1,")]
    #[case(",a")]
    #[case("=1")]
    #[case("a==(")]
    #[case("a>x")]
    #[case("-a=1")]
    #[case("/a=1")]
    #[case("a/b/c")]
    #[case("a=b$")]
    #[case("!a=1")]
    fn nonsense_is_refused(#[case] selector: &str) {
        LabelSelector::parse(selector).unwrap_err();
    }
}
