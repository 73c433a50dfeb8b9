//! The parameters of a request.

use super::status::Refusal;

/// The parameters after a path's question mark, decoded.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=b&c=d`.
    pub(super) fn parse(query: Option<&str>) -> Self {
        let pairs = query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")))
            });
        Self(pairs.collect())
    }

    /// A parameter; an empty one counts as absent.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(name, value)| name == key && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// A switch. Like Kubernetes' `Convert_Slice_string_To_bool`: everything but `0` and `false` is true.
    pub(super) fn switch(&self, key: &str) -> Option<bool> {
        let (_, value) = self.0.iter().find(|(name, _)| name == key)?;
        Some(value != "0" && !value.eq_ignore_ascii_case("false"))
    }

    /// A number.
    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, Refusal> {
        self.text(key)
            .map(|text| {
                text.parse()
                    .map_err(|_| Refusal::BadRequest(not_a_number("ParseInt", text)))
            })
            .transpose()
    }

    /// Whether the request is to change nothing.
    ///
    /// # Errors
    /// `All` is the only value there is (`k8s.io/apimachinery/pkg/apis/meta/v1/validation/validation.go`).
    pub(super) fn dry_run(&self, kind: &str) -> Result<bool, Refusal> {
        self.text("dryRun").map_or(Ok(false), |value| is_dry_run(value, kind))
    }
}

/// Whether a value of `dryRun` is the one there is.
pub(super) fn is_dry_run(value: &str, kind: &str) -> Result<bool, Refusal> {
    if value == "All" {
        return Ok(true);
    }
    let why = format!("Unsupported value: \"{value}\": supported values: \"All\"");
    Err(Refusal::option(kind, "dryRun", why))
}

/// What Go says of a text that is no number (`strconv`).
pub(super) fn not_a_number(function: &str, text: &str) -> String {
    format!("strconv.{function}: parsing \"{text}\": invalid syntax")
}

/// Undoes percent-encoding. What is not encoded properly stays as it is.
pub(super) fn decode(text: &str) -> String {
    let mut rest = text.as_bytes();
    let mut decoded = Vec::with_capacity(rest.len());
    while let [first, after @ ..] = rest {
        if let [high, low, after @ ..] = after
            && *first == b'%'
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            decoded.push(high << 4 | low);
            rest = after;
        } else {
            decoded.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
