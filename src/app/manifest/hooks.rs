//! Helm's hooks: `helm template` and `helm install --dry-run` print them among the other objects.

use serde_json::Value;

/// The annotation of a hook. Source: helm/helm pkg/release/hook.go `HookAnnotation`.
const ANNOTATION: &str = "helm.sh/hook";

/// The hooks that an installation runs. Source: helm/helm pkg/release/hook.go `HookPreInstall`, `HookPostInstall`; `crd-install`
/// is Helm 2's.
const INSTALLED: [&str; 3] = ["pre-install", "post-install", "crd-install"];

/// The hooks of an object that `helm install` would not create: tests, and what belongs to upgrades, rollbacks and deletions.
pub(super) fn never_installed(object: &Value) -> Option<String> {
    let hooks = object["metadata"]["annotations"][ANNOTATION].as_str()?;
    let mut names = hooks.split(',').map(str::trim);
    (!hooks.trim().is_empty() && !names.any(|name| INSTALLED.contains(&name))).then(|| hooks.to_owned())
}
