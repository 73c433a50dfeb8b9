//! The story in words: at most 80 columns.

use std::path::PathBuf;
use std::time::Duration;

use super::Told;
use super::seeds::{Choice, Seed, share};
use crate::analysis::JourneyAnalysis;
use crate::analysis::figures::{counted, fault, length, limit};
use crate::analysis::outages::GOOD_PPM;
use crate::cli::settings::Settings;
use crate::experiment::Report;
use crate::model::experiment::Verdict;
use crate::report::table::{WIDTH, wrap};
use crate::report::terminal::side_by_side;
use crate::sockshop::{BASE_NAME, HA_NAME};

/// What remains.
pub const LESSON: &str = "
Lesson: chaos engineering is preparation, repeated and automated. Replicas and
anti-affinity made this shop survive most losses of nodes, not all: put the
experiment into the tests, with every change, and not only on the day.
";

/// The whole story but its files and its lesson.
pub fn story(settings: &Settings, choice: &Choice, told: &Told, all: &[Seed]) -> String {
    let mut page = Page::default();
    page.line(&format!(
        "The sock shop loses nodes: an embedded cluster, profile {}, seed {}",
        settings.profile.name, told.seed
    ));
    if let Some(because) = &choice.because {
        page.line(because);
    }
    let struck = fault(&settings.fault.clone().into());
    page.part(&format!("1. {BASE_NAME}: one replica of everything"));
    page.point(&format!(
        "Deployed on {}; steady state: 30 seconds without a failure.",
        counted(u64::from(told.base.analysis().nodes.before), "node")
    ));
    page.point(&format!(
        "Then {struck}, and {} of observation.",
        length(settings.observe)
    ));
    page.point(&verdict(&told.base));
    page.part("2. Post-mortem");
    page.point(&format!("Intended: {}", intended(settings)));
    page.point(&format!("Happened: {}", happened(&told.base)));
    page.part("3. Is there a Cluster Autoscaler, and is it well?");
    for (well, finding) in &told.check.findings {
        page.point(&format!("{} {finding}", if *well { '✓' } else { '✗' }));
    }
    if !told.check.is_well() {
        page.point("It is not well: new nodes may not come.");
    }
    page.part(&format!("4. {HA_NAME}: three replicas, kept apart"));
    page.point(&format!(
        "Deployed over the other (a rolling update of {}); the autoscaler adds nodes: {} -> {}.",
        length(Duration::from_secs(told.rollout)),
        told.nodes.0,
        told.nodes.1
    ));
    page.part("5. The same experiment");
    page.point(&verdict(&told.ha));
    page.part("6. Side by side");
    page.blank();
    page.text.push_str(&side_by_side(&[told.base.view(), told.ha.view()]));
    page.part("7. One story is an anecdote: the share of many seeds, with its 95 % interval");
    survey(settings, all, &mut page);
    page.part("8. Verdict");
    page.point(&format!(
        "{BASE_NAME}: {}. {HA_NAME}: {}.",
        as_expected(&told.base),
        as_expected(&told.ha)
    ));
    page.text
}

