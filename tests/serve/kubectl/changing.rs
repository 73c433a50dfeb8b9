//! What `kubectl` changes.

use super::{Shell, WEB};

#[test]
fn apply_creates_changes_and_leaves_alone() {
    for options in ["", "--server-side"] {
        let Some(shell) = Shell::new("apply", &["--speed", "20"]) else {
            return;
        };
        let done = if options.is_empty() {
            "created"
        } else {
            "serverside-applied"
        };
        assert_eq!(
            shell.apply(WEB, options),
            format!("deployment.apps/web {done}\nservice/web {done}\n")
        );
        let done = if options.is_empty() {
            "unchanged"
        } else {
            "serverside-applied"
        };
        assert_eq!(
            shell.apply(WEB, options),
            format!("deployment.apps/web {done}\nservice/web {done}\n")
        );
        let changed = WEB
            .replace("nginx:1.28", "nginx:1.29")
            .replace("replicas: 3", "replicas: 2");
        let done = if options.is_empty() {
            "configured"
        } else {
            "serverside-applied"
        };
        assert!(
            shell
                .apply(&changed, options)
                .contains(&format!("deployment.apps/web {done}\n"))
        );
        shell.ok("rollout status deployment/web --timeout=60s");
        let images = shell.ok("get pods -l app=web -o jsonpath={.items[*].spec.containers[*].image}");
        assert!(images.split(' ').all(|image| image == "nginx:1.29"), "{images}");
        assert_eq!(shell.ok("get deployment web -o jsonpath={.spec.replicas}"), "2");
        // A list of which an entry goes.
        let without = changed.replace(", ports: [{containerPort: 80}]", "");
        shell.apply(&without, options);
        let ports = "get deployment web -o jsonpath={.spec.template.spec.containers[0].ports}";
        assert_eq!(shell.ok(ports), "", "{options}");
    }
}

#[test]
fn an_unknown_field_is_refused_by_the_server() {
    let Some(shell) = Shell::new("validation", &[]) else {
        return;
    };
    if !shell.is_at_least(27) {
        return;
    }
    let path = shell.up.file("wrong.yaml", &WEB.replace("replicas: 3", "replica: 3"));
    let refused = shell.refused(&format!("apply -f {path}"));
    assert!(refused.contains("unknown field \"spec.replica\""), "{refused}");
}

#[test]
fn objects_are_created_labelled_annotated_merged_and_deleted() {
    let Some(shell) = Shell::new("changes", &["--speed", "20"]) else {
        return;
    };
    assert_eq!(
        shell.apply(WEB, ""),
        "deployment.apps/web created\nservice/web created\n"
    );
    assert_eq!(
        shell.apply(WEB, ""),
        "deployment.apps/web unchanged\nservice/web unchanged\n"
    );
    shell.ok("rollout status deployment/web --timeout=60s");
    assert_eq!(
        shell.ok("label deployment web tier=front"),
        "deployment.apps/web labeled\n"
    );
    assert_eq!(
        shell.ok("get deployment -l tier=front -o name"),
        "deployment.apps/web\n"
    );
    assert_eq!(
        shell.ok("annotate deployment web why=because"),
        "deployment.apps/web annotated\n"
    );
    let merged = shell.ok(r#"patch deployment web --type=merge -p {"spec":{"replicas":5}}"#);
    assert_eq!(merged, "deployment.apps/web patched\n");
    shell.until("get deployment web -o jsonpath={.status.readyReplicas}", |ready| {
        ready == "5"
    });
    let before = shell.ok("get pods -l app=web -o name");
    let pod = before.lines().next().unwrap();
    assert!(shell.ok(&format!("delete {pod}")).contains("deleted"));
    shell.until("get pods -l app=web -o name", |now| {
        !now.contains(pod) && now.lines().count() == 5
    });
    let path = shell.up.file("again.yaml", WEB);
    assert!(shell.refused(&format!("create -f {path}")).contains("(AlreadyExists)"));
    assert!(
        shell
            .ok("delete deployment,service web")
            .contains("deployment.apps \"web\" deleted")
    );
    shell.until("get pods -l app=web -o name", str::is_empty);
}

#[test]
fn objects_are_scaled_patched_and_restarted() {
    let Some(shell) = Shell::new("patches", &["--speed", "20"]) else {
        return;
    };
    shell.apply(WEB, "");
    shell.ok("rollout status deployment/web --timeout=60s");
    assert_eq!(
        shell.ok("scale deployment/web --replicas=5"),
        "deployment.apps/web scaled\n"
    );
    shell.until("get deployment web -o jsonpath={.status.readyReplicas}", |ready| {
        ready == "5"
    });
    for patch in [
        r#"patch deployment web -p {"spec":{"minReadySeconds":1}}"#,
        r#"patch deployment web --type=json -p [{"op":"replace","path":"/spec/minReadySeconds","value":3}]"#,
    ] {
        assert_eq!(shell.ok(patch), "deployment.apps/web patched\n");
    }
    assert_eq!(shell.ok("get deployment web -o jsonpath={.spec.minReadySeconds}"), "3");
    assert_eq!(
        shell.ok("set image deployment/web web=nginx:1.30"),
        "deployment.apps/web image updated\n"
    );
    assert_eq!(
        shell.ok("rollout restart deployment/web"),
        "deployment.apps/web restarted\n"
    );
    shell.ok("rollout status deployment/web --timeout=60s");
}
