#![expect(clippy::needless_pass_by_value, reason = "a literal at every call")]

use rstest::rstest;
use serde_json::json;

use super::*;
use crate::simulation::objects::resources::DEPLOYMENTS;

/// The examples of RFC 6902, appendix A, that are objects.
#[rstest]
#[case(json!({"foo": "bar"}), json!([{"op": "add", "path": "/baz", "value": "qux"}]), json!({"baz": "qux", "foo": "bar"}))]
#[case(json!({"foo": ["bar", "baz"]}), json!([{"op": "add", "path": "/foo/1", "value": "qux"}]), json!({"foo": ["bar", "qux", "baz"]}))]
#[case(json!({"baz": "qux", "foo": "bar"}), json!([{"op": "remove", "path": "/baz"}]), json!({"foo": "bar"}))]
#[case(json!({"foo": ["bar", "qux", "baz"]}), json!([{"op": "remove", "path": "/foo/1"}]), json!({"foo": ["bar", "baz"]}))]
#[case(json!({"baz": "qux", "foo": "bar"}), json!([{"op": "replace", "path": "/baz", "value": "boo"}]), json!({"baz": "boo", "foo": "bar"}))]
#[case(json!({"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}}), json!([{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}]), json!({"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}}))]
#[case(json!({"foo": ["all", "grass", "cows", "eat"]}), json!([{"op": "move", "from": "/foo/1", "path": "/foo/3"}]), json!({"foo": ["all", "cows", "eat", "grass"]}))]
#[case(json!({"baz": "qux", "foo": ["a", 2, "c"]}), json!([{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}]), json!({"baz": "qux", "foo": ["a", 2, "c"]}))]
#[case(json!({"foo": "bar"}), json!([{"op": "add", "path": "/child", "value": {"grandchild": {}}}]), json!({"foo": "bar", "child": {"grandchild": {}}}))]
#[case(json!({"foo": "bar"}), json!([{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}]), json!({"foo": "bar", "baz": "qux"}))]
#[case(json!({"/": 9, "~1": 10}), json!([{"op": "test", "path": "/~01", "value": 10}]), json!({"/": 9, "~1": 10}))]
#[case(json!({"foo": ["bar"]}), json!([{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}]), json!({"foo": ["bar", ["abc", "def"]]}))]
fn json_patches_are_those_of_the_rfc(#[case] object: Value, #[case] patch: Value, #[case] expected: Value) {
    assert_eq!(patched(Kind::Json, DEPLOYMENTS, &object, &patch).unwrap(), expected);
}

#[rstest]
#[case(json!([{"op": "test", "path": "/foo", "value": "other"}]), "testing value /foo failed: test failed")]
#[case(json!([{"op": "remove", "path": "/none"}]), "remove operation does not apply")]
#[case(json!([{"op": "add", "path": "/none/at/all", "value": 1}]), "add operation does not apply")]
#[case(json!([{"op": "replace", "path": "", "value": 1}]), "the patch leaves no object")]
fn a_json_patch_that_does_not_apply_is_refused(#[case] patch: Value, #[case] why: &str) {
    let refusal = patched(Kind::Json, DEPLOYMENTS, &json!({"foo": "bar"}), &patch).unwrap_err();
    assert!(refusal.to_string().contains(why), "{refusal}");
    assert_eq!(refusal.status()["code"], 422);
}

#[test]
fn a_json_patch_cannot_grow_without_bounds() {
    let mut patch = vec![json!({"op": "add", "path": "/a", "value": [["x".repeat(1000)]]})];
    patch.extend((0..200).map(|_| json!({"op": "copy", "from": "/a", "path": "/a/-"})));
    let refusal = patched(Kind::Json, DEPLOYMENTS, &json!({}), &Value::Array(patch)).unwrap_err();
    assert!(refusal.to_string().contains("exceeding the limit"), "{refusal}");
}

fn containers(containers: Value) -> Value {
    json!({"spec": {"template": {"spec": {"containers": containers}}}})
}

