//! The tables of cases, against servers on the loopback network.

mod gate;
mod world;

use std::net::Ipv4Addr;

use futures::future::join_all;

use crate::model::cases::{Act, Case, TABLES, Table, table};
use world::World;

#[tokio::test]
async fn stand_ins_answer_as_the_cases_say() {
    let tables = TABLES.map(|(model, cases)| (model, table(cases)));
    let cases = tables
        .iter()
        .flat_map(|(model, table)| table.cases.iter().map(move |case| (*model, table, case)));
    let played: Vec<_> = cases
        .zip(0_u8..)
        .map(|((model, table, case), number)| play(model, table, case, number))
        .collect();
    assert!(played.len() > 30, "{} cases prove little", played.len());
    let wrong: Vec<String> = join_all(played).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Addresses of a network of its own: the same port on each, and no other process of these tests has them.
fn address(case: u8, service: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 64 + (std::process::id() % 128) as u8, case + 1, service + 1)
}

/// Plays a case; what went otherwise than it says.
async fn play(model: &str, table: &Table, case: &Case, number: u8) -> Vec<String> {
    let acts = case.acts();
    let forgotten: Vec<&String> = acts
        .iter()
        .filter_map(|act| match act {
            Act::Forget(service) => Some(service),
            _ => None,
        })
        .collect();
    let mut world = World::start(model, case.entry(table), case.patience(table), &forgotten, |service| {
        address(number, service)
    })
    .await;
    let mut wrong = Vec::new();
    for act in &acts {
        match act {
            Act::Ask {
                request,
                with,
                answer,
                gives,
            } => {
                let found = world.ask(request, with.as_deref(), gives.as_deref()).await;
                if found != *answer {
                    wrong.push(format!("{}: {act:?} came to `{found}`", case.name));
                }
            }
            Act::Crashed(service) => {
                if !world.crashed(service).await {
                    wrong.push(format!("{}: {service} did not crash", case.name));
                }
            }
            Act::Wait(time) => tokio::time::sleep(*time).await,
            Act::Forget(_) => {}
            Act::Refuse(service) => world.refuse(service).await,
            Act::Restart(service) => world.restart(service).await,
            Act::Silence(service) => world.silence(service),
            Act::Heal(service) => world.heal(service).await,
        }
    }
    wrong.extend(
        world
            .unexpected()
            .map(|service| format!("{}: {service} crashed", case.name)),
    );
    wrong
}
