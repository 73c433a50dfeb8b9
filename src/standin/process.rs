//! The process: it takes the steps of a route, as the simulation does.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::join_all;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::caller::Caller;
use super::connection::Names;
use super::memory::Memory;
use super::message::{Answer, Ask, Reply, Values};
use super::plan::{Found, Plan};
use super::values;
use crate::model::application::{Between, Call, Route, Step};
use crate::model::random::Stream;
use crate::model::reacting::{self, Then};
use crate::model::time::{Span, Time};

/// The status of a request without a value that it needs.
const UNAUTHORIZED: u16 = 401;

/// One run of a service: its memory begins empty.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) plan: Plan,
    pub(super) pod: String,
    /// Tells this run from all others.
    id: String,
    began: Instant,
    memory: Mutex<Memory>,
    chance: Mutex<Stream>,
    caller: Caller,
    pub(super) crashed: watch::Sender<bool>,
}

/// The process has crashed: nobody is answered any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crashed;

/// A request on its way through a route.
struct Handling<'a> {
    ask: &'a Ask,
    number: usize,
    count: Option<u32>,
    given: Values,
}

impl Process {
    pub(super) fn new(plan: Plan, pod: String, names: Names) -> Self {
        let seed = random();
        Self {
            plan,
            pod,
            id: format!("{:x}", random()),
            began: Instant::now(),
            memory: Mutex::default(),
            chance: Mutex::new(Stream::new(seed, "stand-in")),
            caller: Caller::new(names),
            crashed: watch::Sender::new(false),
        }
    }

    fn now(&self) -> Time {
        Time::ZERO + Span::from(self.began.elapsed())
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A length in this range.
    pub(super) fn draw(&self, between: Between) -> std::time::Duration {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        chance.span(Span::from(between.from), Span::from(between.to)).duration()
    }

    /// A new user's name.
    pub(super) fn new_user() -> String {
        format!("{:016x}{:016x}", random(), random())
    }

    pub(super) const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Answers a request.
    pub(super) async fn handle(&self, ask: &Ask) -> Result<Answer, Crashed> {
        match self.plan.find(&ask.request) {
            Found::Route(number) => self.take(&self.plan.service.routes[number], number, ask).await,
            Found::Anything => Ok(Answer {
                status: 200,
                body: Some(crate::model::application::Body::Empty),
                items: None,
                given: Values::new(),
            }),
            Found::Nobody => Ok(Answer::error(404, Values::new())),
        }
    }

    async fn take(&self, route: &Route, number: usize, ask: &Ask) -> Result<Answer, Crashed> {
        if let Some(time) = route.cpu {
            burn(time);
        }
        sleep(self.draw(route.work)).await;
        let mut handling = Handling {
            ask,
            number,
            count: None,
            given: Values::new(),
        };
        for name in &route.needs {
            let good = |text: &String| self.plan.book.is_good(name, text, &self.id);
            if !ask.values.get(name).is_some_and(good) {
                return Ok(Answer::error(UNAUTHORIZED, handling.given));
            }
        }
        for step in &route.steps {
            let end = match step {
                Step::Call(call) => self.call(std::slice::from_ref(call), &mut handling).await?,
                Step::Together(calls) => self.call(calls, &mut handling).await?,
                Step::NeedsLogin(status) => (!self.memory().is_logged_in(&ask.user)).then_some(*status),
                Step::LogIn => {
                    self.memory().log_in(&ask.user, self.now());
                    None
                }
                Step::Store(work) => {
                    let counted = self.memory().store(&ask.user, *work, self.now());
                    handling.count = counted.or(handling.count);
                    None
                }
            };
            if let Some(status) = end {
                return Ok(Answer::error(status, handling.given));
            }
        }
        for (name, good) in &route.gives {
            let text = values::give(name, *good, &self.id, random());
            handling.given.insert(name.clone(), text);
        }
        Ok(Answer {
            status: route.answer,
            body: Some(route.body.clone()),
            items: handling.count,
            given: handling.given,
        })
    }

    /// Makes calls at the same time; the status when one of them ends the request.
    async fn call(&self, calls: &[Call], handling: &mut Handling<'_>) -> Result<Option<u16>, Crashed> {
        let breaker = self.plan.service.breaker;
        if let Some(breaker) = breaker
            && !self.memory().may_call(handling.number, self.now())
        {
            return Ok(Some(breaker.answer));
        }
        let ask = handling.ask;
        let made = calls.iter().map(|call| async move {
            let peer = self.plan.peer(&call.to);
            (call, self.caller.call(&peer, call, onwards(call, ask)).await)
        });
        let mut decided = None;
        for (call, came) in join_all(made).await {
            let status = came.as_ref().map(|reply| reply.status);
            let reaction = reacting::reaction(call.unreachable, call.error, status);
            if let Some(breaker) = breaker {
                self.memory()
                    .called(handling.number, self.now(), breaker, reaction.is_some());
            }
            if let Some(Reply { items, given, .. }) = came {
                handling.given.extend(given);
                if call.relay_count && reaction.is_none() {
                    handling.count = items;
                }
            }
            // The first in the order of the list that is not ignored.
            if let (None, Some(reaction)) = (decided, reaction) {
                decided = match reacting::then(reaction, status) {
                    Then::GoOn => None,
                    then => Some(then),
                };
            }
        }
        match decided {
            None | Some(Then::GoOn) => Ok(None),
            Some(Then::Answer(status)) => Ok(Some(status)),
            Some(Then::Crash) => {
                self.crashed.send_replace(true);
                Err(Crashed)
            }
        }
    }
}

/// What is asked of a called service, for the same user.
fn onwards(call: &Call, of: &Ask) -> Ask {
    Ask {
        request: call.request.clone(),
        user: of.user.clone(),
        values: of.values.clone(),
    }
}

/// Keeps a core busy beside the request, for a HorizontalPodAutoscaler to see.
fn burn(time: std::time::Duration) {
    tokio::task::spawn_blocking(move || {
        let until = Instant::now() + time;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
    });
}

/// A number that nobody can foresee: the standard library seeds its hash maps with such.
fn random() -> u64 {
    RandomState::new().hash_one(0_u8)
}
