use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn moment(seconds: u64, oldest: u64, newest: u64) -> Moment {
    Moment {
        now: Mono::from_start(Duration::from_secs(seconds)),
        jobs: KnownJobs { oldest, newest },
        resume_within: Duration::from_secs(600),
    }
}

fn origin(host: u8) -> Origin {
    Origin { address: [10, 0, 0, host].into(), user_agent: None }
}

/// Whose slot the journal tells.
fn known(slot: u64, session: &str) -> Freed {
    let host = u8::try_from(slot).unwrap_or(u8::MAX);
    Freed { slot, session: session.into(), origin: origin(host), worker: "rig.1".into() }
}

/// The slots that are free since this was asked last, and whose they were.
fn freed<M>(slots: &mut Slots<M>) -> Vec<(u64, String, String)> {
    let freed = slots.freed.drain(..);
    freed.map(|it| (it.slot, it.session.to_string(), it.worker.to_string())).collect()
}

fn take<M>(
    slots: &mut Slots<M>,
    resume: Option<&str>,
    host: u8,
    session: &str,
    moment: Moment,
) -> Taken<M> {
    slots.take(resume, origin(host), session.into(), moment).expect("a slot")
}

#[test]
fn the_layout_leaves_machines_at_least_two_bytes() {
    let layouts = [4, 5, 6, 7, 8].map(|free| (Layout::of(free).slot, Layout::of(free).own));
    assert_eq!(layouts, [(2, 2), (2, 3), (2, 4), (3, 4), (4, 4)]);
}

#[test]
fn a_machine_that_comes_back_gets_its_slot() {
    let mut slots = Slots::new(Layout::of(8));
    let first = take(&mut slots, None, 1, "a", moment(0, 0, 0));
    assert_eq!(first.extranonce1.to_string(), "00000000");
    assert_eq!(take(&mut slots, None, 2, "b", moment(0, 0, 0)).slot, 1);
    slots.give_back(first.slot, None, "memory", moment(1, 0, 7));
    // The jobs are forgotten, its time is not over.
    assert_eq!(take(&mut slots, None, 3, "c", moment(2, 100, 100)).slot, 2);
    let again = take(&mut slots, Some("a"), 1, "d", moment(3, 100, 100));
    assert_eq!((again.slot, &*again.session, again.memory), (0, "a", Some("memory")));
    // The slots give none away that is in use: who asks for it is to wait until it is given back.
    assert_eq!((slots.oust("a"), slots.oust("d"), slots.oust("unknown")), (Some(0), None, None));
    assert_eq!(take(&mut slots, Some("a"), 1, "e", moment(3, 100, 100)).slot, 3);
}

#[test]
fn without_its_session_it_is_known_by_where_it_comes_from() {
    let mut slots = Slots::new(Layout::of(8));
    let at = moment(0, 0, 0);
    let hosts = [(1, "a"), (2, "b"), (2, "c")];
    let taken = hosts.map(|(host, session)| take(&mut slots, None, host, session, at).slot);
    for (slot, (_, session)) in taken.into_iter().zip(hosts) {
        slots.give_back(slot, None, session, at);
    }
    let other = Origin { user_agent: Some("another/1".into()), ..origin(1) };
    assert_eq!(slots.take(None, other, "d".into(), at).expect("fresh").slot, 3);
    let again = take(&mut slots, None, 1, "e", at);
    assert_eq!((again.slot, &*again.session, again.memory), (0, "a", Some("a")));
    assert_eq!(take(&mut slots, None, 1, "another", at).slot, 4, "it is there already");
    // Two are missed there: which of them it is nobody can say.
    assert_eq!(take(&mut slots, None, 2, "f", at).slot, 5);
    assert_eq!(take(&mut slots, Some("b"), 2, "g", at).memory, Some("b"));
}

#[test]
fn a_slot_is_free_when_time_and_jobs_are_over() {
    let mut slots = Slots::new(Layout::of(8));
    let first = take(&mut slots, None, 1, "a", moment(0, 0, 0));
    slots.give_back(first.slot, None, (), moment(0, 0, 7));
    assert_eq!(take(&mut slots, None, 2, "b", moment(700, 7, 9)).slot, 1);
    assert_eq!(take(&mut slots, Some("a"), 1, "c", moment(700, 8, 9)).slot, 0);
    assert_eq!(slots.origins.len(), 2);
    assert_eq!(freed(&mut slots), [(0, "a".into(), String::new())]);
}