#[rstest]
// Lists of objects merge by their key, and what is patched keeps its place.
#[case(
    containers(json!([{"name": "a", "image": "1"}, {"name": "b", "image": "2"}])),
    containers(json!([{"name": "b", "image": "3"}])),
    containers(json!([{"name": "a", "image": "1"}, {"name": "b", "image": "3"}]))
)]
#[case(
    containers(json!([{"name": "a", "image": "1"}])),
    containers(json!([{"name": "n", "image": "3"}])),
    containers(json!([{"name": "n", "image": "3"}, {"name": "a", "image": "1"}]))
)]
#[case(
    containers(json!([{"name": "a"}, {"name": "b"}])),
    containers(json!([{"name": "a", "$patch": "delete"}])),
    containers(json!([{"name": "b"}]))
)]
#[case(
    containers(json!([{"name": "a"}, {"name": "b"}])),
    containers(json!([{"$patch": "replace"}, {"name": "c"}])),
    containers(json!([{"name": "c"}]))
)]
#[case(
    containers(json!([{"name": "a", "ports": [{"containerPort": 80}]}])),
    containers(json!([{"name": "a", "ports": [{"containerPort": 90, "protocol": "UDP"}]}])),
    containers(json!([{"name": "a", "ports": [{"containerPort": 90, "protocol": "UDP"}, {"containerPort": 80}]}]))
)]
#[case(
    json!({"spec": {"template": {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}}}),
    json!({"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "a", "image": "1"}]}}}}),
    json!({"spec": {"template": {"spec": {"containers": [{"name": "b"}, {"name": "a", "image": "1"}]}}}})
)]
// Lists without a strategy are replaced.
#[case(
    containers(json!([{"name": "a", "args": ["x", "y"]}])),
    containers(json!([{"name": "a", "args": ["z"]}])),
    containers(json!([{"name": "a", "args": ["z"]}]))
)]
// Lists of scalars with a strategy are sets.
#[case(
    json!({"metadata": {"finalizers": ["a"]}}),
    json!({"metadata": {"finalizers": ["b", "a"]}}),
    json!({"metadata": {"finalizers": ["b", "a"]}})
)]
#[case(
    json!({"metadata": {"finalizers": ["a", "b"]}}),
    json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}),
    json!({"metadata": {"finalizers": ["b"]}})
)]
// Maps.
#[case(
    json!({"metadata": {"labels": {"a": "1", "b": "2"}}}),
    json!({"metadata": {"labels": {"a": null, "c": "3"}}}),
    json!({"metadata": {"labels": {"b": "2", "c": "3"}}})
)]
#[case(
    json!({"metadata": {"labels": {"a": "1"}}}),
    json!({"metadata": {"labels": {"$patch": "replace", "c": "3"}}}),
    json!({"metadata": {"labels": {"c": "3"}}})
)]
#[case(
    json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}),
    json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
    json!({"spec": {"strategy": {"type": "Recreate"}}})
)]
fn strategic_merge_patches_merge_as_the_types_say(
    #[case] object: Value,
    #[case] patch: Value,
    #[case] expected: Value,
) {
    assert_eq!(
        patched(Kind::Strategic, DEPLOYMENTS, &object, &patch).unwrap(),
        expected
    );
}

#[rstest]
#[case(containers(json!([{"image": "1"}])), "does not contain declared merge key: name")]
#[case(json!({"spec": {"$patch": "explode"}}), "Unknown patch type")]
#[case(json!({"spec": {"$retainKeys": ["type"], "replicas": 1}}), "retainKeys")]
fn a_strategic_merge_patch_that_makes_no_sense_is_refused(#[case] patch: Value, #[case] why: &str) {
    let object = containers(json!([{"name": "a"}]));
    let refusal = patched(Kind::Strategic, DEPLOYMENTS, &object, &patch).unwrap_err();
    assert!(refusal.to_string().contains(why), "{refusal}");
    assert_eq!(refusal.status()["code"], 400);
}
