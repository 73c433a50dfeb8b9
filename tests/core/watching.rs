//! Watching: what a watcher can rely on when it starts late or lags.

use proptest::prelude::*;
use serde_json::json;
use steadfast::simulation::api::{ApiStore as _, Part};
use steadfast::simulation::objects::resources::{CONFIG_MAPS, PODS};

use super::bench::{SPACE, apply, cases, cluster, commands, new};

proptest! {
    #![proptest_config(cases(24))]

    /// Reading at once or after every command, from any version on: the same changes.
    #[test]
    fn a_late_reader_sees_what_a_prompt_one_saw(mut world in cluster(), commands in commands(25)) {
        let mut prompt: Vec<(u64, String, bool)> = Vec::new();
        let mut seen = 0;
        let read = |world: &steadfast::simulation::world::World, seen: u64| {
            world
                .changes(PODS, seen)
                .unwrap()
                .into_iter()
                .map(|change| (change.version, change.object.body.project().to_string(), change.deleted))
                .collect::<Vec<_>>()
        };
        for command in &commands {
            prompt.extend(read(&world, seen));
            seen = world.version();
            apply(&mut world, command);
        }
        prompt.extend(read(&world, seen));
        let late = read(&world, 0);
        prop_assert_eq!(&prompt, &late);
        for (index, (version, ..)) in late.iter().enumerate().step_by(late.len() / 4 + 1) {
            prop_assert_eq!(&read(&world, *version), &late[index + 1..]);
        }
    }
}

#[test]
fn a_log_forgets_its_oldest_changes_and_says_so() {
    let mut world = new("kind", 3, 1);
    let object = |n: u32| json!({"metadata": {"name": "settings", "namespace": SPACE}, "data": {"n": n.to_string()}});
    let first = world.create(CONFIG_MAPS, object(0), false).unwrap().version;
    let mut versions = vec![first];
    for n in 1..9_000 {
        versions.push(
            world
                .replace(CONFIG_MAPS, object(n), Part::Main, false)
                .unwrap()
                .version,
        );
    }
    let expired = world.changes(CONFIG_MAPS, first).unwrap_err();
    assert!(versions.contains(&expired.oldest), "{expired:?}");
    // From the oldest known version on nothing is missing, and one before it something is.
    let known = world.changes(CONFIG_MAPS, expired.oldest).unwrap();
    let after: Vec<u64> = versions.iter().copied().filter(|&it| it > expired.oldest).collect();
    assert_eq!(known.iter().map(|change| change.version).collect::<Vec<_>>(), after);
    assert!(world.changes(CONFIG_MAPS, expired.oldest - 1).is_err());
    // Other kinds have logs of their own.
    assert!(world.changes(PODS, 0).is_ok());
}
