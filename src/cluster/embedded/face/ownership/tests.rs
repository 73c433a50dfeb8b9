#![expect(clippy::needless_pass_by_value, reason = "a literal at every call")]

use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::simulation::objects::resources::{DEPLOYMENTS, PODS, SERVICES};

fn writer<'w>(resource: &'w Resource, manager: &'w str) -> Writer<'w> {
    Writer {
        resource,
        manager,
        subresource: "",
        time: "2026-01-01T00:00:00Z",
    }
}

fn deployment(containers: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": {"spec": {"containers": containers}}},
    })
}

/// The object and its managers after several managers have applied theirs to it.
fn applied(steps: &[(&str, &Value)]) -> (Value, Managers) {
    let mut state: (Option<Value>, Managers) = Default::default();
    for (manager, object) in steps {
        let (merged, managers) = writer(DEPLOYMENTS, manager)
            .apply(state.0.as_ref(), object, state.1, false)
            .unwrap();
        state = (Some(merged), managers);
    }
    (state.0.unwrap(), state.1)
}

fn owned(managers: &Managers, name: &str) -> Value {
    let entry = managers.0.iter().find(|(manager, _)| manager.name == name);
    entry.map_or(Value::Null, |(_, managed)| managed.fields.to_json())
}

#[test]
fn an_applied_object_owns_what_it_says() {
    let object = deployment(json!([{"name": "main", "image": "a", "ports": [{"containerPort": 80}]}]));
    let (merged, managers) = applied(&[("ci", &object)]);
    assert_eq!(merged, object);
    assert_eq!(
        owned(&managers, "ci"),
        json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"main\"}": {
            ".": {}, "f:name": {}, "f:image": {},
            "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}},
        }}}}}})
    );
}

#[test]
fn a_created_object_belongs_to_who_made_it() {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "a", "uid": "1", "labels": {"app": "web"}, "resourceVersion": "5"},
        "spec": {"containers": [{"name": "main", "image": "a", "resources": {}}], "nodeSelector": {"zone": "a"}},
        "status": {"phase": "Pending"},
    });
    let managers = writer(PODS, "kubectl").update(None, &pod, Managers::default());
    assert_eq!(
        managers.to_json(),
        json!([{
            "manager": "kubectl", "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                "f:spec": {
                    "f:containers": {"k:{\"name\":\"main\"}": {".": {}, "f:image": {}, "f:name": {}, "f:resources": {}}},
                    "f:nodeSelector": {},
                },
            },
        }])
    );
}

#[test]
fn what_is_no_longer_applied_goes_unless_another_owns_it() {
    let both = deployment(json!([{"name": "main", "image": "a"}, {"name": "side", "image": "b"}]));
    let one = deployment(json!([{"name": "main", "image": "a"}]));
    assert_eq!(applied(&[("ci", &both), ("ci", &one)]).0, one);
    let (kept, managers) = applied(&[("ci", &both), ("other", &both), ("ci", &one)]);
    assert_eq!(kept, both);
    assert!(owned(&managers, "ci").to_string().contains("main"));
    assert!(!owned(&managers, "ci").to_string().contains("side"));
}

#[test]
fn a_field_of_another_is_a_conflict_and_force_takes_it() {
    let first = deployment(json!([{"name": "main", "image": "a"}]));
    let second = deployment(json!([{"name": "main", "image": "b"}]));
    let (stored, managers) = applied(&[("ci", &first)]);
    let path = ".spec.template.spec.containers[name=\"main\"].image".to_owned();
    let me = writer(DEPLOYMENTS, "me");
    assert_eq!(
        me.apply(Some(&stored), &second, managers.clone(), false),
        Err(Refused::Conflicts(vec![("\"ci\"".to_owned(), path)]))
    );
    let (merged, managers) = me.apply(Some(&stored), &second, managers, true).unwrap();
    assert_eq!(merged, second);
    assert!(!owned(&managers, "ci").to_string().contains("f:image"));
    assert!(owned(&managers, "me").to_string().contains("f:image"));
}

#[test]
fn an_update_takes_what_it_changes() {
    let first = deployment(json!([{"name": "main", "image": "a"}]));
    let (stored, managers) = applied(&[("ci", &first)]);
    let after = deployment(json!([{"name": "main", "image": "b"}]));
    let managers = writer(DEPLOYMENTS, "edit").update(Some(&stored), &after, managers);
    assert!(!owned(&managers, "ci").to_string().contains("f:image"));
    assert_eq!(
        owned(&managers, "edit"),
        json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"main\"}": {"f:image": {}}}}}}})
    );
    let refused = writer(DEPLOYMENTS, "ci").apply(Some(&after), &first, managers, false);
    let Err(Refused::Conflicts(conflicts)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(conflicts[0].0, "\"edit\" using apps/v1");
}

