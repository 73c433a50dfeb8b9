//! Scratch.
use std::sync::Arc;
use steadfast::app::manifest::Manifest;
use steadfast::model::experiment::*;
use steadfast::model::profile::Profile;
use steadfast::survey::*;
use steadfast::*;
#[test]
fn scratch2() {
    let profile = Arc::new(Profile::built_in("eks-workshop").unwrap());
    let base = Manifest::parse(sockshop::BASE, "b").unwrap();
    let ha = Manifest::parse(sockshop::HA, "b").unwrap();
    let model = SockShop::model().unwrap();
    let rate: u32 = std::env::var("RATE").ok().and_then(|r| r.parse().ok()).unwrap_or(10);
    let mut journeys: Vec<_> = ["browse", "checkout"]
        .into_iter()
        .map(|n| (n.to_string(), model.journeys[n].clone()))
        .collect();
    for j in &mut journeys {
        j.1.rate = rate;
    }
    let plan = Plan {
        name: "x".into(),
        hypotheses: vec![
            Hypothesis {
                journey: "browse".into(),
                claim: Claim::RecoversWithin {
                    within: 60.secs(),
                    at_least_ppm: 990_000,
                },
            },
            Hypothesis {
                journey: "checkout".into(),
                claim: Claim::RecoversWithin {
                    within: 60.secs(),
                    at_least_ppm: 990_000,
                },
            },
        ],
        fault: NodeFailure::terminate().percent(40),
        observe: 10.mins(),
        expected: Verdict::Held,
    };
    let n: u64 = std::env::var("N").ok().and_then(|r| r.parse().ok()).unwrap_or(40);
    let t = std::time::Instant::now();
    let rows = seeds(0..n, |seed| {
        let t0 = std::time::Instant::now();
        let mut stage = Stage::new(profile.clone(), seed);
        stage.deploy("base", &base, &model).unwrap();
        let t1 = t0.elapsed();
        let hb = stage.run(&plan, "base", "sockshop", &journeys).unwrap();
        let t2 = t0.elapsed();
        let r = stage.deploy("ha", &ha, &model);
        let t3 = t0.elapsed();
        let at = stage.now();
        let h = stage.run(&plan, "ha", "sockshop", &journeys).unwrap();
        let t4 = t0.elapsed();
        if std::env::var("DUMP").is_ok_and(|d| d == seed.to_string()) {
            std::fs::write("/tmp/dump.jsonl", h.to_bytes()).unwrap();
        }
        let rb = Report::new(hb);
        let rh = Report::new(h);
        let t5 = t0.elapsed();
        // min window share after 60s
        let minw = |r: &Report| -> Vec<(u32, f64)> {
            let inj = r.history().events.iter().find_map(|e| {
                matches!(e.what, steadfast::model::history::What::Injected { .. }).then_some(e.t / 1_000_000)
            });
            let Some(inj) = inj else { return vec![] };
            (0..2u32)
                .map(|j| {
                    let s: Vec<_> = r
                        .history()
                        .seconds
                        .iter()
                        .filter(|s| s.journey == j && s.s >= inj + 60 && s.s < inj + 600)
                        .collect();
                    let m = s
                        .windows(10)
                        .map(|w| {
                            w.iter().map(|s| s.good).sum::<u32>() as f64
                                / w.iter().map(|s| s.planned).sum::<u32>().max(1) as f64
                        })
                        .fold(2.0, f64::min);
                    (j, (m * 100.0).round())
                })
                .collect()
        };
        (
            seed,
            r.is_ok(),
            at,
            minw(&rb),
            minw(&rh),
            rb.verdict(),
            rh.verdict(),
            rh.analysis().nodes.clone(),
            [t1, t2, t3, t4, t5],
            rh.history().end.as_ref().unwrap().hops,
        )
    });
    for r in &rows {
        println!(
            "{} ok={} at={:?} base{:?} ha{:?} {:?} {:?} nodes={:?} {:?} hops {}",
            r.0,
            r.1,
            r.2,
            r.3,
            r.4,
            r.5,
            r.6,
            (r.7.before, r.7.most),
            r.8,
            r.9
        );
    }
    for j in 0..2 {
        let mut v: Vec<f64> = rows.iter().filter_map(|r| r.4.get(j).map(|x| x.1)).collect();
        v.sort_by(|a, b| a.partial_cmp(b).unwrap());
        println!("HA journey {j} min window: {:?}", v);
        let mut v: Vec<f64> = rows.iter().filter_map(|r| r.3.get(j).map(|x| x.1)).collect();
        v.sort_by(|a, b| a.partial_cmp(b).unwrap());
        println!("BASE journey {j} min window: {:?}", v);
    }
    println!("total {:?}", t.elapsed());
}
