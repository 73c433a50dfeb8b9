//! The garbage collector: what an owner leaves behind goes, too (background propagation).

use super::super::event::Event;
use super::super::world::{World, draw};

impl World {
    /// Has the dependents of a removed owner collected.
    pub(in crate::simulation) fn owner_removed(&mut self, uid: u64) {
        let delay = draw(&mut self.chance.controllers, self.profile.controllers.notice);
        self.after(delay, Event::Orphans(uid));
    }

    pub(in crate::simulation) fn collect_orphans(&mut self, uid: u64) {
        let Some(rows) = self.owned.remove(&uid) else { return };
        for row in rows {
            let set = self
                .store
                .replica_sets
                .get(row)
                .filter(|set| set.meta.owner.as_ref().is_some_and(|owner| owner.uid == uid));
            if let Some(set) = set {
                let uid = set.meta.uid;
                self.store.replica_sets.remove(&mut self.store.versions, row);
                self.owner_removed(uid);
            } else if self
                .store
                .pod(row)
                .is_some_and(|pod| pod.meta.owner.as_ref().is_some_and(|owner| owner.uid == uid))
            {
                self.delete_pod(row, "user", None);
            }
        }
    }
}
