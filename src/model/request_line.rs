//! Request lines such as `GET /catalogue/{id}`, and which pattern matches which request.

/// A parsed request line, or the pattern of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestLine {
    method: String,
    /// Without the query, without the leading slash.
    path: String,
}

impl RequestLine {
    /// Reads a method, one space and a path.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (method, target) = text.split_once(' ')?;
        let path = target.strip_prefix('/')?;
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let plain = !method.is_empty()
            && method.bytes().all(|byte| byte.is_ascii_uppercase())
            && !path.contains(char::is_whitespace);
        plain.then(|| Self {
            method: method.to_owned(),
            path: path.to_owned(),
        })
    }

    /// Reads a pattern: a request line, or `*` for every request.
    pub(crate) fn pattern(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::any());
        }
        Self::parse(text)
    }

    /// The pattern of every request.
    pub(crate) fn any() -> Self {
        Self {
            method: "*".to_owned(),
            path: "*".to_owned(),
        }
    }

    /// Whether this pattern matches a request: a segment in braces anything, a last segment `*` the rest.
    pub(crate) fn matches(&self, request: &Self) -> bool {
        if self.method != request.method && self.method != "*" {
            return false;
        }
        let mut wanted = self.path.split('/').peekable();
        let mut given = request.path.split('/');
        while let Some(segment) = wanted.next() {
            if segment == "*" && wanted.peek().is_none() {
                return true;
            }
            match given.next() {
                Some(_) if segment.starts_with('{') && segment.ends_with('}') => {}
                Some(part) if part == segment => {}
                _ => return false,
            }
        }
        given.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::RequestLine;

    fn matches(pattern: &str, request: &str) -> bool {
        let read = |text| RequestLine::parse(text).expect("a request line");
        read(pattern).matches(&read(request))
    }

    #[test]
    fn a_pattern_matches_segment_by_segment_and_ignores_the_query() {
        assert!(matches("GET /", "GET /"));
        assert!(matches("GET /detail.html", "GET /detail.html?id=3"));
        assert!(matches("GET /catalogue/{id}", "GET /catalogue/7"));
        assert!(matches("GET /catalogue*", "GET /catalogue*"));
        assert!(matches("GET /carts/*", "GET /carts/7/items"));
        assert!(matches("GET /*", "GET /anything/at/all"));
        assert!(!matches("GET /catalogue/{id}", "GET /catalogue"));
        assert!(!matches("GET /catalogue/{id}", "GET /catalogue/7/tags"));
        assert!(!matches("GET /catalogue", "POST /catalogue"));
    }

    #[test]
    fn a_request_line_needs_a_method_and_a_path() {
        for wrong in [
            "",
            "GET",
            "/catalogue",
            "get /catalogue",
            "GET catalogue",
            "GET  /",
            "GET /a b",
        ] {
            assert_eq!(RequestLine::parse(wrong), None, "{wrong}");
        }
    }
}
