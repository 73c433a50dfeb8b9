use super::*;

fn node(set: impl FnOnce(&mut NodeState)) -> NodeState {
    let mut node = NodeState {
        ready: true,
        labels: [
            ("kubernetes.io/hostname".to_owned(), "a".to_owned()),
            ("pool".to_owned(), "1".to_owned()),
        ]
        .into(),
        ..NodeState::default()
    };
    set(&mut node);
    node
}

fn with(nodes: &[(&str, NodeState)]) -> Inventory {
    let nodes = nodes
        .iter()
        .map(|(name, node)| ((*name).to_owned(), node.clone()))
        .collect();
    Inventory {
        nodes,
        things: BTreeMap::new(),
    }
}

fn leaks(after: NodeState) -> Vec<String> {
    with(&[("a", node(|_| {}))]).leaks(&with(&[("a", after)]), &Expected::default())
}

#[test]
fn what_is_as_it_was_is_no_leak() {
    assert_eq!(leaks(node(|_| {})), [""; 0]);
}

#[test]
fn every_difference_of_a_node_is_a_line() {
    assert_eq!(leaks(node(|it| it.ready = false)), ["node a: was Ready, is not"]);
    assert_eq!(
        leaks(node(|it| it.cordoned = true)),
        ["node a: is cordoned, was not (kubectl uncordon)"]
    );
    assert_eq!(
        leaks(node(|it| it.taints = ["x=:NoSchedule".to_owned()].into())),
        ["node a: taint x=:NoSchedule: was not there before"]
    );
    assert_eq!(
        leaks(node(|it| it.labels.retain(|key, _| key != "pool"))),
        ["node a: label pool: gone, was 1"]
    );
    assert_eq!(
        leaks(node(|it| drop(it.annotations.insert("k".into(), "v".into())))),
        ["node a: annotation k: v, was not there before"]
    );
}

#[test]
fn a_node_is_replaced_only_where_the_fault_says_so() {
    let before = with(&[("a", node(|_| {})), ("b", node(|_| {}))]);
    let other = node(|it| drop(it.labels.insert("kubernetes.io/hostname".into(), "c".into())));
    let after = with(&[("b", node(|_| {})), ("c", other.clone())]);
    let expected = Expected {
        replaced: ["a".to_owned()].into(),
    };
    assert_eq!(
        before.leaks(&after, &Expected::default()),
        ["node a: gone", "node c: was not there before"]
    );
    assert_eq!(before.leaks(&after, &expected), [""; 0]);
    let none = with(&[("b", node(|_| {}))]);
    assert_eq!(before.leaks(&none, &expected), ["node a: gone, and not replaced"]);
    let mut bad = other;
    bad.ready = false;
    let after = with(&[("b", node(|_| {})), ("c", bad)]);
    assert_eq!(
        before.leaks(&after, &expected),
        ["node c, which replaces a: was Ready, is not"]
    );
}

#[test]
fn things_come_go_and_change() {
    let mut before = Inventory::default();
    let two: Properties = [("replicas".to_owned(), "2".to_owned())].into();
    before.add("deployment shop/web", two.clone());
    before.add("container kind-worker", Properties::new());
    let mut after = Inventory::default();
    after.add("deployment shop/web", [("replicas".to_owned(), "1".to_owned())].into());
    after.add("network partition", Properties::new());
    assert_eq!(
        before.leaks(&after, &Expected::default()),
        [
            "container kind-worker: gone",
            "deployment shop/web replicas: 1, was 2",
            "network partition: was not there before"
        ]
    );
}
