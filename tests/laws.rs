//! Laws of the sources, read from the sources: the core is pure, the arrows go down, the files stay small.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod laws {
    pub(crate) mod source;
}

use std::path::Path;

use laws::source::{self, File};

/// The layers from the bottom, each with the layers it may use besides itself.
const LAYERS: [(&str, &[&str]); 15] = [
    ("model", &[]),
    ("simulation", &["model"]),
    ("analysis", &["model", "simulation"]),
    ("report", &["model", "simulation", "analysis"]),
    ("safety", &["model"]),
    ("probe", &["model"]),
    ("cluster", &["model", "simulation", "analysis", "safety", "probe"]),
    // The second interpreter of application models; a model is looked through as the simulation does.
    ("standin", &["model", "simulation"]),
    ("app", &["model", "analysis", "cluster"]),
    // Not the simulation: an experiment never names its cluster.
    (
        "experiment",
        &["model", "analysis", "report", "safety", "probe", "cluster", "app"],
    ),
    // The root's error holds those of the layers that a test meets.
    ("error", &["app", "cluster", "experiment"]),
    ("snapshot", &["experiment"]),
    (
        "sockshop",
        &["model", "analysis", "report", "cluster", "app", "experiment"],
    ),
    // Many seeds on the bare simulation.
    (
        "survey",
        &["model", "simulation", "analysis", "app", "experiment", "sockshop"],
    ),
    (
        "cli",
        &[
            "model",
            "simulation",
            "analysis",
            "report",
            "safety",
            "probe",
            "cluster",
            "standin",
            "app",
            "experiment",
            "error",
            "sockshop",
            "survey",
        ],
    ),
];

/// Layers that may use what the crate's root defines (its error, its macros); below them the root is above.
const MAY_USE_THE_ROOT: [&str; 7] = ["cluster", "app", "experiment", "snapshot", "sockshop", "survey", "cli"];

/// The layers that must be pure.
const PURE: [&str; 2] = ["model", "simulation"];

/// Files of the pure layers that may hash with `rustc_hash`: its order is the same in every run, but it is an order
/// by hash, so each of these files only looks up and never iterates.
const MAY_HASH: [&str; 0] = [];

/// No file is as long.
const LINES: usize = 600;

