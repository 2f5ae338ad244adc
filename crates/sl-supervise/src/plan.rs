//! The order of the services.

use crate::spec::{ServiceId, ServiceSpec};
use std::collections::HashSet;

/// Why services cannot be put in order. Nothing has started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Two services have one name.
    #[error("two services are named {id:?}; each needs a name of its own")]
    Duplicate {
        /// The name.
        id: ServiceId,
    },
    /// A service starts after one that does not exist.
    #[error("the service {id:?} starts after {after:?}, which is no service; there are: {}",
        known.join(", "))]
    Unknown {
        /// The service.
        id: ServiceId,
        /// The name it gives.
        after: ServiceId,
        /// The names there are, in the order of declaration.
        known: Vec<String>,
    },
    /// Services start after each other in a circle.
    #[error("services that start after each other in a circle: {}", path.join(" after "))]
    Cycle {
        /// The circle; its first name is also its last.
        path: Vec<String>,
    },
}

/// Puts the specs in the order of their start: each behind all it is after; where that leaves a
/// choice, the one declared first.
pub(crate) fn in_order(specs: Vec<ServiceSpec>) -> Result<Vec<ServiceSpec>, PlanError> {
    let mut known = HashSet::new();
    for spec in &specs {
        if !known.insert(ServiceId::clone(&spec.id)) {
            return Err(PlanError::Duplicate { id: ServiceId::clone(&spec.id) });
        }
    }
    for spec in &specs {
        if let Some(after) = spec.after.iter().find(|after| !known.contains(*after)) {
            return Err(PlanError::Unknown {
                id: ServiceId::clone(&spec.id),
                after: ServiceId::clone(after),
                known: specs.iter().map(|spec| spec.id.to_string()).collect(),
            });
        }
    }
    let mut waiting = specs;
    let mut ordered: Vec<ServiceSpec> = Vec::with_capacity(waiting.len());
    let mut placed: HashSet<ServiceId> = HashSet::new();
    while !waiting.is_empty() {
        let free = |spec: &ServiceSpec| spec.after.iter().all(|after| placed.contains(after));
        let Some(at) = waiting.iter().position(free) else {
            return Err(PlanError::Cycle { path: circle(&waiting) });
        };
        let spec = waiting.remove(at);
        placed.insert(ServiceId::clone(&spec.id));
        ordered.push(spec);
    }
    Ok(ordered)
}

/// A circle among specs that each wait for another of them: following one edge of each must come
/// back to a name already seen.
fn circle(waiting: &[ServiceSpec]) -> Vec<String> {
    let find = |id: &ServiceId| waiting.iter().find(|spec| spec.id == *id);
    let mut path: Vec<String> = Vec::new();
    let mut at = waiting.first();
    while let Some(spec) = at {
        let seen = path.iter().position(|id| **id == *spec.id);
        path.push(spec.id.to_string());
        if let Some(seen) = seen {
            return path.split_off(seen);
        }
        at = spec.after.iter().find_map(find);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `"b<a c"` is a service b that starts after a and c.
    fn order(lines: &[&str]) -> Result<Vec<String>, String> {
        let specs = lines.iter().map(|line| {
            let (id, after) = line.split_once('<').unwrap_or((line, ""));
            ServiceSpec::new(id, "", |_| async { Ok(()) }).after_all(after.split_whitespace())
        });
        in_order(specs.collect())
            .map(|specs| specs.iter().map(|spec| spec.id.to_string()).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn each_behind_all_it_is_after_then_as_declared() {
        let check = |lines: &[&str], expect: &str| {
            assert_eq!(order(lines).unwrap().join(" "), expect, "{lines:?}");
        };
        check(&[], "");
        check(&["c", "b", "a"], "c b a");
        check(&["c<b", "b<a", "a"], "a b c");
        check(&["d<b c", "c<a", "b<a", "x", "a"], "x a c b d");
        check(&["a", "a2<a", "b", "b2<b"], "a a2 b b2");
    }

    #[test]
    fn what_cannot_be_ordered_is_refused_by_name() {
        let check = |lines: &[&str], expect: &str| {
            assert_eq!(order(lines).unwrap_err(), expect, "{lines:?}");
        };
        check(&["a", "b", "a"], "two services are named \"a\"; each needs a name of its own");
        check(
            &["a", "b<a z"],
            "the service \"b\" starts after \"z\", which is no service; there are: a, b",
        );
        check(&["a<a"], "services that start after each other in a circle: a after a");
        check(
            &["x<c", "a<b", "b<ok c", "c<a", "ok"],
            "services that start after each other in a circle: c after a after b after c",
        );
    }
}
