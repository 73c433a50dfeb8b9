//! Placing pods: no command makes a binding that Kubernetes would not make.

use proptest::prelude::*;

use super::audit::Auditor;
use super::bench::{Command, apply, cases, cluster, commands};

proptest! {
    #![proptest_config(cases(384))]

    /// A binding never changes; a node never holds more pods or requests than it allows; required anti-affinity holds in both
    /// directions when a pod is bound; nobody is bound to a cordoned or tainted node. Each version is one change, versions rise
    /// over all kinds, and the changes make the lists: at every moment.
    #[test]
    fn no_binding_breaks_a_law_of_scheduling_and_every_change_is_told_once(
        mut world in cluster(),
        commands in commands(40),
    ) {
        let mut auditor = Auditor::default();
        auditor.look(&world);
        for command in &commands {
            apply(&mut world, command);
            auditor.look(&world);
        }
        for _ in 0..10 {
            apply(&mut world, &Command::Run(60_000_000));
            auditor.look(&world);
        }
        // The cluster's own pods at least.
        prop_assert!(auditor.bindings > 0);
    }
}