fn layer(file: &File) -> &str {
    file.path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// A file of tests, `tests.rs` or below `tests/`: as modules of tests inside of files, it may look up, time and print.
fn is_test(file: &File) -> bool {
    file.path.ends_with("/tests.rs") || file.path.contains("/tests/")
}

fn is_map(file: &File) -> bool {
    ["lib.rs", "main.rs"].contains(&file.path.as_str())
}

// ------------------------------------------------------------------------------------------------ purity

/// What a file of the pure layers names that it must not.
fn impurities(file: &File) -> Vec<String> {
    if !PURE.contains(&layer(file)) || is_test(file) {
        return Vec::new();
    }
    let in_simulation = layer(file) == "simulation";
    let code = source::code(&file.text);
    let mut found: Vec<String> = source::paths(&code)
        .iter()
        .filter(|path| {
            is_impure(path)
                || in_simulation && is_outside(path)
                || is_transcendental(path)
                || hashes(path) && !may_hash(file)
        })
        .map(|path| path.join("::"))
        .collect();
    if code.contains("static mut ") {
        found.push("static mut".into());
    }
    found.extend(
        TRANSCENDENTAL
            .iter()
            .filter(|name| code.contains(&format!(".{name}(")))
            .map(|name| format!(".{name}()")),
    );
    found.into_iter().map(|what| format!("{}: {what}", file.path)).collect()
}

/// A runtime, a clock of the machine, a thread, or state that outlives a world.
fn is_impure(path: &[String]) -> bool {
    const WORDS: [&str; 13] = [
        "tokio",
        "Instant",
        "SystemTime",
        "thread_local",
        "Mutex",
        "RwLock",
        "OnceLock",
        "LazyLock",
        "RandomState",
        "println",
        "eprintln",
        "print",
        "eprint",
    ];
    let thread = path.starts_with(&["std".to_owned(), "thread".to_owned()]);
    thread
        || path
            .iter()
            .any(|segment| WORDS.contains(&segment.as_str()) || segment.starts_with("Atomic"))
}

/// The world outside of the process; a history's file is read and written in the model, so this is the simulation's alone.
fn is_outside(path: &[String]) -> bool {
    const SOCKETS: [&str; 4] = ["TcpListener", "TcpStream", "ToSocketAddrs", "UdpSocket"];
    let of_std = |module: &str| path[0] == "std" && path.get(1).is_some_and(|name| name == module);
    of_std("env") || of_std("fs") || of_std("process") || path.iter().any(|name| SOCKETS.contains(&name.as_str()))
}

/// A hash map: std's order differs from run to run, any other's is no order that a history may depend on.
fn hashes(path: &[String]) -> bool {
    const MAPS: [&str; 5] = ["HashMap", "HashSet", "FxHashMap", "FxHashSet", "rustc_hash"];
    path.iter().any(|segment| MAPS.contains(&segment.as_str()))
}

fn may_hash(file: &File) -> bool {
    MAY_HASH.contains(&file.path.as_str())
        && !source::paths(&source::code(&file.text)).iter().any(|path| {
            // Even there, not std's.
            path.iter().any(|segment| segment == "HashMap" || segment == "HashSet") && path[0] != "rustc_hash"
        })
}

/// Functions of floats whose last digits the standard library leaves to the platform.
const TRANSCENDENTAL: [&str; 25] = [
    "ln", "ln_1p", "log", "log2", "log10", "exp", "exp2", "exp_m1", "powf", "powi", "sin", "cos", "tan", "sin_cos",
    "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "cbrt", "hypot",
];

fn is_transcendental(path: &[String]) -> bool {
    matches!(path, [float, function] if ["f32", "f64"].contains(&float.as_str()) && TRANSCENDENTAL.contains(&function.as_str()))
}

// ------------------------------------------------------------------------------------------------ arrows

/// The arrows of a file that do not go down.
fn arrows_up(file: &File) -> Vec<String> {
    if is_map(file) || is_test(file) {
        return Vec::new();
    }
    let from = layer(file);
    let Some((_, below)) = LAYERS.iter().find(|(name, _)| *name == from) else {
        return vec![format!(
            "{}: no layer has this name; give it a place in LAYERS",
            file.path
        )];
    };
    let inside_the_root = file.path.trim_end_matches(".rs").split('/').count();
    let mut found = Vec::new();
    for path in source::paths(&source::code(&file.text)) {
        let supers = path.iter().take_while(|segment| *segment == "super").count();
        let to = match path.first().map(String::as_str) {
            Some("crate") => path.get(1),
            // Out of the top of the file's own layer. In a module inside the file the same words stay inside, so only a
            // layer's name counts.
            Some("super") if supers >= inside_the_root => path.get(supers).filter(|to| is_layer(to)),
            _ => None,
        };
        let Some(to) = to else { continue };
        let allowed = to == from || below.contains(&to.as_str()) || !is_layer(to) && MAY_USE_THE_ROOT.contains(&from);
        if !allowed {
            found.push(format!("{}: {from} uses {to} ({})", file.path, path.join("::")));
        }
    }
    found
}

fn is_layer(name: &str) -> bool {
    LAYERS.iter().any(|(layer, _)| *layer == name)
}

// ------------------------------------------------------------------------------------------------- the laws

/// The sources; a law that looks at nothing proves nothing.
fn sources() -> Vec<File> {
    let files = source::files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    for needed in [
        "lib.rs",
        "model.rs",
        "model/application.rs",
        "simulation.rs",
        "simulation/fabric.rs",
    ] {
        assert!(files.iter().any(|file| file.path == needed), "{needed} was not read");
    }
    files
}

fn broken(law: impl Fn(&File) -> Vec<String>) -> String {
    sources().iter().flat_map(law).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_core_is_pure() {
    assert_eq!(broken(impurities), "");
}

#[test]
fn arrows_go_down_only() {
    assert_eq!(broken(arrows_up), "");
}

#[test]
fn every_file_is_shorter_than_600_lines() {
    assert_eq!(broken(too_long), "");
}

fn too_long(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    if lines < LINES {
        Vec::new()
    } else {
        vec![format!("{}: {lines} lines", file.path)]
    }
}

/// Files of the simulation that walk over all pods: `load.rs` does when a run starts, `faults.rs` when a fault chooses pods, and the quota
/// controller counts a namespace that has a quota, once for all that changed in it meanwhile. Whoever looks for the pods of a node, of an
/// owner or with a label asks `objects/pod_table.rs`: a walk at every event makes a cluster's cost grow with the square of its size.
const MAY_WALK_ALL_PODS: [&str; 3] = [
    "simulation/admission/quota.rs",
    "simulation/faults.rs",
    "simulation/load.rs",
];

#[test]
fn no_controller_walks_over_all_pods() {
    assert_eq!(broken(walks), "");
}

fn walks(file: &File) -> Vec<String> {
    if layer(file) != "simulation" || is_test(file) || MAY_WALK_ALL_PODS.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let code: String = source::code(&file.text).split_whitespace().collect();
    ["store.pods.iter(", "store.pods.by_name("]
        .iter()
        .filter(|walk| code.contains(**walk))
        .map(|walk| format!("{}: {walk}", file.path))
        .collect()
}

#[test]
fn the_list_of_layers_goes_up() {
    for (index, (name, below)) in LAYERS.iter().enumerate() {
        for other in *below {
            assert!(
                LAYERS[..index].iter().any(|(layer, _)| layer == other),
                "{name} uses {other}"
            );
        }
    }
}

#[test]
fn files_that_may_hash_exist() {
    let files = sources();
    for path in MAY_HASH {
        assert!(files.iter().any(|file| file.path == path), "{path}");
    }
}

// ------------------------------------------------------------------------------------- each law can be broken

fn file(path: &str, text: &str) -> File {
    File {
        path: path.into(),
        text: text.into(),
    }
}

#[test]
fn an_impure_core_is_found() {
    for text in [
        "use tokio::time::sleep;",
        "async fn f() { tokio::task::yield_now().await }",
        "use std::time::{Duration, Instant};",
        "let t = std::time::SystemTime::now();",
        "use std::{collections::BTreeMap, thread};",
        "static mut COUNT: u32 = 0;",
        "thread_local! { static X: u8 = 0 }",
        "static X: std::sync::OnceLock<u8> = std::sync::OnceLock::new();",
        "static X: LazyLock<u8> = LazyLock::new(f);",
        "use std::sync::Mutex;",
        "static X: AtomicU64 = AtomicU64::new(0);",
        "use std::collections::HashMap;",
        "use std::collections::hash_map::HashSet;",
        "use rustc_hash::FxHashMap;",
        "let x = y.ln();",
        "let x = f64::powf(y, 2.0);",
        "let x = y.exp() + z.sin();",
        "println!();",
    ] {
        assert!(!impurities(&file("simulation/world.rs", text)).is_empty(), "{text}");
        assert!(!impurities(&file("model.rs", text)).is_empty(), "{text}");
        assert!(impurities(&file("cluster/kind.rs", text)).is_empty(), "{text}");
    }
}

#[test]
fn a_simulation_that_looks_outside_is_found() {
    for text in [
        "let x = std::fs::read(path);",
        "use std::{env, fmt};",
        "use std::net::{Ipv4Addr, TcpStream};",
    ] {
        assert_eq!(impurities(&file("simulation/world.rs", text)).len(), 1, "{text}");
        assert!(impurities(&file("model/history/file.rs", text)).is_empty(), "{text}");
    }
}

#[test]
fn a_pure_core_is_left_in_peace() {
    for text in [
        "use std::time::Duration;\nuse std::sync::Arc;\nuse std::net::Ipv4Addr;\nuse std::collections::{BTreeMap, BTreeSet, VecDeque};",
        "//! no tokio, no HashMap\nconst X: &str = \"std::thread\";",
        "let x = line.len() + log.explain();",
        "#[cfg(test)]\nmod tests { use std::collections::HashSet; }",
        "fn f(x: &'static str) {}",
    ] {
        assert_eq!(impurities(&file("simulation/world.rs", text)), [""; 0], "{text}");
    }
}

#[test]
fn an_arrow_up_is_found() {
    for (path, text) in [
        ("model/fault.rs", "use crate::simulation::world::World;"),
        ("model/fault.rs", "use super::super::simulation::world::World;"),
        ("model.rs", "use super::simulation::world::World;"),
        ("simulation/world.rs", "fn f(x: crate::cluster::Cluster) {}"),
        (
            "simulation/world.rs",
            "use crate::{model::time::Time, analysis::verdict};",
        ),
        ("simulation/world.rs", "use crate::Error;"),
        ("analysis/phases.rs", "use crate::report;"),
        ("report/html.rs", "use crate::cluster::Cluster;"),
        ("probe/loop.rs", "use crate::cluster::Cluster;"),
        ("cluster/embedded.rs", "use crate::experiment::Experiment;"),
        ("cluster/embedded.rs", "use crate::report::terminal;"),
        ("experiment/run.rs", "use crate::simulation::world::World;"),
        ("experiment.rs", "use crate::sockshop::SockShop;"),
        ("sockshop.rs", "use crate::cli;"),
        ("app/deploy.rs", "use crate::simulation::world::World;"),
        ("app.rs", "use crate::experiment::Experiment;"),
        ("experiment.rs", "use crate::survey::Stage;"),
        ("misc.rs", ""),
    ] {
        assert_eq!(arrows_up(&file(path, text)).len(), 1, "{path}: {text}");
    }
}

#[test]
fn arrows_down_are_left_in_peace() {
    for (path, text) in [
        (
            "model/fault.rs",
            "use super::random::Stream;\nmod inner { use super::super::random; }",
        ),
        (
            "simulation/network/pool.rs",
            "use crate::model::time::Time;\nuse crate::simulation::fabric::PodId;",
        ),
        (
            "cluster/embedded/driver.rs",
            "use crate::simulation::world::World;\nuse crate::Error;",
        ),
        (
            "experiment.rs",
            "use crate::{analysis, cluster::Cluster, model::fault, report};",
        ),
        ("sockshop.rs", "use crate::experiment::Experiment;"),
        (
            "cli/run.rs",
            "use crate::sockshop::SockShop;\nuse crate::simulation::world::World;",
        ),
        ("lib.rs", "pub use crate::experiment::Experiment;"),
        ("survey.rs", "use crate::simulation::world::World;"),
        ("analysis/tests.rs", "use crate::report::terminal::render;"),
        ("simulation/scheduler/tests/speed.rs", "use std::time::Instant;"),
        (
            "model/fault.rs",
            "// use crate::cli\n#[cfg(test)]\nmod tests { use crate::simulation::world::World; }",
        ),
    ] {
        assert_eq!(arrows_up(&file(path, text)), [""; 0], "{path}: {text}");
    }
}

#[test]
fn a_walk_over_all_pods_is_found() {
    let walk = "let all = self\n    .store\n    .pods // all\n    .iter();";
    let path = "simulation/control/pod_gc.rs";
    assert_eq!(walks(&file(path, walk)), [format!("{path}: store.pods.iter(")]);
    assert_eq!(walks(&file("simulation/load.rs", walk)), [""; 0]);
    assert_eq!(walks(&file(path, "self.store.pods.on(machine)")), [""; 0]);
}

#[test]
fn a_long_file_is_found() {
    assert!(too_long(&file("model.rs", &"\n".repeat(599))).is_empty());
    assert_eq!(too_long(&file("model.rs", &"\n".repeat(600))), ["model.rs: 600 lines"]);
}

// ------------------------------------------------------------------------------------------------ documents

/// Every file below a folder that ends in `.rs`, as one text.
fn rust_below(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_below(&path, text);
        } else if path.extension().is_some_and(|it| it == "rs") {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_page_on_fidelity_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/fidelity.md")).unwrap();
    let mut code = String::new();
    rust_below(&root.join("tests/fidelity"), &mut code);
    rust_below(&root.join("src/simulation"), &mut code);
    // What is between backticks and has the length of a sentence.
    let named: Vec<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.matches('_').count() > 3 && !name.contains(['.', '/']))
        .collect();
    assert!(named.len() > 40, "{named:?}");
    let lacking: Vec<&&str> = named
        .iter()
        .filter(|name| !code.contains(&format!("fn {name}()")))
        .collect();
    assert!(lacking.is_empty(), "{lacking:?}");
}