#[test]
fn who_was_there_before_the_first_apply_is_named() {
    let stored = deployment(json!([{"name": "main", "image": "a"}]));
    let applied = deployment(json!([{"name": "main", "image": "b"}]));
    let refused = writer(DEPLOYMENTS, "ci").apply(Some(&stored), &applied, Managers::default(), false);
    let Err(Refused::Conflicts(conflicts)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(conflicts[0].0, "\"before-first-apply\" using apps/v1");
}

#[rstest]
#[case(json!([{"name": "a", "imagee": "b"}]), ".imagee: field not declared in schema")]
#[case(json!([{"name": "a"}, {"name": "a"}]), "duplicate entries for key [name=\"a\"]")]
#[case(json!([{"image": "a"}]), "omits all key fields [\"name\"]")]
#[case(json!([{"name": "a", "image": {}}]), "expected scalar")]
fn what_is_not_of_the_type_is_not_applied(#[case] containers: Value, #[case] why: &str) {
    let refused = writer(DEPLOYMENTS, "ci").apply(None, &deployment(containers), Managers::default(), false);
    let Err(Refused::Type(mismatches)) = refused else {
        panic!("{refused:?}")
    };
    assert!(mismatches[0].to_string().contains(why), "{}", mismatches[0]);
}

#[test]
fn a_selector_is_one_field() {
    let service = |selector: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"selector": selector}});
    let me = writer(SERVICES, "ci");
    let (stored, managers) = me
        .apply(None, &service(json!({"a": "1"})), Managers::default(), false)
        .unwrap();
    assert_eq!(owned(&managers, "ci"), json!({"f:spec": {"f:selector": {}}}));
    let (stored, _) = me
        .apply(Some(&stored), &service(json!({"b": "2"})), managers, false)
        .unwrap();
    assert_eq!(stored, service(json!({"b": "2"})));
}

#[test]
fn too_many_updaters_become_one() {
    let mut stored = deployment(json!([]));
    let mut managers = Managers::default();
    for index in 0..15 {
        let mut after = stored.clone();
        after["metadata"]["labels"][format!("l{index}")] = json!("x");
        let manager = format!("m{index:02}");
        managers = writer(DEPLOYMENTS, &manager).update(Some(&stored), &after, managers);
        stored = after;
    }
    assert_eq!(managers.0.len(), 10);
    assert!(owned(&managers, "ancient-changes").to_string().contains("f:l0"));
}

/// A part of a Deployment's object with some of a few fields.
fn part() -> impl Strategy<Value = Value> {
    let labels = prop::collection::btree_map("[abc]", "[xy]", 0..3);
    let containers = prop::collection::btree_map("[mns]", "[pq]", 0..3);
    let finalizers = prop::collection::btree_set("[fg]", 0..2);
    (labels, containers, finalizers, prop::option::of(0..3)).prop_map(|(labels, containers, finalizers, replicas)| {
        let containers: Vec<Value> = containers
            .into_iter()
            .map(|(name, image)| json!({"name": name, "image": image}))
            .collect();
        let mut object = deployment(json!(containers));
        object["metadata"]["labels"] = json!(labels);
        object["metadata"]["finalizers"] = json!(finalizers);
        if let Some(replicas) = replicas {
            object["spec"]["replicas"] = json!(replicas);
        }
        object
    })
}

proptest! {
    #[test]
    fn applying_again_changes_nothing(first in part(), second in part()) {
        let (stored, managers) = applied(&[("one", &first)]);
        let two = writer(DEPLOYMENTS, "two");
        let (stored, managers) = two.apply(Some(&stored), &second, managers, true).unwrap();
        let (again, owners) = two.apply(Some(&stored), &second, managers.clone(), false).unwrap();
        prop_assert_eq!(again, stored);
        prop_assert_eq!(owners, managers);
    }

    #[test]
    fn the_applied_values_are_there_afterwards(first in part(), second in part()) {
        let (stored, managers) = applied(&[("one", &first)]);
        let (stored, _) = writer(DEPLOYMENTS, "two").apply(Some(&stored), &second, managers, true).unwrap();
        let root = writer(DEPLOYMENTS, "").root();
        let found = compare(&TYPES, &root, Some(&second), Some(&stored));
        prop_assert!(found.removed.is_empty() && found.modified.is_empty(), "{:?}", found);
    }

    #[test]
    fn managers_of_other_fields_do_not_conflict(first in part(), replicas in 0..9) {
        let mut first = first;
        first["spec"].as_object_mut().unwrap().remove("replicas");
        let (stored, managers) = applied(&[("one", &first)]);
        let mine = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"replicas": replicas}});
        let (merged, managers) = writer(DEPLOYMENTS, "two").apply(Some(&stored), &mine, managers, false).unwrap();
        prop_assert_eq!(&merged["spec"]["replicas"], &json!(replicas));
        prop_assert_eq!(owned(&managers, "two"), json!({"f:spec": {"f:replicas": {}}}));
    }

    #[test]
    fn every_applied_field_has_an_owner(first in part(), second in part()) {
        let (stored, managers) = applied(&[("one", &first)]);
        let (stored, managers) = writer(DEPLOYMENTS, "two").apply(Some(&stored), &second, managers, true).unwrap();
        let all = managers.0.values().fold(Fields::default(), |all, managed| all.union(&managed.fields));
        let root = writer(DEPLOYMENTS, "").root();
        let set = fields(&TYPES, &root, &stored).unwrap().difference(&stripped());
        prop_assert!(set.difference(&all).is_empty(), "{} of {}", set.difference(&all).to_json(), stored);
    }

    #[test]
    fn managed_fields_are_read_as_they_are_written(first in part(), second in part()) {
        let (stored, managers) = applied(&[("one", &first)]);
        let (_, managers) = writer(DEPLOYMENTS, "two").apply(Some(&stored), &second, managers, true).unwrap();
        prop_assert_eq!(Managers::from_json(&managers.to_json()), Some(managers));
    }
}
