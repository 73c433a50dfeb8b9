//! Putting nodes back: one when its time is over, all of a fault, or everything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::join_all;
use tokio::task::JoinHandle;

use super::change::{Change, Hands};
use super::striking::{LAST_WORDS, Number};
use super::{KindError, Running};
use crate::model::history::What;
use crate::safety::journal::Seq;

impl Running {
    /// A node of a scope comes back by itself.
    pub(super) async fn put_back(self: &Arc<Self>, number: Number, node: &str) -> Result<(), KindError> {
        let changes: Vec<(Seq, Change)> = self
            .scopes()
            .get(number)
            .map(|scope| {
                scope
                    .made
                    .iter()
                    .filter(|(_, change)| change.node() == Some(node))
                    .cloned()
                    .collect()
            })
            .unwrap_or_default();
        self.undo_made(&self.hands, number, &changes).await
    }

    /// Undoes changes of a scope, in the reverse of their order, those of different nodes at once.
    pub(super) async fn undo_made(
        &self,
        hands: &Hands,
        number: Number,
        changes: &[(Seq, Change)],
    ) -> Result<(), KindError> {
        let mut by_node: BTreeMap<Option<&str>, Vec<&(Seq, Change)>> = BTreeMap::new();
        for it in changes.iter().rev() {
            by_node.entry(it.1.node()).or_default().push(it);
        }
        let nodes = by_node.into_values().map(|changes| async move {
            for (place, change) in changes {
                if let Change::Remove { node, .. } = change {
                    self.observer.record().will_delete_node(node, "steadfast");
                }
                hands.put_back(change).await?;
                if let (Some(node), Some(how)) = (change.node(), change.returns()) {
                    self.note(What::MachineBack {
                        node: node.to_owned(),
                        how: how.to_owned(),
                    });
                }
                hands.settle(change).await?;
                self.undone(*place)?;
                if let Some(scope) = self.scopes().get_mut(number) {
                    scope.made.retain(|(it, _)| it != place);
                }
            }
            Ok::<(), KindError>(())
        });
        let ends: Vec<Result<(), KindError>> = join_all(nodes).await;
        ends.into_iter().collect()
    }

    /// Ends a fault and returns when everything is back. A second time does nothing.
    pub(crate) async fn heal(self: &Arc<Self>, number: Number) -> Result<(), KindError> {
        let Some(tasks) = self.end_scope(number) else {
            return Ok(());
        };
        for task in tasks {
            task.abort();
            // It ends at its next pause; what it was making is in the journal.
            let _ended = tokio::time::timeout(LAST_WORDS, task).await;
        }
        self.undo_scope(&self.hands, number).await
    }

    /// The same on another runtime than the one that the fault began on.
    pub(super) async fn heal_elsewhere(&self, number: Number) -> Result<(), KindError> {
        let Some(tasks) = self.end_scope(number) else {
            return Ok(());
        };
        for task in tasks {
            task.abort();
        }
        self.undo_scope(&self.hands.anew().await?, number).await
    }

    async fn undo_scope(&self, hands: &Hands, number: Number) -> Result<(), KindError> {
        let changes = self
            .scopes()
            .get(number)
            .map(|scope| scope.made.clone())
            .unwrap_or_default();
        self.undo_made(hands, number, &changes).await
    }

    /// Ends a scope, unless that has been done; its tasks come out.
    fn end_scope(&self, number: Number) -> Option<Vec<JoinHandle<()>>> {
        let (fault, nodes, tasks) = {
            let mut scopes = self.scopes();
            let scope = scopes.get_mut(number).filter(|scope| !scope.healed)?;
            scope.healed = true;
            (
                scope.fault.clone(),
                scope.nodes.iter().cloned().collect(),
                std::mem::take(&mut scope.tasks),
            )
        };
        self.note(What::Healed {
            fault: fault.name().to_owned(),
            nodes,
        });
        Some(tasks)
    }

    /// Ends every task of a fault.
    pub(super) fn abort_all(&self) {
        for scope in self.scopes().iter_mut() {
            for task in scope.tasks.drain(..) {
                task.abort();
            }
        }
    }

    /// Nodes that were removed.
    pub(super) fn replaced_nodes(&self) -> BTreeSet<String> {
        self.scopes()
            .iter()
            .flat_map(|scope| scope.removed.keys().cloned())
            .collect()
    }

    /// Nodes that came in their places.
    pub(super) fn replacements(&self) -> BTreeSet<String> {
        self.scopes()
            .iter()
            .flat_map(|scope| scope.removed.values().cloned())
            .collect()
    }

    /// Heals every fault, the last one first.
    pub(crate) async fn heal_all(self: &Arc<Self>) -> Result<(), KindError> {
        let count = self.scopes().len();
        let mut first = Ok(());
        for number in (0..count).rev() {
            let end = self.heal(number).await;
            if first.is_ok() {
                first = end;
            }
        }
        first
    }
}
