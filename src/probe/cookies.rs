//! The cookie jar of one user on one host: as much of RFC 6265 as a journey of seconds can tell.
//!
//! A cookie is a name, a value and a path; `Max-Age` of zero or less, or `Expires` before the answer's own `Date`, takes it away. Domains
//! are not looked at, since a journey has one host, and neither are `Secure`, `HttpOnly` and `SameSite`, which are about scripts and sites.

use std::fmt::Write as _;

use reqwest::header::{DATE, HeaderMap, SET_COOKIE};

/// The cookies that a user has, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Jar(Vec<Cookie>);

#[derive(Clone, Debug)]
struct Cookie {
    name: String,
    value: String,
    path: String,
}

impl Jar {
    /// Takes what an answer to a request for `path` sets.
    pub(super) fn take(&mut self, headers: &HeaderMap, path: &str) {
        for set in headers.get_all(SET_COOKIE) {
            let Ok(text) = set.to_str() else { continue };
            let mut parts = text.split(';');
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let mut cookie = Cookie {
                name: name.trim().to_owned(),
                value: value.trim().to_owned(),
                path: default_path(path).to_owned(),
            };
            let (mut age, mut expired) = (None, false);
            for part in parts {
                let (key, value) = part.split_once('=').unwrap_or((part, ""));
                let value = value.trim();
                match key.trim().to_ascii_lowercase().as_str() {
                    "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                    "max-age" => age = value.parse::<i64>().ok(),
                    "expires" => expired = is_past(value, headers),
                    _ => {}
                }
            }
            // Max-Age has precedence over Expires (section 5.3).
            let gone = age.map_or(expired, |age| age <= 0);
            let place = self
                .0
                .iter()
                .position(|old| old.name == cookie.name && old.path == cookie.path);
            match place {
                Some(place) if gone => {
                    self.0.remove(place);
                }
                Some(place) => self.0[place] = cookie,
                None if !gone && !cookie.name.is_empty() => self.0.push(cookie),
                None => {}
            }
        }
    }

    /// The value of a cookie, of whatever path.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let named = self.0.iter().rfind(|cookie| cookie.name == name)?;
        Some(&named.value)
    }

    /// The header `Cookie` of a request for a path; `None` without one. Longer paths come first (section 5.4).
    pub(super) fn header(&self, path: &str) -> Option<String> {
        let mut sent: Vec<&Cookie> = self.0.iter().filter(|cookie| reaches(&cookie.path, path)).collect();
        sent.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let mut text = String::new();
        for cookie in sent {
            let gap = if text.is_empty() { "" } else { "; " };
            let written = write!(text, "{gap}{}={}", cookie.name, cookie.value);
            debug_assert!(written.is_ok(), "writing to a string does not fail");
        }
        (!text.is_empty()).then_some(text)
    }
}

/// Section 5.1.4: the path up to its last slash.
fn default_path(path: &str) -> &str {
    let path = path.split('?').next().unwrap_or(path);
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(end) => &path[..end],
    }
}

/// Section 5.1.4: the same, or a folder above.
fn reaches(cookie: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or(path);
    path.strip_prefix(cookie)
        .is_some_and(|rest| rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'))
}

/// Whether a date is not after the answer's own: the server's clock decides, no other is asked. Without one only 1970 is past.
fn is_past(date: &str, headers: &HeaderMap) -> bool {
    let parse = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp());
    // Cookies may write `Thu, 01-Jan-1970`, with dashes (section 5.1.1).
    let Some(date) = parse(&date.replace('-', " ")) else {
        return false;
    };
    let now = headers.get(DATE).and_then(|now| now.to_str().ok()).and_then(parse);
    match now {
        Some(now) => date <= now,
        None => date.as_second() < 365 * 86_400,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(sets: &[&str], path: &str) -> Jar {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, "Wed, 21 Oct 2026 07:28:00 GMT".parse().unwrap());
        for set in sets {
            headers.append(SET_COOKIE, set.parse().unwrap());
        }
        let mut jar = Jar::default();
        jar.take(&headers, path);
        jar
    }

    #[test]
    fn cookies_come_back_and_the_last_value_counts() {
        let jar = jar(&["a=1; Path=/; HttpOnly", "b=x=y", "a=2; path=/"], "/login?next=/");
        assert_eq!(jar.header("/cart").as_deref(), Some("a=2; b=x=y"));
        assert_eq!(jar.get("b"), Some("x=y"));
        assert_eq!(jar.get("c"), None);
    }

    #[test]
    fn a_cookie_is_sent_below_its_path_alone() {
        let jar = jar(&["a=1", "b=2; Path=/shop/cart/", "c=3; Path=/"], "/shop/login");
        assert_eq!(jar.header("/shop/cart/7").as_deref(), Some("b=2; a=1; c=3"));
        assert_eq!(jar.header("/shopping").as_deref(), Some("c=3"));
    }

    #[test]
    fn a_cookie_can_be_taken_away() {
        for gone in [
            "a=; Max-Age=0",
            "a=; Max-Age=-1; Expires=Wed, 21 Oct 2037 07:28:00 GMT",
            "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
            "a=; expires=Thu, 01-Jan-1970 00:00:00 GMT",
            "a=; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
        ] {
            assert_eq!(jar(&["a=1", gone], "/").header("/"), None, "{gone}");
        }
        for kept in [
            "a=2; Max-Age=60",
            "a=2; Expires=Wed, 21 Oct 2026 07:28:01 GMT",
            "a=2; Expires=soon",
        ] {
            assert_eq!(jar(&["a=1", kept], "/").header("/").as_deref(), Some("a=2"), "{kept}");
        }
    }

    #[test]
    fn what_is_no_cookie_is_passed_over() {
        assert_eq!(jar(&["plain", "=nameless", ""], "/").header("/"), None);
    }
}
