//! The file by which clients find the server.

use std::net::SocketAddr;

use k8s_openapi::ByteString;
use serde_json::json;

/// The name of cluster, user and context, as kind names its own: `kind-kind`.
const NAME: &str = "steadfast";

/// A kubeconfig (<https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>). It is JSON, which is YAML, too.
pub(super) fn text(address: SocketAddr, authority: &str, token: &str) -> String {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": {
            "server": format!("https://{address}"),
            // A ByteString is written in base64.
            "certificate-authority-data": ByteString(authority.as_bytes().to_vec()),
        }}],
        "users": [{"name": NAME, "user": {"token": token}}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME, "namespace": "default"}}],
        "current-context": NAME,
        "preferences": {},
    });
    serde_yaml::to_string(&config).unwrap_or_else(|_| config.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_kubeconfig_names_the_server_its_authority_and_the_token() {
        let text = text(([127, 0, 0, 1], 6443).into(), "PEM", "secret");
        let config: Value = serde_yaml::from_str(&text).unwrap();
        let cluster = &config["clusters"][0]["cluster"];
        assert_eq!(cluster["server"], "https://127.0.0.1:6443");
        assert_eq!(cluster["certificate-authority-data"], "UEVN");
        assert_eq!(config["users"][0]["user"]["token"], "secret");
        assert_eq!(config["current-context"], config["contexts"][0]["name"]);
    }
}
