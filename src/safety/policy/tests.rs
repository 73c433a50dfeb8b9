use super::*;

fn identity() -> Identity {
    Identity {
        kind: "kind".into(),
        context: "kind-shop".into(),
        server: "https://127.0.0.1:6443".into(),
        uid: "0b2c".into(),
        details: [].into(),
    }
}

fn policy(text: &str) -> Result<Policy, PolicyError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    std::fs::write(&path, text).unwrap();
    Policy::read(&path)
}

const ALLOWED: &str = "clusters: [{context: kind-shop, server: 'https://127.0.0.1:6443', uid: 0b2c, namespaces: [shop], nodes: '!gpu', \
                       caps: {nodes: 3, percent: 60}}]";

#[test]
fn a_cluster_is_allowed_by_context_server_and_uid_together() {
    let policy = policy(ALLOWED).unwrap();
    assert_eq!(policy.permit(&identity()).unwrap().cluster(), &identity());
    let others = [
        Identity {
            uid: "ffff".into(),
            ..identity()
        },
        Identity {
            server: "https://127.0.0.1:7443".into(),
            ..identity()
        },
    ];
    for other in others {
        assert!(
            matches!(policy.permit(&other), Err(PolicyError::AnotherCluster(_))),
            "{other:?}"
        );
    }
    let other = Identity {
        context: "production".into(),
        ..identity()
    };
    assert!(matches!(policy.permit(&other), Err(PolicyError::NotAllowed { .. })));
}

#[test]
fn what_a_refusal_says_to_write_is_what_allows_the_cluster() {
    let refused = Policy::default().permit(&identity()).unwrap_err();
    let text = refused.to_string();
    let snippet = &text[text.find("clusters:").unwrap()..];
    assert!(policy(snippet).unwrap().permit(&identity()).is_ok(), "{text}");
}

#[test]
fn what_is_not_understood_is_refused() {
    for (from, to) in [
        ("caps", "cap"),
        ("percent: 60", "percent: 0"),
        ("percent: 60", "percent: 101"),
        ("nodes: 3", "nodes: 0"),
        ("nodes: '!gpu', ", ""),
        ("'!gpu'", "''"),
        ("'!gpu'", "'a b'"),
        ("uid: 0b2c, ", ""),
        ("clusters", "cluster"),
    ] {
        assert!(policy(&ALLOWED.replace(from, to)).is_err(), "{from} -> {to}");
    }
}

#[test]
fn other_namespaces_are_refused() {
    let permission = policy(ALLOWED).unwrap().permit(&identity()).unwrap();
    assert_eq!(permission.namespace("shop"), Ok(()));
    assert!(
        permission
            .namespace("kube-system")
            .unwrap_err()
            .to_string()
            .contains("namespaces: [shop]")
    );
    assert_eq!(own(identity()).namespace("anything"), Ok(()));
}

/// `c` nodes are control planes, `g` have a label.
fn nodes(names: &[&str]) -> Vec<NodeFacts> {
    let labels = |name: &str| match &name[..1] {
        "c" => [(CONTROL_PLANE.to_owned(), String::new())].into(),
        "g" => [("gpu".to_owned(), "yes".to_owned())].into(),
        _ => BTreeMap::new(),
    };
    names
        .iter()
        .map(|name| NodeFacts {
            name: (*name).to_owned(),
            labels: labels(name),
        })
        .collect()
}

fn strike(permission: &Permission, targets: &[&str], all: &[&str]) -> Result<Strike, CapError> {
    let targets: Vec<String> = targets.iter().map(|name| (*name).to_owned()).collect();
    permission.strike(&targets, &nodes(all))
}

#[test]
fn the_blast_radius_is_capped() {
    let permission = policy(ALLOWED).unwrap().permit(&identity()).unwrap();
    let all = ["c1", "w1", "w2", "w3", "w4", "w5", "w6", "g1"];
    let strike = |targets: &[&str]| strike(&permission, targets, &all);
    assert_eq!(strike(&["w2", "w1", "w2"]).unwrap().nodes(), ["w1", "w2"]);
    assert_eq!(strike(&[]), Err(CapError::Nothing));
    assert_eq!(strike(&["w9"]), Err(CapError::Unknown("w9".into())));
    assert!(matches!(strike(&["g1"]), Err(CapError::Outside { .. })));
    assert!(strike(&["w1", "w2", "w3"]).is_ok());
    let refused = strike(&["w1", "w2", "w3", "w4"]).unwrap_err();
    assert!(refused.to_string().contains("caps: { nodes: 4 }"), "{refused}");
    // Three of four workers are 75 %.
    let refused = super::tests::strike(&permission, &["w1", "w2", "w3"], &["w1", "w2", "w3", "w4"]).unwrap_err();
    assert!(
        refused.to_string().contains("at most 60 % (2)") && refused.to_string().contains("percent: 75"),
        "{refused}"
    );
}

#[test]
fn a_control_plane_keeps_its_majority_whatever_is_allowed() {
    let mut permission = own(identity());
    permission.nodes = "!nothing".to_owned().try_into().unwrap();
    let strike = |targets: &[&str], all: &[&str]| strike(&permission, targets, all);
    assert_eq!(
        strike(&["c1"], &["c1", "w1"]),
        Err(CapError::OnlyControlPlane("c1".into()))
    );
    assert!(matches!(
        strike(&["c1"], &["c1", "c2"]),
        Err(CapError::Quorum { most: 0, .. })
    ));
    assert!(strike(&["c1"], &["c1", "c2", "c3", "w1"]).is_ok());
    assert!(matches!(
        strike(&["c1", "c2"], &["c1", "c2", "c3"]),
        Err(CapError::Quorum { most: 1, .. })
    ));
    assert!(strike(&["c1", "c2"], &["c1", "c2", "c3", "c4", "c5"]).is_ok());
}

#[test]
fn only_workers_of_an_own_cluster_may_be_struck() {
    let all = ["c1", "c2", "c3", "w1"];
    assert!(strike(&own(identity()), &["w1"], &all).is_ok());
    assert!(matches!(
        strike(&own(identity()), &["c1"], &all),
        Err(CapError::Outside { .. })
    ));
}

#[test]
fn selectors_select_as_kubectls_do() {
    let labels: BTreeMap<String, String> = [
        ("zone".to_owned(), "a".to_owned()),
        ("x.io/y".to_owned(), String::new()),
    ]
    .into();
    for (text, selects) in [
        ("zone=a", true),
        ("zone==a", true),
        ("zone = b", false),
        ("zone!=b", true),
        ("other!=b", true),
        ("zone in (a, b)", true),
        ("zone in (b),x.io/y", false),
        ("zone notin (b, c), x.io/y", true),
        ("!zone", false),
        ("!other", true),
        ("other", false),
        ("x.io/y=", true),
    ] {
        let selector: NodeSelector = text.to_owned().try_into().unwrap();
        assert_eq!(selector.selects(&labels), selects, "{text}");
    }
    for text in ["", " ,", "a b", "=a", "zone in a", "zone in (a", "zone=a b", "!"] {
        assert!(NodeSelector::try_from(text.to_owned()).is_err(), "{text}");
    }
}
