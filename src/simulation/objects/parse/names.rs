//! Which names, label keys and label values are allowed (k8s.io/apimachinery pkg/util/validation/validation.go).
//! Each function gives what is wrong, in Kubernetes' words.

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and \
end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is \
'[a-z]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start \
and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// The rule that a kind's names follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// RFC 1123 label.
    Label,
    /// RFC 1035 label.
    Label1035,
    /// RFC 1123 subdomain.
    Subdomain,
    /// Anything that can stand in a path.
    Segment,
}

impl Rule {
    /// What is wrong with a name.
    pub(super) fn fault(self, name: &str) -> Option<String> {
        match self {
            Self::Label => long(name, 63).or_else(|| (!is_label(name)).then(|| LABEL.to_owned())),
            Self::Label1035 => long(name, 63).or_else(|| {
                (!is_label(name) || name.starts_with(|c: char| c.is_ascii_digit())).then(|| LABEL_1035.to_owned())
            }),
            Self::Subdomain => {
                long(name, 253).or_else(|| (!name.split('.').all(is_label)).then(|| SUBDOMAIN.to_owned()))
            }
            Self::Segment => match name {
                "." | ".." => Some(format!("may not be '{name}'")),
                _ => name
                    .chars()
                    .find(|c| matches!(c, '/' | '%'))
                    .map(|c| format!("may not contain '{c}'")),
            },
        }
    }
}

/// What is wrong with a label's or annotation's key.
pub(super) fn key_fault(key: &str) -> Option<String> {
    let name = match key.split_once('/') {
        Some((prefix, name)) => {
            if prefix.is_empty() {
                return Some("prefix part must be non-empty".into());
            }
            if let Some(why) = Rule::Subdomain.fault(prefix) {
                return Some(format!("prefix part {why}"));
            }
            name
        }
        None => key,
    };
    if name.is_empty() {
        return Some("name part must be non-empty".into());
    }
    long(name, 63)
        .map(|why| format!("name part {why}"))
        .or_else(|| (!is_qualified(name)).then(|| QUALIFIED.to_owned()))
}

/// What is wrong with a label's value.
pub(super) fn value_fault(value: &str) -> Option<String> {
    long(value, 63).or_else(|| (!value.is_empty() && !is_qualified(value)).then(|| VALUE.to_owned()))
}

/// What is wrong with a port's name.
pub(super) fn port_fault(name: &str) -> Option<&'static str> {
    if name.len() > 15 {
        Some("must be no more than 15 characters")
    } else if !name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    {
        Some("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    } else if !name.bytes().any(|byte| byte.is_ascii_lowercase()) {
        Some("must contain at least one letter (a-z)")
    } else if name.contains("--") {
        Some("must not contain consecutive hyphens")
    } else if name.starts_with('-') || name.ends_with('-') {
        Some("must not begin or end with a hyphen")
    } else {
        None
    }
}

fn long(text: &str, most: usize) -> Option<String> {
    (text.len() > most).then(|| format!("must be no more than {most} bytes"))
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    ends(text, inner) && text.bytes().all(|byte| inner(byte) || byte == b'-')
}

fn is_qualified(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric();
    ends(text, inner)
        && text
            .bytes()
            .all(|byte| inner(byte) || matches!(byte, b'-' | b'_' | b'.'))
}

fn ends(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|&byte| allowed(byte)) && bytes.last().is_some_and(|&byte| allowed(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Rule::Subdomain, "carts-db.v2", true)]
    #[case(Rule::Subdomain, "X_", false)]
    #[case(Rule::Subdomain, "a..b", false)]
    #[case(Rule::Subdomain, "-a", false)]
    #[case(Rule::Label, "a.b", false)]
    #[case(Rule::Label, "1a", true)]
    #[case(Rule::Label1035, "1a", false)]
    #[case(Rule::Segment, "system:node", true)]
    #[case(Rule::Segment, "a/b", false)]
    fn names_follow_their_rule(#[case] rule: Rule, #[case] name: &str, #[case] allowed: bool) {
        assert_eq!(rule.fault(name).is_none(), allowed, "{:?}", rule.fault(name));
    }

    #[rstest]
    #[case("app.kubernetes.io/name", true)]
    #[case("name", true)]
    #[case("/name", false)]
    #[case("a/", false)]
    #[case("a/b/c", false)]
    #[case("Upper.io/x", false)]
    fn label_keys_are_qualified_names(#[case] key: &str, #[case] allowed: bool) {
        assert_eq!(key_fault(key).is_none(), allowed);
    }

    #[test]
    fn a_label_of_63_bytes_is_the_longest() {
        assert_eq!(Rule::Label.fault(&"a".repeat(63)), None);
        assert_eq!(
            Rule::Label.fault(&"a".repeat(64)).as_deref(),
            Some("must be no more than 63 bytes")
        );
        assert!(value_fault("a b").is_some() && value_fault("").is_none());
    }
}
