//! Image names: which description fits which image of a manifest.

/// The repository of an image: without digest, without tag.
pub(super) fn repository(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    // A colon before the last slash is a registry's port.
    let name = image.rfind('/').map_or(0, |slash| slash + 1);
    image[name..].find(':').map_or(image, |colon| &image[..name + colon])
}

/// Whether `repository` is the `described` one, whatever registry host or path stands in front of it.
pub(super) fn fits(repository: &str, described: &str) -> bool {
    repository
        .strip_suffix(described)
        .is_some_and(|front| !described.is_empty() && (front.is_empty() || front.ends_with('/')))
}

#[cfg(test)]
mod tests {
    use super::{fits, repository};

    #[test]
    fn registry_tag_and_digest_do_not_count() {
        for image in [
            "weaveworksdemos/carts",
            "weaveworksdemos/carts:0.4.8",
            "123.dkr.ecr.us-east-1.amazonaws.com/weaveworksdemos/carts:0.4.8",
            "localhost:5000/weaveworksdemos/carts",
            "weaveworksdemos/carts:0.4.8@sha256:00ff",
        ] {
            assert!(fits(repository(image), "weaveworksdemos/carts"), "{image}");
        }
        assert!(fits(repository("mongo"), "mongo"));
        assert!(fits(repository("docker.io/library/mongo:3.4"), "mongo"));
        assert!(!fits(repository("percona-mongo:3.4"), "mongo"));
        assert!(!fits(repository("weaveworksdemos/carts-db"), "weaveworksdemos/carts"));
    }
}
