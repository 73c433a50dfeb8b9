//! What the prober saw of a container's end beside what the Docker engine says of it: an outage is where the engine's events put it.
//!
//! Needs a Docker engine and `rustc`; without an engine it says so. The server's image holds one static binary, made here; its network is
//! private and holds nothing else.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant, UNIX_EPOCH};

use steadfast::analysis::{Gap, gaps};
use steadfast::model::journey::{Connection, Journey, Request};
use steadfast::probe::{Entry, Load, Probe};

use super::rig::{drained, history, largest_latency, millis, now, sleep};

/// Slots a second. A request may take as long as a slot and no longer, so that none can wait for the server to come back.
const RATE: u32 = 5;
const SLOT: Duration = millis(200);

/// The word of a Docker command; a failure ends the test.
fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(
        output.status.success(),
        "docker {arguments:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

fn has_engine() -> bool {
    let version = Command::new("docker")
        .args(["version", "--format", "{{.Server.Version}}"])
        .output();
    version.is_ok_and(|output| output.status.success())
}

/// A container with a network and an image of its own. Dropping it removes all three.
struct Container {
    name: String,
    address: SocketAddr,
}

impl Container {
    fn start() -> Self {
        let name = format!("steadfast-probe-{}", std::process::id());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/probe/still/main.rs");
        let built = Command::new("rustc")
            .args(["--edition=2024", "-Copt-level=2", "-Ctarget-feature=+crt-static", "-o"])
            .args([folder.join("still").as_os_str(), source.as_ref()])
            .status();
        assert!(built.unwrap().success(), "the server does not build");
        std::fs::write(
            folder.join("Dockerfile"),
            "FROM scratch\nCOPY still /still\nENTRYPOINT [\"/still\"]\n",
        )
        .unwrap();
        docker(&["build", "--quiet", "--tag", &name, folder.to_str().unwrap()]);
        std::fs::remove_dir_all(&folder).unwrap();
        let mut container = Self {
            name,
            address: (Ipv4Addr::UNSPECIFIED, 80).into(),
        };
        let name = &container.name;
        docker(&["network", "create", name]);
        docker(&["run", "--detach", "--name", name, "--network", name, name]);
        container.address = (container.ip(), 80).into();
        container
    }

    fn ip(&self) -> Ipv4Addr {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        docker(&["inspect", "--format", format, &self.name]).parse().unwrap()
    }

    /// Makes the machine know the container's link address for good, so that no ARP request decides when it can be reached: after a time
    /// without an answer the kernel asks once a second (Documentation/networking/ip-sysctl, `retrans_time_ms`), and the engine knows nothing
    /// of that. Whether it could be done.
    fn pin_neighbour(&self) -> bool {
        let format = "{{range .NetworkSettings.Networks}}{{.MacAddress}}{{end}}";
        let link = docker(&["inspect", "--format", format, &self.name]);
        let network = docker(&["network", "inspect", "--format", "{{.Id}}", &self.name]);
        let bridge = format!("br-{}", &network[..12]);
        let ip = self.address.ip().to_string();
        let pinned = Command::new("ip")
            .args([
                "neigh",
                "replace",
                &ip,
                "lladdr",
                &link,
                "dev",
                &bridge,
                "nud",
                "permanent",
            ])
            .output();
        pinned.is_ok_and(|output| output.status.success())
    }

    /// When the engine says that this happened last, in nanoseconds since 1970.
    fn event(&self, action: &str, since: u64, until: u64) -> u64 {
        let at = |nanos: u64| format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
        let events = docker(&[
            "events",
            "--since",
            &at(since),
            "--until",
            &at(until),
            "--filter",
            &format!("container={}", self.name),
            "--filter",
            &format!("event={action}"),
            "--format",
            "{{.TimeNano}}",
        ]);
        let last = events
            .lines()
            .last()
            .unwrap_or_else(|| panic!("no {action} of {}", self.name));
        last.parse().unwrap()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        for arguments in [
            ["rm", "--force", "--volumes"],
            ["network", "rm", ""],
            ["rmi", "--force", ""],
        ] {
            let arguments = arguments.into_iter().filter(|word| !word.is_empty());
            // A panic is under way, maybe: what is not there cannot be removed.
            let _ = Command::new("docker").args(arguments).arg(&self.name).output();
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the engine dates its events by the machine's clock"
)]
fn wall() -> u64 {
    std::time::SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_nanos() as u64
}

/// One outage: what begins it and what ends it, and the engine's words for them.
struct Outage {
    begin: &'static [&'static str],
    begun: &'static str,
    end: &'static str,
    ended: &'static str,
}

const OUTAGES: [Outage; 3] = [
    Outage {
        begin: &["pause"],
        begun: "pause",
        end: "unpause",
        ended: "unpause",
    },
    Outage {
        begin: &["kill"],
        begun: "die",
        end: "start",
        ended: "start",
    },
    Outage {
        // Process 1 has no handler of SIGTERM: it is killed after a second.
        begin: &["stop", "--time", "1"],
        begun: "die",
        end: "start",
        ended: "start",
    },
];

#[tokio::test]
async fn outages_are_where_the_engine_says_that_they_were() {
    if !has_engine() {
        eprintln!("SKIPPED: no Docker engine answers `docker version`: the prober was not held against its events");
        return;
    }
    let container = Container::start();
    let pinned = container.pin_neighbour();
    if !pinned {
        eprintln!(
            "`ip neigh` cannot be used: the ends of outages are only known to within the second of an ARP request"
        );
    }
    let asking = if pinned { 0 } else { 1_000_000 };
    for outage in &OUTAGES {
        let (zero, zero_nanos): (Instant, u64) = (now(), wall());
        let journey = Journey::through("web")
            .rate(RATE)
            .timeout(SLOT)
            .connection(Connection::Fresh)
            .step(Request::get("/"));
        let mut probe = Probe::start(Load::through(Entry::at(container.address)).journey("a", journey), zero).unwrap();
        sleep(millis(2_000)).await;
        let order = |words: &[&str]| {
            let mut arguments = words.to_vec();
            arguments.push(&container.name);
            let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
            tokio::task::spawn_blocking(move || docker(&arguments.iter().map(String::as_str).collect::<Vec<_>>()))
        };
        order(outage.begin).await.unwrap();
        sleep(millis(2_500)).await;
        order(&[outage.end]).await.unwrap();
        assert_eq!(
            SocketAddr::from((container.ip(), 80)),
            container.address,
            "the container came back elsewhere"
        );
        sleep(millis(2_500)).await;
        probe.stop();
        drained(&mut probe, millis(1_000)).await;
        let observed = probe.finish().unwrap();
        let at = |action| (container.event(action, zero_nanos, wall()) - zero_nanos) / 1_000;
        let (begun, ended) = (at(outage.begun), at(outage.ended));
        let gaps = gaps(&history(&observed, &[("a", RATE)], millis(1_000)), 0);
        let longest = gaps.iter().copied().filter(|gap| gap.slots > 5).collect::<Vec<Gap>>();
        let [gap] = longest[..] else {
            panic!("{}: {gaps:?}", outage.begun)
        };
        let until = gap.until.unwrap();
        eprintln!(
            "{:?}: the engine says {begun} to {ended} us, the prober {} to {until} us, one slot is 200000 us",
            outage.begin, gap.from
        );
        // One slot, by which a request may also have been under way; the prober's lag; and the largest latency of a good slot, which
        // bounds how long the engine and the kernel take from an act to its event.
        let error = gap.error + SLOT.min(largest_latency(&observed.seconds)).as_micros() as u64;
        assert!(gap.from.abs_diff(begun) <= error, "begun at {begun} us: {gap:?}");
        assert!(until.abs_diff(ended) <= error + asking, "ended at {ended} us: {gap:?}");
    }
}