/// The files written.
pub fn files(files: &[PathBuf]) -> String {
    let mut page = Page::default();
    if let Some(folder) = files.first().and_then(|file| file.parent()) {
        let names: Vec<String> = files
            .iter()
            .filter_map(|file| file.file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        page.point(&format!("Written to {}: {}", folder.display(), names.join(", ")));
    }
    page.text
}

/// How often it ends well.
fn survey(settings: &Settings, all: &[Seed], page: &mut Page) {
    if all.is_empty() {
        page.point("Not counted (--seeds 0).");
        return;
    }
    let proportion = |has: fn(&Seed) -> bool| {
        // "3 of 4 (75.0 %, 30.1 to 95.4 %)", said in full.
        let share = share(all, has).to_string();
        let share = share.replacen(" (", if all.len() == 1 { " seed (" } else { " seeds (" }, 1);
        share.replacen(" %, ", " %; 95 %: ", 1)
    };
    page.point(&format!("{HA_NAME} held in {}.", proportion(Seed::held)));
    page.point(&format!(
        "{BASE_NAME} was violated in {}.",
        proportion(|seed| seed.base == Verdict::Violated)
    ));
    let unproven = |verdict: Verdict| !matches!(verdict, Verdict::Held | Verdict::Violated);
    let other = all
        .iter()
        .filter(|seed| seed.ha.is_none_or(unproven) || unproven(seed.base))
        .count();
    if other > 0 {
        page.point(&format!(
            "{} without proof (no steady state, or not ready); none of them counts as held.",
            counted(other as u64, "seed")
        ));
    }
    if settings.slots_ppm() != GOOD_PPM {
        page.point(&format!(
            "«Up» here means not dark: {} of the visits in every 10 s. At the usual {} it held in {}: a pod without a probe is \
             Ready, and gets visits, before it listens (JVMs 1-2 minutes), and POST /cart to such a catalogue crashes a front-end.",
            limit(settings.slots_ppm()),
            limit(GOOD_PPM),
            proportion(|seed| seed.ha_at_99_percent)
        ));
    }
}

fn intended(settings: &Settings) -> String {
    format!(
        "nodes go, Kubernetes moves the pods, within {} users are served again ({} of the visits in every 10 s).",
        length(settings.within),
        limit(settings.slots_ppm())
    )
}

/// What became of the nodes and of the journey that suffered most.
fn happened(report: &Report) -> String {
    let analysis = report.analysis();
    let nodes = format!(
        "{} of {} took {} along",
        analysis.nodes.struck.len(),
        counted(u64::from(analysis.nodes.before), "node"),
        counted(analysis.victims.len() as u64, "pod")
    );
    let worst = analysis
        .journeys
        .iter()
        .filter(|journey| journey.bad_seconds > 0)
        .max_by_key(|journey| journey.bad_seconds);
    match worst {
        None => format!("{nodes}, and no visit failed."),
        Some(worst) => format!("{nodes}; {}.", suffered(worst)),
    }
}

fn suffered(journey: &JourneyAnalysis) -> String {
    let mut phases: Vec<_> = journey.phases.iter().collect();
    phases.sort_by_key(|time| std::cmp::Reverse(time.seconds));
    let phases: Vec<String> = phases
        .iter()
        .take(3)
        .map(|time| format!("{} {} s", time.phase.name(), time.seconds))
        .collect();
    let recovered = journey.recovered_at.map_or_else(
        || "did not recover".to_owned(),
        |after| format!("recovered after {after} s"),
    );
    format!(
        "{} was out for {} s at a stretch, {} bad seconds in all (most of them {}), and {recovered}",
        journey.name,
        journey.longest_outage(),
        journey.bad_seconds,
        phases.join(", ")
    )
}

fn verdict(report: &Report) -> String {
    let reasons = &report.judgement().reasons;
    let because = if reasons.is_empty() {
        String::new()
    } else {
        format!(" ({})", reasons.join("; "))
    };
    format!("Verdict: {}{because}.", as_expected(report))
}

fn as_expected(report: &Report) -> String {
    let (verdict, expected) = (report.verdict(), report.expected());
    if report.is_as_expected() {
        format!("{}, as expected", verdict.name())
    } else {
        format!("{}, expected {}", verdict.name(), expected.name())
    }
}

/// Lines of at most 80 columns.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn line(&mut self, line: &str) {
        for line in wrap(line, WIDTH, 0) {
            self.text.push_str(&line);
            self.text.push('\n');
        }
    }

    fn part(&mut self, title: &str) {
        self.blank();
        self.line(title);
    }

    fn point(&mut self, text: &str) {
        for line in wrap(&format!("   {text}"), WIDTH, 5) {
            self.text.push_str(&line);
            self.text.push('\n');
        }
    }
}
