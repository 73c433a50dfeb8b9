//! The prober beside `oha` and `hey` on one server: `cargo bench --bench probe --features probe [-- SECONDS]`.
//!
//! Not criterion's: what counts is a distribution at a rate, not the shortest time of a function. A tool that is not installed is left out.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints, fails by panicking, and times with the machine's clock"
)]

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use steadfast::model::history::latency_bound;
use steadfast::model::journey::{Connection, Journey, Request};
use steadfast::probe::{Entry, Load, Probe};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

static REQUESTS: AtomicUsize = AtomicUsize::new(0);

fn main() {
    let seconds = std::env::args()
        .skip(1)
        .find_map(|word| word.parse().ok())
        .unwrap_or(10);
    let address = server();
    println!("{}, {seconds} s each\n", load_average());
    println!(
        "                          sent  not good   p50 ms   p99 ms  p99.9 ms  lag p99.9 ms  lag max ms  CPU us/request"
    );
    for (name, rate, connection, standing) in [
        ("fresh 200/s", 200, Connection::Fresh, false),
        ("kept-alive 5,000/s", 5_000, Connection::KeptAlive, true),
    ] {
        println!("{name}");
        ours(address, rate, connection, standing, seconds);
        oha(address, rate, connection, seconds);
        hey(address, rate, connection, seconds);
    }
}

/// A server on a thread of its own, whose CPU time is nobody's.
fn server() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::Builder::new()
        .name("server".into())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                loop {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    tokio::spawn(async move {
                        let mut buffer = [0; 4_096];
                        while let Ok(1..) = stream.read(&mut buffer).await {
                            REQUESTS.fetch_add(1, Ordering::Relaxed);
                            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
                            if stream.write_all(answer).await.is_err() {
                                break;
                            }
                        }
                    });
                }
            });
        })
        .unwrap();
    address
}

fn ours(address: SocketAddr, rate: u32, connection: Connection, standing: bool, seconds: u64) {
    let journey = Journey::through("web")
        .rate(rate)
        .connection(connection)
        .step(Request::get("/"));
    let load = Load::through(Entry::at(address));
    let load = if standing {
        load.standing("a", journey)
    } else {
        load.journey("a", journey)
    };
    let mut probe = Probe::start(load, Instant::now()).unwrap();
    std::thread::sleep(Duration::from_secs(seconds));
    let cpu = own_cpu();
    probe.stop();
    std::thread::sleep(Duration::from_millis(200));
    let observed = probe.finish().unwrap();
    let mut counts: Vec<(u16, u32)> = observed
        .seconds
        .iter()
        .flat_map(|second| second.latency.clone())
        .collect();
    counts.sort_unstable();
    let (planned, good) = observed.seconds.iter().fold((0, 0), |(planned, good), second| {
        (planned + second.planned, good + second.good)
    });
    let at = |per_mille: u32| {
        let mut seen = 0;
        let found = counts.iter().find(|(_, count)| {
            seen += count;
            seen * 1_000 >= good * per_mille
        });
        found.map_or(f64::NAN, |(bucket, _)| millis(latency_bound(*bucket)))
    };
    row(
        "steadfast",
        planned.into(),
        (planned - good).into(),
        [at(500), at(990), at(999)],
        Some([millis(observed.lag.p999), millis(observed.lag.max)]),
        cpu,
    );
}

fn oha(address: SocketAddr, rate: u32, connection: Connection, seconds: u64) {
    let mut command = Command::new("oha");
    command.args([
        "--no-tui",
        "--output-format",
        "json",
        "--latency-correction",
        "-c",
        "50",
    ]);
    command.args(["-q", &rate.to_string(), "-z", &format!("{seconds}s")]);
    if connection == Connection::Fresh {
        command.arg("--disable-keepalive");
    }
    let Some((output, sent, cpu)) = tool("oha", command.arg(format!("http://{address}/"))) else {
        return;
    };
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let at = |key: &str| {
        json["latencyPercentiles"][key]
            .as_f64()
            .map_or(f64::NAN, |seconds| seconds * 1e3)
    };
    let good = json["statusCodeDistribution"]["200"].as_u64().unwrap_or(0);
    row(
        "oha",
        sent,
        sent.saturating_sub(good),
        [at("p50"), at("p99"), at("p99.9")],
        None,
        cpu,
    );
}

/// hey's rate is that of each of its workers, and each waits for its answer.
fn hey(address: SocketAddr, rate: u32, connection: Connection, seconds: u64) {
    let mut command = Command::new("hey");
    command.args(["-c", "50", "-q", &(rate / 50).to_string(), "-z", &format!("{seconds}s")]);
    if connection == Connection::Fresh {
        command.arg("-disable-keepalive");
    }
    let Some((output, sent, cpu)) = tool("hey", command.arg(format!("http://{address}/"))) else {
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let at = |percent: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(percent));
        let seconds = line.and_then(|line| line.split_whitespace().nth(2)?.parse::<f64>().ok());
        seconds.map_or(f64::NAN, |seconds| seconds * 1e3)
    };
    let good = text
        .lines()
        .find_map(|line| {
            line.trim()
                .strip_prefix("[200]")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or(0);
    row(
        "hey",
        sent,
        sent.saturating_sub(good),
        [at("50%"), at("99%"), f64::NAN],
        None,
        cpu,
    );
}

/// Runs a tool: what it printed, the requests that came, and its CPU time.
fn tool(name: &str, command: &mut Command) -> Option<(Output, u64, Duration)> {
    let (requests, cpu) = (REQUESTS.load(Ordering::Relaxed), childrens_cpu());
    let Ok(output) = command.output() else {
        println!("  {name:<20} not installed");
        return None;
    };
    let sent = REQUESTS.load(Ordering::Relaxed) - requests;
    Some((output, sent as u64, childrens_cpu().saturating_sub(cpu)))
}

fn row(name: &str, sent: u64, bad: u64, latency: [f64; 3], lag: Option<[f64; 2]>, cpu: Duration) {
    let mut line = format!("  {name:<20} {sent:>7} {bad:>9}");
    let figure = |value: f64| {
        if value.is_nan() {
            "-".to_owned()
        } else {
            format!("{value:.2}")
        }
    };
    for (value, width) in latency.into_iter().zip([8, 8, 9]) {
        write!(line, " {:>width$}", figure(value)).unwrap();
    }
    let [lag, most] = lag.map_or(["-".to_owned(), "-".to_owned()], |lag| lag.map(figure));
    let each = cpu.as_secs_f64() * 1e6 / sent.max(1) as f64;
    println!("{line} {lag:>13} {most:>11} {each:>15.0}");
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1e3
}

/// The CPU time of the prober's threads, which are there while it runs (proc(5): user and system time in hundredths of a second).
fn own_cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
    stats
        .filter(|stat| stat.contains("(steadfast-"))
        .map(|stat| ticks(&stat, 14))
        .sum()
}

fn childrens_cpu() -> Duration {
    ticks(&std::fs::read_to_string("/proc/self/stat").unwrap_or_default(), 16)
}

/// A field of proc(5)'s stat, counted from 1, and the one behind it.
fn ticks(stat: &str, field: usize) -> Duration {
    // The name may hold spaces: fields are counted from behind it.
    let behind = stat.rsplit(')').next().unwrap_or_default();
    let fields = behind.split_whitespace().skip(field - 3).take(2);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "load average before: {}",
        text.split_whitespace().next().unwrap_or("unknown")
    )
}
