//! The life of a stand-in: it starts, waits, listens, and ends by a signal, by itself, or in a crash.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::connection::Names;
use super::error::StandInError;
use super::message::{Answer, Ask};
use super::plan::{Plan, Undescribed};
use super::process::Process;
use super::{http, lines};
use crate::model::application::{Application, Between, Speaks};

/// Between two looks at a Service that is waited for, as in the simulation.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long a stop may take by default: within the 30 s that Kubernetes grants (`terminationGracePeriodSeconds`,
/// `DefaultTerminationGracePeriodSeconds` in pkg/apis/core/v1/defaults.go).
const GRACE: Duration = Duration::from_secs(25);

/// How long accepting may rest when the system has no more file descriptors.
const REST: Duration = Duration::from_millis(100);

/// How a stand-in ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// By itself, as the model says of a task, with this exit code.
    Done(u8),
    /// It crashed, as the model says of one of its calls.
    Crashed,
}

/// One service of a model, as a server.
#[derive(Debug)]
#[must_use = "it serves when it is run"]
pub struct StandIn {
    plan: Plan,
    listen: SocketAddr,
    pod: String,
    grace: Duration,
    names: Names,
}

impl StandIn {
    /// The service of this name, on the port that its container has, on all of the machine's addresses.
    ///
    /// # Errors
    /// When the model makes no sense, or does not describe the service.
    pub fn new(app: &Application, service: &str) -> Result<Self, StandInError> {
        Plan::new(app, service, Undescribed::Refuse).map(Self::of)
    }

    /// Like [`StandIn::new`], but calls may lead to services that the model does not describe: they are taken to be HTTP on port 80.
    ///
    /// # Errors
    /// When the model makes no sense, or does not describe the service.
    pub fn assuming(app: &Application, service: &str) -> Result<Self, StandInError> {
        Plan::new(app, service, Undescribed::Assume).map(Self::of)
    }

    fn of(plan: Plan) -> Self {
        Self {
            listen: (Ipv4Addr::UNSPECIFIED, plan.listens()).into(),
            pod: plan.name.clone(),
            plan,
            grace: GRACE,
            names: Names::default(),
        }
    }

    /// The port that it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.listen.port()
    }

    /// Listens here instead; port 0: any that is free.
    pub const fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// The pod's name in answers, instead of the service's.
    pub fn pod(mut self, name: impl Into<String>) -> Self {
        self.pod = name.into();
        self
    }

    /// From the start until it listens, instead of what the model says.
    pub const fn start(mut self, between: Between) -> Self {
        self.plan.service.start = between;
        self
    }

    /// How long requests under way may take after the stop; without it 25 s.
    pub const fn grace(mut self, limit: Duration) -> Self {
        self.grace = limit;
        self
    }

    /// How it finds the services that it calls, instead of asking the system's resolver.
    pub fn names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// Runs until it ends. `listens` is told the address once it listens.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn run(
        self,
        stop: impl Future<Output = ()>,
        listens: impl FnOnce(SocketAddr),
    ) -> Result<Ended, StandInError> {
        let (grace, address) = (self.grace, self.listen);
        let process = Arc::new(Process::new(self.plan, self.pod, self.names));
        let mut stop = pin!(stop);
        tokio::select! {
            () = start(&process) => {}
            () = &mut stop => return Ok(Ended::Stopped),
        }
        let refused = |source| StandInError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        listens(listener.local_addr().map_err(refused)?);
        let mut crashed = process.crashed.subscribe();
        let mut crash = pin!(async move { crashed.wait_for(|crashed| *crashed).await.is_ok() });
        let mut done = pin!(done(&process));
        let mut open = Open::new(Arc::clone(&process));
        loop {
            tokio::select! {
                () = &mut stop => break,
                true = &mut crash => return Ok(Ended::Crashed),
                code = &mut done => return Ok(Ended::Done(code)),
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => open.serve(stream),
                    // A connection that broke before it was accepted, or no more file descriptors.
                    Err(_) => sleep(REST).await,
                },
                Some(_) = open.connections.join_next() => {}
            }
        }
        drop(listener);
        tokio::select! {
            true = crash => Ok(Ended::Crashed),
            () = open.close(grace) => Ok(Ended::Stopped),
        }
    }
}

/// The model's time, and whom it waits for.
async fn start(process: &Process) {
    let service = &process.plan.service;
    sleep(process.draw(service.start)).await;
    for name in &service.waits_for {
        while !process.caller().reaches(&process.plan.peer(name)).await {
            sleep(LOOK_AGAIN).await;
        }
    }
}

/// When a task ends by itself, and with which code.
async fn done(process: &Process) -> u8 {
    match process.plan.service.runs {
        Some(runs) => sleep(process.draw(runs)).await,
        None => std::future::pending().await,
    }
    process.plan.service.exit
}

/// The connections of a process. Dropped, they break off.
struct Open {
    work: Arc<Work>,
    connections: JoinSet<()>,
    stopping: watch::Sender<bool>,
}

impl Open {
    fn new(process: Arc<Process>) -> Self {
        Self {
            work: Arc::new(Work {
                process,
                handlers: Mutex::default(),
            }),
            connections: JoinSet::new(),
            stopping: watch::Sender::new(false),
        }
    }

    fn serve(&mut self, stream: TcpStream) {
        let (work, stopping) = (Arc::clone(&self.work), self.stopping.subscribe());
        // Where it cannot be set it is slower, no more.
        let _ = stream.set_nodelay(true);
        // How a connection ends is its other end's business.
        match self.work.process.plan.service.speaks {
            Speaks::Http => self.connections.spawn(async move {
                let _ = http::serve(stream, work, stopping).await;
            }),
            Speaks::Lines => self.connections.spawn(async move {
                let _ = lines::serve(stream, work, stopping).await;
            }),
        };
    }

    /// Ends once the model's time is over and what is under way is answered, at the latest after `grace`.
    async fn close(&mut self, grace: Duration) {
        let now = Instant::now();
        let shutdown = self.work.process.draw(self.work.process.plan.service.shutdown);
        self.stopping.send_replace(true);
        let _ = timeout_at(now + grace, async {
            while self.connections.join_next().await.is_some() {}
        })
        .await;
        sleep_until(now + shutdown.min(grace)).await;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.work.handlers().abort_all();
    }
}

/// Requests under way.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) process: Arc<Process>,
    handlers: Mutex<JoinSet<()>>,
}

impl Work {
    fn handlers(&self) -> std::sync::MutexGuard<'_, JoinSet<()>> {
        self.handlers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a request. Who asks may give up: the work goes on all the same. After a crash nobody is answered.
    pub(super) async fn answer(&self, ask: Ask) -> Answer {
        let (done, answer) = tokio::sync::oneshot::channel();
        let process = Arc::clone(&self.process);
        {
            let mut handlers = self.handlers();
            while handlers.try_join_next().is_some() {}
            handlers.spawn(async move {
                if let Ok(answer) = process.handle(&ask).await {
                    // Nobody may be waiting any more.
                    let _ = done.send(answer);
                }
            });
        }
        match answer.await {
            Ok(answer) => answer,
            Err(_) => std::future::pending().await,
        }
    }
}
