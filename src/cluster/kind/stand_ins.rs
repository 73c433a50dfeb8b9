//! Running the model in place of the application's own images.
//!
//! The manifests stay what they are but for their containers' images: each is replaced by the stand-in that runs the service of the
//! application's model which describes it. Names, ports, replicas, resources, security contexts, probes and affinity stay.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::model::application::Application;

/// The ConfigMap in the application's namespace that holds its model.
pub(crate) const MODEL: &str = "steadfast-model";

/// The kinds whose pods are made from a template, with the way to its specification.
const TEMPLATES: [(&str, &str); 7] = [
    ("Pod", "/spec"),
    ("Deployment", "/spec/template/spec"),
    ("ReplicaSet", "/spec/template/spec"),
    ("StatefulSet", "/spec/template/spec"),
    ("DaemonSet", "/spec/template/spec"),
    ("Job", "/spec/template/spec"),
    ("CronJob", "/spec/jobTemplate/spec/template/spec"),
];

/// What was replaced: images by services, and images that the model does not describe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replaced {
    /// `image: service`, as it was done.
    pub(crate) stand_ins: BTreeMap<String, String>,
    /// Images that stayed, because the model has no service for them.
    pub(crate) undescribed: BTreeSet<String>,
}

/// The service of a model that describes a container: by its image, and the name of its workload where several have one image.
pub(crate) type Service<'a> = dyn Fn(&str, &str) -> Option<String> + 'a;

/// Replaces the images of an object's containers.
pub(crate) fn replace(object: &mut Value, image: &str, service: &Service<'_>, replaced: &mut Replaced) {
    let kind = object["kind"].as_str().unwrap_or_default();
    let Some((_, place)) = TEMPLATES.iter().find(|(name, _)| *name == kind) else {
        return;
    };
    let app = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let Some(spec) = object.pointer_mut(place) else { return };
    let mut any = false;
    for list in ["initContainers", "containers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            any |= replace_container(container, &app, image, service, replaced);
        }
    }
    // Indexing has made nulls of lists that are not there.
    if let Some(spec) = spec.as_object_mut() {
        spec.retain(|_, value| !value.is_null());
    }
    if any {
        push(spec, "volumes", json!({"name": MODEL, "configMap": {"name": MODEL}}));
    }
}

fn replace_container(
    container: &mut Value,
    app: &str,
    image: &str,
    service: &Service<'_>,
    replaced: &mut Replaced,
) -> bool {
    let Some(original) = container["image"].as_str().map(str::to_owned) else {
        return false;
    };
    let Some(service) = service(&original, app) else {
        replaced.undescribed.insert(original);
        return false;
    };
    container["image"] = json!(image);
    // Loaded onto the nodes, from no registry.
    container["imagePullPolicy"] = json!("IfNotPresent");
    container["args"] = json!(["serve-model", "--service", service, "--model", FILE]);
    if let Some(container) = container.as_object_mut() {
        container.remove("command");
    }
    push(
        container,
        "volumeMounts",
        json!({"name": MODEL, "mountPath": FOLDER, "readOnly": true}),
    );
    replaced.stand_ins.insert(original, service);
    true
}

fn push(object: &mut Value, list: &str, value: Value) {
    match object[list].as_array_mut() {
        Some(list) => list.push(value),
        None => object[list] = json!([value]),
    }
}

/// Where the model lies in a stand-in's container.
const FOLDER: &str = "/steadfast-model";
const FILE: &str = "/steadfast-model/model.yaml";

/// The ConfigMap with the model.
pub(crate) fn model(namespace: &str, model: &Application) -> Result<Value, serde_json::Error> {
    // JSON is YAML.
    let text = serde_json::to_string(model)?;
    Ok(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": MODEL, "namespace": namespace},
        "data": {"model.yaml": text},
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(containers: &Value) -> Value {
        json!({"kind": "Deployment", "metadata": {"name": "carts"},
            "spec": {"replicas": 3, "template": {"spec": {"nodeSelector": {"a": "b"}, "containers": containers}}}})
    }

    fn known(image: &str, app: &str) -> Option<String> {
        (image == "shop/carts:1").then(|| format!("{app}-service"))
    }

    #[test]
    fn an_image_that_the_model_describes_is_replaced_and_all_else_stays() {
        let mut object = deployment(
            &json!([{"name": "carts", "image": "shop/carts:1", "command": ["java"], "args": ["-port=80"],
            "ports": [{"containerPort": 80}], "securityContext": {"readOnlyRootFilesystem": true},
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]}]),
        );
        let mut replaced = Replaced::default();
        replace(&mut object, "stand-in:1", &known, &mut replaced);
        let spec = &object["spec"]["template"]["spec"];
        let expected = json!({"name": "carts", "image": "stand-in:1", "imagePullPolicy": "IfNotPresent",
            "args": ["serve-model", "--service", "carts-service", "--model", "/steadfast-model/model.yaml"],
            "ports": [{"containerPort": 80}], "securityContext": {"readOnlyRootFilesystem": true},
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"},
                {"name": "steadfast-model", "mountPath": "/steadfast-model", "readOnly": true}]});
        assert_eq!(spec["containers"], json!([expected]));
        assert_eq!(
            spec["volumes"],
            json!([{"name": "steadfast-model", "configMap": {"name": "steadfast-model"}}])
        );
        assert_eq!(
            (spec.get("initContainers"), &spec["nodeSelector"]),
            (None, &json!({"a": "b"}))
        );
        assert_eq!(replaced.stand_ins["shop/carts:1"], "carts-service");
        assert!(replaced.undescribed.is_empty());
    }

    #[test]
    fn an_image_that_the_model_does_not_describe_stays_and_is_told() {
        let before = deployment(&json!([{"name": "x", "image": "other", "command": ["run"]}]));
        let (mut object, mut replaced) = (before.clone(), Replaced::default());
        replace(&mut object, "stand-in:1", &known, &mut replaced);
        assert_eq!(object, before);
        assert_eq!(replaced.undescribed, ["other".to_owned()].into());
    }

    #[test]
    fn other_kinds_stay() {
        let before = json!({"kind": "Service", "metadata": {"name": "carts"}, "spec": {"image": "shop/carts:1"}});
        let (mut object, mut replaced) = (before.clone(), Replaced::default());
        replace(&mut object, "stand-in:1", &known, &mut replaced);
        assert_eq!((object, replaced), (before, Replaced::default()));
    }
}