#[test]
fn a_slot_that_is_free_again_is_told_with_whose_it_was() {
    let mut slots = Slots::<()>::new(Layout { slot: 1, own: 2 });
    let at = moment(0, 0, 5);
    // One that came and went without a word had it before.
    slots.recall(known(0, "a"), (), at);
    let again = take(&mut slots, Some("a"), 9, "x", at);
    slots.give_back(again.slot, None, (), at);
    slots.sweep(moment(599, 9, 9));
    assert_eq!(freed(&mut slots), []);
    slots.sweep(moment(600, 5, 9));
    assert_eq!(freed(&mut slots), [], "its job is known");
    slots.sweep(moment(600, 6, 9));
    assert_eq!(freed(&mut slots), [(0, "a".into(), "rig.1".into())]);
    // Of a visitor the journal never heard.
    let visitor = take(&mut slots, None, 1, "b", at);
    slots.release(visitor.slot);
    assert_eq!(freed(&mut slots), []);
    // One that is taken from whoever is away longest.
    for host in 0..=255 {
        let taken = take(&mut slots, None, host, &format!("s{host}"), at);
        if host == 7 {
            slots.give_back(taken.slot, Some("rig.7".into()), (), at);
        }
    }
    take(&mut slots, None, 1, "late", moment(1, 6, 6));
    assert_eq!(freed(&mut slots), [(7, "s7".into(), "rig.7".into())]);
}

#[test]
fn damaged_rows_ask_for_no_more_memory_than_real_ones() {
    let mut slots = Slots::<()>::new(Layout::of(8));
    let at = moment(0, 0, 0);
    for number in 1..100u64 {
        slots.recall(known(number * 10_000_000, &format!("s{number}")), (), at);
        slots.recall(known(number * 100_000, &format!("t{number}")), (), at);
    }
    assert_eq!(slots.counts().away, 10);
    assert!(slots.free.len() as u64 <= MOST_FREED);
}

#[test]
fn when_all_are_taken_a_machine_is_refused_and_counted() {
    let mut slots = Slots::<()>::new(Layout { slot: 1, own: 2 });
    for host in 0..=255 {
        take(&mut slots, None, host, &format!("s{host}"), moment(0, 0, 0));
    }
    let refused = slots.take(None, origin(1), "late".into(), moment(0, 0, 0)).expect_err("full");
    assert!(refused.to_string().starts_with("all 256 slots are in use"), "{refused}");
    assert_eq!((slots.counts().in_use, slots.counts().refused), (256, 1));
}

#[test]
fn when_all_are_taken_whoever_is_away_longest_makes_room_once_its_jobs_are_forgotten() {
    let mut slots = Slots::<()>::new(Layout { slot: 1, own: 2 });
    for host in 0..=255 {
        take(&mut slots, None, host, &format!("s{host}"), moment(0, 0, 0));
    }
    slots.give_back(7, None, (), moment(1, 0, 5));
    slots.give_back(9, None, (), moment(2, 0, 6));
    slots.take(None, origin(1), "late".into(), moment(3, 5, 6)).expect_err("job 5 is known");
    assert_eq!(take(&mut slots, None, 1, "late", moment(4, 6, 6)).slot, 7);
    slots.take(None, origin(1), "later".into(), moment(5, 6, 6)).expect_err("job 6 is known");
    assert_eq!(take(&mut slots, Some("s9"), 1, "own", moment(6, 9, 9)).slot, 9, "still waited for");
    // One that was never worked with is free at once.
    slots.release(9);
    assert_eq!(take(&mut slots, None, 1, "last", moment(6, 0, 9)).slot, 9);
    assert_eq!((slots.counts().in_use, slots.counts().away), (256, 0));
}

