//! What holds when.

use std::time::Duration;

/// One effect, from its start to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span<E> {
    /// When it starts, since the start of the timeline.
    pub start: Duration,
    /// When it ends; `None`: never.
    pub end: Option<Duration>,
    /// At which subject: a machine, a node, a connection; what the number means is the
    /// simulation's.
    pub subject: usize,
    /// What it does.
    pub effect: E,
}

impl<E> Span<E> {
    /// An effect that starts at `start` and lasts for `lasts`; `None`: for ever.
    pub fn new(start: Duration, lasts: Option<Duration>, subject: usize, effect: E) -> Self {
        let end = lasts.and_then(|lasts| start.checked_add(lasts));
        Self { start, end, subject, effect }
    }
}

/// Which end of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edge {
    /// Its start.
    Start,
    /// Its end.
    End,
}

/// An edge that was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed<'a, E> {
    /// When.
    pub at: Duration,
    /// Start or end.
    pub edge: Edge,
    /// Place of the span in the timeline: its identity.
    pub index: usize,
    /// Of what.
    pub span: &'a Span<E>,
}

/// Spans and a hand that moves over them, forward only.
///
/// Edges are passed in the order of time; at one instant ends come before starts, so that an effect
/// that follows another is not ended by it, and otherwise in the order of the spans.
#[derive(Debug, Clone)]
pub struct Timeline<E> {
    spans: Vec<Span<E>>,
    /// All edges in order.
    edges: Vec<(Duration, Edge, usize)>,
    /// The first edge that is not passed.
    hand: usize,
}

impl<E> Default for Timeline<E> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl<E> Timeline<E> {
    /// A timeline of these spans, its hand before everything. A span without length is passed and
    /// never holds.
    #[must_use]
    pub fn new(spans: Vec<Span<E>>) -> Self {
        let mut edges: Vec<_> = spans
            .iter()
            .enumerate()
            .flat_map(|(index, span)| {
                let end = span.end.map(|end| (end.max(span.start), Edge::End, index));
                [Some((span.start, Edge::Start, index)), end]
            })
            .flatten()
            .collect();
        let empty =
            |index: usize| spans.get(index).is_some_and(|s| s.end.is_some_and(|e| e <= s.start));
        edges.sort_by_key(|(at, edge, index)| {
            let late =
                *edge == Edge::Start && !empty(*index) || *edge == Edge::End && empty(*index);
            (*at, late, *index)
        });
        Self { spans, edges, hand: 0 }
    }

    /// The spans.
    #[must_use]
    pub fn spans(&self) -> &[Span<E>] {
        &self.spans
    }

    /// The instant of the next edge; `None` when all are passed.
    #[must_use]
    pub fn next_edge(&self) -> Option<Duration> {
        self.edges.get(self.hand).map(|(at, ..)| *at)
    }

    /// Moves the hand to `to` and tells the edges on the way, those at `to` with them. The hand has
    /// moved even if the edges are not looked at.
    pub fn advance(&mut self, to: Duration) -> impl Iterator<Item = Passed<'_, E>> {
        let from = self.hand;
        let passed = self.edges.iter().skip(from).take_while(|(at, ..)| *at <= to).count();
        self.hand = from.saturating_add(passed);
        self.edges.iter().skip(from).take(passed).filter_map(|(at, edge, index)| {
            let span = self.spans.get(*index)?;
            Some(Passed { at: *at, edge: *edge, index: *index, span })
        })
    }

    /// The spans that hold where the hand is: started and not ended.
    pub fn active(&self) -> impl Iterator<Item = &Span<E>> {
        let now = self.hand.checked_sub(1).and_then(|last| self.edges.get(last));
        let now = now.map(|(at, ..)| *at);
        self.spans.iter().filter(move |span| {
            now.is_some_and(|now| span.start <= now && span.end.is_none_or(|end| now < end))
        })
    }
}

impl<E: Clone> Timeline<E> {
    /// The timeline of one subject alone, its hand before everything.
    #[must_use]
    pub fn of(&self, subject: usize) -> Self {
        Self::new(self.spans.iter().filter(|span| span.subject == subject).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(spans: &[(u64, Option<u64>)], steps: &[u64], expect: &[(u64, Edge, usize)]) {
        let seconds = Duration::from_secs;
        let spans: Vec<_> = spans
            .iter()
            .map(|(start, lasts)| Span::new(seconds(*start), lasts.map(seconds), 0, ()))
            .collect();
        let mut timeline = Timeline::new(spans);
        let mut passed = Vec::new();
        for step in steps {
            passed.extend(
                timeline.advance(seconds(*step)).map(|p| (p.at.as_secs(), p.edge, p.index)),
            );
        }
        assert_eq!(passed, expect);
    }

    #[test]
    fn edges_come_in_order_once_each() {
        use Edge::{End, Start};
        check(&[], &[5], &[]);
        check(&[(3, Some(2))], &[2], &[]);
        check(&[(3, Some(2))], &[3, 3, 4, 5], &[(3, Start, 0), (5, End, 0)]);
        check(&[(3, None)], &[100], &[(3, Start, 0)]);
        // One follows another: the first ends before the second starts.
        check(
            &[(5, Some(5)), (0, Some(5))],
            &[20],
            &[(0, Start, 1), (5, End, 1), (5, Start, 0), (10, End, 0)],
        );
        // Without length: starts and then ends.
        check(&[(4, Some(0))], &[4], &[(4, Start, 0), (4, End, 0)]);
    }

    proptest! {
        #[test]
        fn the_size_of_the_steps_changes_nothing(
            spans in prop::collection::vec((0u64..100, prop::option::of(0u64..50)), 0..12),
            mut steps in prop::collection::vec(0u64..200, 0..20),
        ) {
            let seconds = Duration::from_secs;
            let spans: Vec<_> = spans
                .into_iter()
                .map(|(start, lasts)| Span::new(seconds(start), lasts.map(seconds), 0, ()))
                .collect();
            let (mut one, mut many) = (Timeline::new(spans.clone()), Timeline::new(spans));
            steps.push(200);
            steps.sort_unstable();
            let at_once: Vec<_> = one.advance(seconds(200)).map(|p| (p.at, p.edge, p.index)).collect();
            let mut stepped = Vec::new();
            for step in steps {
                stepped.extend(many.advance(seconds(step)).map(|p| (p.at, p.edge, p.index)));
            }
            prop_assert_eq!(at_once, stepped);
            prop_assert_eq!(one.next_edge(), None);
        }
    }
}
