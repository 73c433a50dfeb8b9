//! How a served cluster begins and ends.

use super::rig::{Done, Up, steadfast};

#[test]
fn ctrl_c_and_sigterm_end_it_cleanly_and_take_the_kubeconfig_along() {
    for signal in ["-INT", "-TERM"] {
        let mut up = Up::start(&[]);
        let kubeconfig = up.kubeconfig();
        assert!(
            up.greeting
                .contains(&format!("export KUBECONFIG={}", kubeconfig.display()))
        );
        assert!(kubeconfig.exists());
        up.signal(signal);
        assert_eq!(up.child.wait().unwrap().code(), Some(0), "{signal}");
        assert!(!kubeconfig.exists(), "{signal}");
    }
}

#[test]
fn two_clusters_do_not_share_a_kubeconfig() {
    let up = Up::start(&[]);
    let second: Done = steadfast(&up.folder, &["up"]).output().unwrap().into();
    assert_eq!(second.code, Some(7), "{}", second.stderr);
    assert!(second.stderr.contains("still up"), "{}", second.stderr);
    assert!(up.kubeconfig().exists());
}

#[test]
fn only_loopback_addresses_are_served() {
    let folder = tempfile::tempdir().unwrap();
    for address in ["0.0.0.0", "192.0.2.1", "::"] {
        let refused: Done = steadfast(&folder, &["up", "--address", address])
            .output()
            .unwrap()
            .into();
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        let why = format!("{address} is no loopback address");
        assert!(refused.stderr.contains(&why), "{}", refused.stderr);
    }
}

#[test]
fn a_choice_of_victims_that_makes_no_sense_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["up", "--fault", "terminate-nodes", "--count", "99"];
    let refused: Done = steadfast(&folder, &words).output().unwrap().into();
    assert_eq!(refused.code, Some(6), "{}", refused.stderr);
    assert!(!folder.path().join("target/steadfast/kubeconfig").exists());
}