#[test]
fn a_run_that_died_and_an_earlier_program_leave_machines_that_are_waited_for() {
    let mut slots = Slots::<()>::new(Layout::of(8));
    let at = moment(0, 0, 0);
    take(&mut slots, None, 1, "a", at);
    slots.all_left(at);
    assert_eq!((slots.counts().in_use, slots.counts().away), (0, 1));
    assert_eq!(take(&mut slots, Some("a"), 1, "b", at).slot, 0);
    let mut slots = Slots::<()>::new(Layout::of(8));
    slots.recall(known(5, "e"), (), at);
    slots.recall(known(2, "c"), (), at);
    slots.recall(known(2, "twice"), (), at);
    assert_eq!(slots.counts().away, 2);
    assert_eq!(take(&mut slots, Some("e"), 9, "x", at).slot, 5);
    assert_eq!(take(&mut slots, None, 2, "y", at).slot, 2);
    let rest: Vec<u64> =
        (0..5).map(|host| take(&mut slots, None, 100 + host, "z", at).slot).collect();
    assert_eq!(rest, [0, 1, 3, 4, 6]);
}

#[test]
fn what_is_remembered_is_bounded_and_no_slot_is_given_on_while_its_jobs_are_out() {
    let mut slots = Slots::new(Layout::of(8));
    let (most, at) = (MOST_AWAY as u64, moment(0, 0, 7));
    for number in 0..most + 1000 {
        let taken = slots.take(None, fresh(number), format!("s{number}").into(), at);
        let taken = taken.expect("free");
        assert_eq!(taken.slot, number, "never that of another");
        slots.give_back(taken.slot, None, (), at);
    }
    assert!(slots.away.len() <= MOST_AWAY + 1 && slots.left.len() <= MOST_AWAY + 1);
    assert!(slots.origins.len() <= MOST_AWAY + 1);
    // Those of forgotten machines are free when their jobs are forgotten too.
    let nobodys = slots.nobodys.len() as u64;
    assert!(nobodys >= 999);
    let oldest = slots.nobodys.front().map(|(freed, _)| freed.slot).expect("some");
    assert_eq!((oldest, slots.free.len()), (0, 0));
    // One that comes and goes leaves no trail either.
    for number in 0..most + 1000 {
        let session = format!("s{}", most + 999);
        let again = slots.take(Some(&session), fresh(0), "new".into(), at).expect("its own");
        assert_eq!(again.slot, most + 999, "{number}");
        slots.give_back(again.slot, None, (), at);
    }
    assert!(slots.left.len() <= MOST_AWAY + 1);
    slots.sweep(moment(1, 8, 9));
    assert!(slots.nobodys.is_empty() && slots.free.front() == Some(&0));
}

/// An origin that nobody else has.
fn fresh(number: u64) -> Origin {
    Origin { user_agent: Some(number.to_string().into()), ..origin(0) }
}

proptest! {
    #[test]
    fn no_slot_is_given_twice_nor_while_its_jobs_live(
        steps in prop::collection::vec((0u8..5, 0u64..400, 0u8..4), 1..300),
    ) {
        let mut slots = Slots::new(Layout { slot: 1, own: 2 });
        let (mut held, mut gone): (Vec<u64>, Vec<Arc<str>>) = (Vec::new(), Vec::new());
        // Who had a slot last, and the newest job that was out with it.
        let mut last: HashMap<u64, (Arc<str>, u64)> = HashMap::new();
        let (mut now, mut job) = (0, 0u64);
        for (number, (step, pause, host)) in steps.into_iter().enumerate() {
            now += pause;
            job += 1;
            let at = moment(now, job.saturating_sub(5), job);
            if step < 2 && !held.is_empty() {
                let slot = held.swap_remove(number % held.len());
                slots.give_back(slot, None, (), at);
                let (session, until) = last.get_mut(&slot).expect("it was taken");
                *until = job;
                gone.push(session.clone());
            } else {
                let resume = if step == 2 { gone.pop() } else { None };
                let session: Arc<str> = format!("s{number}").into();
                let taken = slots.take(resume.as_deref(), origin(host), session, at);
                let Ok(taken) = taken else { continue };
                if let Some((before, until)) = last.get(&taken.slot) {
                    let same = *before == taken.session;
                    prop_assert!(same || *until < at.jobs.oldest, "a stranger with live jobs");
                    prop_assert_eq!(same, taken.memory.is_some());
                }
                last.insert(taken.slot, (taken.session.clone(), job));
                held.push(taken.slot);
            }
            let distinct: HashSet<u64> = held.iter().copied().collect();
            prop_assert_eq!(distinct.len(), held.len());
            prop_assert_eq!(slots.counts().in_use, held.len() as u64);
            let missed: usize = slots.origins.values().map(|known| known.missed.len()).sum();
            prop_assert_eq!(missed, slots.away.len());
        }
    }
}
