//! Bad input: an exact code, and a message that names the thing.

use super::{Shell, fixture};

#[test]
fn a_command_line_that_makes_no_sense_is_2() {
    let shell = Shell::new();
    for (line, fragment) in [
        ("--percent 0", "0 is not in 1..=100"),
        ("run --percent 101", "101 is not in 1..=100"),
        ("--percent 40 --count 2", "cannot be used with"),
        ("--profile aks", "[possible values: eks-workshop, kind]"),
        (
            "--fault annoy-nodes",
            "[possible values: terminate-nodes, kill-nodes, stop-nodes, ",
        ),
        ("--return-after 30s", "terminate-nodes cannot return after a time"),
        ("--label zone", "expected KEY=VALUE"),
        ("--slots 2", "expected a share above 0 and up to 1"),
        ("--observe 10", "expected a number and one of us, ms, s, m, h"),
        ("--observe 65s", "is too short to see recovery within 60s"),
        ("--frobnicate", "unexpected argument '--frobnicate'"),
        ("tell", "'tell'"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        shell.steadfast(&words).code(2).says(fragment);
    }
}

#[test]
fn a_manifest_that_cannot_be_used_is_6_and_the_message_names_it() {
    let shell = Shell::new();
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n";
    for (file, text, fragment) in [
        (
            "yaml.yaml",
            "a: [",
            "yaml.yaml is not a manifest: document 1 (line 1) is not YAML: ",
        ),
        (
            "empty.yaml",
            "# nothing\n",
            "it has no objects: expected at least one YAML document",
        ),
        ("lacks.yaml", "kind: Service\n", "document 1 lacks `apiVersion`"),
        (
            "kind.yaml",
            "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: g}\n",
            "kind.yaml, line 1): Kubernetes no longer serves extensions/v1beta1 Deployment",
        ),
        (
            "refused.yaml",
            &format!("{deployment}spec: {{replicas: many}}\n"),
            "refused.yaml, line 1) was refused by the cluster: ",
        ),
    ] {
        let path = shell.file(file, text);
        shell
            .steadfast(&["run", "--manifest", &path, "--quiet"])
            .code(6)
            .says("error: ")
            .says(fragment);
    }
    shell
        .steadfast(&["run", "--manifest", "nowhere.yaml", "--quiet"])
        .code(6)
        .says("nowhere.yaml cannot be read: give the path of an existing file: No such file");
}

#[test]
fn a_model_that_cannot_be_used_is_6_and_the_message_names_it() {
    let shell = Shell::new();
    let manifest = fixture("sockshop/sockshop-demo.yaml");
    let journeys = "journeys: {visit: {entry: web, rate: 2, timeout: 5s, steps: []}}";
    for (file, text, fragment) in [
        (
            "shape.yaml",
            "services: 3\n",
            "shape.yaml is not an application model: ",
        ),
        ("version.yaml", "version: 9\n", "has version 9, expected 1"),
        ("dumb.yaml", "version: 1\nname: x\nservices: {}\n", "has no journeys"),
        (
            "senseless.yaml",
            &format!(
                "version: 1\nname: x\nservices: {{web: {{image: [x], port: 80, start: 1s, routes: [{{request: nonsense}}]}}}}\n{journeys}\n"
            ),
            "error: ",
        ),
    ] {
        let path = shell.file(file, text);
        shell
            .steadfast(&["--manifest", &manifest, "--model", &path, "--quiet"])
            .code(6)
            .says(fragment);
    }
}

#[test]
fn a_fault_without_targets_is_6() {
    let shell = Shell::new();
    let manifest = fixture("sockshop/sockshop-demo.yaml");
    for (target, fragment) in [
        (&["--count", "99"][..], "99 nodes to fail, but the cluster has 3"),
        (&["--node", "nobody"], "no node matches the name `nobody`"),
        (&["--zone", "mars"], "no node matches the zone `mars`"),
    ] {
        let mut words = vec!["--manifest", &manifest, "--quiet"];
        words.extend(target);
        shell
            .steadfast(&words)
            .code(6)
            .says("the fault has no targets: ")
            .says(fragment);
    }
}

#[test]
fn an_output_that_cannot_be_written_is_7_before_anything_is_run() {
    let shell = Shell::new();
    let file = shell.file("file", "");
    let below = format!("{file}/results");
    let done = shell.steadfast(&["--output", &below]);
    done.code(7)
        .says("results cannot be written: choose another folder with --output: ");
    assert_eq!(done.stdout, "");
    assert!(!done.stderr.contains("deploying"), "{}", done.stderr);
    std::fs::create_dir_all(shell.path("results/run.json")).unwrap();
    shell
        .steadfast(&["--output", "results"])
        .code(7)
        .says("run.json cannot be written");
}

#[test]
fn help_lists_the_exit_codes() {
    let shell = Shell::new();
    for words in [&["--help"][..], &["-h"], &["run", "--help"]] {
        let done = shell.steadfast(words);
        done.code(0);
        for line in [
            "Exit codes:",
            "0  every verdict is as expected",
            "3  inconclusive",
            "7  the output cannot be written",
            "sock shop's model",
        ] {
            assert!(done.stdout.contains(line), "`{line}` is not in\n{}", done.stdout);
        }
    }
    shell.steadfast(&["--version"]).code(0);
}
