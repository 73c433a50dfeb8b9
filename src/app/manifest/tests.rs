use super::*;

fn names(manifest: &Manifest) -> Vec<&str> {
    manifest.objects.iter().map(|object| object.name.as_str()).collect()
}

fn read(text: &str) -> Manifest {
    Manifest::parse(text, "test").expect("it is a manifest")
}

/// An error with its causes.
fn said(text: &str) -> String {
    let error = Manifest::parse(text, "test").expect_err("it is no manifest");
    crate::error::chain(&error)
}

#[test]
fn documents_lists_and_comments_are_read_in_order() {
    let text = "# only a comment\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n\
                apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: a, namespace: shop}}\n---\n";
    let manifest = read(text);
    assert_eq!(names(&manifest), ["shop", "a"]);
    assert_eq!(manifest.namespace(), "shop");
}

#[test]
fn an_error_names_the_document_and_the_line_of_the_text() {
    let text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\nkind: Service\n";
    assert!(
        said(text).contains("document 2 lacks `apiVersion` (line 5)"),
        "{}",
        said(text)
    );
    assert!(said("a: [").contains("document 1 (line 1) is not YAML"));
    let text = "# a comment\n---\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\nkind: Service\n  name: x\n";
    let said = said(text);
    assert!(said.contains("document 2 (line 8) is not YAML"), "{said}");
    assert!(said.contains("at line 9"), "{said}");
    assert!(matches!(
        Manifest::parse("# nothing\n", "test"),
        Err(ManifestError::Empty)
    ));
}

#[test]
fn json_is_read_as_one_object_as_several_and_as_a_list() {
    let one = r#"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}"#;
    assert_eq!(names(&read(one)), ["a"]);
    assert_eq!(names(&read(&format!("{one}\n{one}"))), ["a", "a"]);
    let list = format!("{{\n\t\"apiVersion\": \"v1\", \"kind\": \"List\",\n\t\"items\": [{one}, {one}]}}");
    assert_eq!(names(&read(&list)), ["a", "a"]);
    let flow = "{apiVersion: v1, kind: Service, metadata: {name: flow}}";
    assert_eq!(names(&read(flow)), ["flow"]);
    assert!(said("{\"apiVersion\": ").contains("neither JSON nor YAML"));
}

#[test]
fn the_items_of_a_typed_list_are_of_its_kind() {
    let manifest = read("apiVersion: v1\nkind: ConfigMapList\nitems: [{ metadata: { name: a } }]\n");
    assert_eq!(manifest.objects[0].kind, "ConfigMap");
    assert_eq!(manifest.objects[0].value["apiVersion"], "v1");
}

#[test]
fn what_helm_prints_around_manifests_does_not_count_and_test_hooks_are_left_out() {
    let text = "\
NAME: shop
LAST DEPLOYED: Mon Nov 24 10:00:00 2025
HOOKS:
---
# Source: shop/templates/tests/test-connection.yaml
apiVersion: v1
kind: Pod
metadata:
  name: shop-test
  annotations:
    \"helm.sh/hook\": test
---
# Source: shop/templates/migrate.yaml
apiVersion: batch/v1
kind: Job
metadata: { name: migrate, annotations: { helm.sh/hook: \"pre-install, pre-upgrade\" } }
MANIFEST:
---
# Source: shop/templates/service.yaml
apiVersion: v1
kind: Service
metadata: { name: shop }
NOTES:
1. Get the application URL by running these commands:
  export POD_NAME=$(kubectl get pods)
";
    let manifest = read(text);
    assert_eq!(names(&manifest), ["migrate", "shop"]);
    assert_eq!(manifest.left_out, ["Pod/shop-test: left out, a Helm hook (test)"]);
}

#[test]
fn anchors_merge_keys_numbers_as_keys_and_octal_modes_are_read_as_kubectl_reads_them() {
    let text = "
apiVersion: v1
kind: ConfigMap
metadata: { name: a, labels: &labels { app: a } }
data: { <<: *labels, 8080: port }
spec: { volumes: [{ configMap: { defaultMode: 0644 } }] }
";
    let value = &read(text).objects[0].value;
    assert_eq!(value["data"], serde_json::json!({"app": "a", "8080": "port"}));
    assert_eq!(value["spec"]["volumes"][0]["configMap"]["defaultMode"], 0o644);
}

#[test]
fn a_separator_inside_of_a_text_separates_nothing() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata:\n  x: |\n    a\n    ---\n    b\n--- # next\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: b }\n";
    let manifest = read(text);
    assert_eq!(names(&manifest), ["a", "b"]);
    assert_eq!(manifest.objects[0].value["data"]["x"], "a\n---\nb\n");
    assert_eq!(manifest.objects[1].place, "test, line 10");
}

#[test]
fn what_others_need_comes_first_and_the_rest_stays_in_the_order_of_the_text() {
    let of = |api: &str, kind: &str, name: &str| {
        format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{ name: {name} }}\n---\n")
    };
    let text = [
        of("example.com/v1", "Widget", "own"),
        of(
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
            "guard",
        ),
        of("apps/v1", "Deployment", "web"),
        of("v1", "Service", "web"),
        of("apps/v1", "Deployment", "db"),
        of("v1", "ConfigMap", "settings"),
        of(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            "widgets.example.com",
        ),
        of("v1", "Namespace", "shop"),
    ]
    .concat();
    let manifest = read(&text);
    let order: Vec<_> = manifest.in_order().iter().map(|object| object.name.as_str()).collect();
    assert_eq!(
        order,
        [
            "shop",
            "widgets.example.com",
            "settings",
            "web",
            "web",
            "db",
            "own",
            "guard"
        ]
    );
}

#[test]
fn journeys_enter_the_namespace_with_the_most_workloads() {
    let of = |kind: &str, name: &str, namespace: &str| {
        format!(
            "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{ name: {name}, namespace: {namespace} }}\nspec: {{ template: {{ spec: {{}} }} }}\n---\n"
        )
    };
    let text = [
        of("Deployment", "a", "one"),
        of("Deployment", "b", "two"),
        of("StatefulSet", "c", "two"),
    ]
    .concat();
    let mut manifest = read(&text);
    assert_eq!(manifest.namespace(), "two");
    assert_eq!(manifest.namespaces(), ["one", "two"].into());
    manifest.put_into("three");
    assert_eq!(manifest.namespace(), "two", "who names a namespace stays there");
    let mut unnamed = read("apiVersion: v1\nkind: Pod\nmetadata: { name: a }\n");
    assert_eq!(unnamed.namespace(), "default");
    unnamed.put_into("three");
    assert_eq!(unnamed.namespace(), "three");
}
