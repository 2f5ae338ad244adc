//! What a worker's shares prove, and whether that is what it claims.

use std::{collections::BTreeMap, sync::Arc};

use sl_guard::proof::{
    Decision, Input, Outcome, Proven, ProvenRates, ShortfallRules, ShortfallTest, Window,
};
use sl_units::{HashRate, Mono, ShareDifficulty, Target};
use sl_work::WorkerName;

use crate::{GatewaySettings, WorkDone};

/// The proof of work done of one worker.
#[derive(Debug, Default)]
pub(super) struct Diligence {
    rates: ProvenRates,
    /// Only where somebody claims something.
    test: Option<Box<ShortfallTest>>,
    /// What each machine that is here claims, together.
    claimed: f64,
    /// The difficulties of the machines that are here, as bits, which are in the order of their
    /// numbers; and of how many machines each is.
    difficulties: BTreeMap<u64, u32>,
    /// What the test counts by.
    in_force: Option<ShareDifficulty>,
    found: Option<Arc<Decision>>,
    /// How often it was found short.
    shortfalls: u64,
}

impl Diligence {
    /// A machine of the worker has come or gone, or the source has work or has none.
    pub(super) fn works(&mut self, rules: &ShortfallRules, works: bool, now: Mono) {
        self.rates.working(works, now);
        self.step(rules, Input::Working(works), now);
    }

    /// What a machine that came claims; taken away again when it goes.
    pub(super) fn claims(
        &mut self,
        rules: &ShortfallRules,
        more: HashRate,
        less: HashRate,
        now: Mono,
    ) {
        if more == less {
            return;
        }
        self.claimed = (self.claimed + more.hs() - less.hs()).max(0.0);
        if self.test.is_none() && self.claimed > 0.0 {
            self.test = Some(Box::new(ShortfallTest::new(rules, now)));
        }
        let claim = (self.claimed > 0.5).then(|| HashRate::from_hs(self.claimed));
        self.step(rules, Input::Claim(claim), now);
    }

    /// A machine has another difficulty than before; `None` before its first, and after its last.
    ///
    /// Where several machines have one name, the hardest difficulty counts. So a share is never
    /// worth more than one that is expected, and a machine that fell silent, and whose difficulty
    /// was stepped down for it, makes no thousand shares expected of all.
    pub(super) fn difficulty(
        &mut self,
        rules: &ShortfallRules,
        before: Option<ShareDifficulty>,
        now_is: Option<ShareDifficulty>,
        now: Mono,
    ) {
        if let Some(now_is) = now_is {
            *self.difficulties.entry(now_is.get().to_bits()).or_default() += 1;
        }
        if let Some(before) = before.map(|before| before.get().to_bits())
            && let Some(count) = self.difficulties.get_mut(&before)
        {
            *count -= 1;
            if *count == 0 {
                self.difficulties.remove(&before);
            }
        }
        let hardest = self.difficulties.last_key_value().map(|(bits, _)| f64::from_bits(*bits));
        let hardest = hardest.and_then(|hardest| ShareDifficulty::new(hardest).ok());
        if let Some(hardest) = hardest.filter(|hardest| self.in_force != Some(*hardest)) {
            self.in_force = Some(hardest);
            let target = Target::from(hardest);
            self.rates.target(target, now);
            self.step(rules, Input::Target(target), now);
        }
    }

    /// No machine of the worker is here, and nobody told when they went.
    pub(super) fn all_left(&mut self, rules: &ShortfallRules, now: Mono) {
        self.difficulties.clear();
        let claimed = HashRate::from_hs(std::mem::take(&mut self.claimed));
        self.works(rules, false, now);
        if claimed > HashRate::default() {
            self.step(rules, Input::Claim(None), now);
        }
    }

    pub(super) fn share(&mut self, rules: &ShortfallRules, judged_by: ShareDifficulty, at: Mono) {
        let target = Target::from(judged_by);
        self.rates.share(target, at);
        self.step(rules, Input::Share(target), at);
    }

    /// Time passed; what was found out, if it was found out now.
    pub(super) fn tick(&mut self, rules: &ShortfallRules, now: Mono) -> Option<Arc<Decision>> {
        let before = self.shortfalls;
        self.step(rules, Input::Tick, now);
        (self.shortfalls > before).then(|| self.found.clone()).flatten()
    }

    fn step(&mut self, rules: &ShortfallRules, input: Input, now: Mono) {
        let decision = self.test.as_mut().and_then(|test| test.step(rules, input, now));
        if let Some(decision) = decision {
            self.shortfalls += 1;
            self.found = Some(Arc::new(decision));
        }
    }

    /// What is proven over 5 minutes, an hour and a day.
    pub(super) fn proven(&mut self, now: Mono) -> [Option<Proven>; 3] {
        Window::ALL.map(|window| self.rates.proven(window, now))
    }

    /// What the last hour proves, once it proves anything.
    pub(super) fn hour(&mut self, now: Mono) -> Option<Proven> {
        self.rates.proven(Window::Hour, now)
    }

    /// Whether it was found short.
    pub(super) fn is_short(&self) -> bool {
        self.found.as_deref().is_some_and(|found| found.outcome == Outcome::Short)
    }

    /// What the test says; `None` while nothing is claimed.
    pub(super) fn verdict(&self, rules: &ShortfallRules, now: Mono) -> Option<WorkDone> {
        let decision = self.test.as_ref()?.explain(rules, now)?;
        Some(WorkDone {
            claimed: decision.inputs.claimed,
            proven_part: decision.inputs.proven_part,
            suspicion: decision.statistic / decision.rule.threshold,
            short: self.is_short(),
            shortfalls: self.shortfalls,
            last: self.found.clone(),
        })
    }
}

/// What a machine claims to hash: by the settings for its worker, by the model that it names, by
/// the settings for all; `None` where nobody says.
pub(super) fn claim(
    settings: &GatewaySettings,
    worker: &WorkerName,
    user_agent: Option<&str>,
) -> Option<HashRate> {
    let own = settings.claims.get(&**worker).map(|claim| claim.hashrate);
    own.or_else(|| user_agent.and_then(of_model)).or(settings.claim)
}

/// The nameplate of the model that a program names itself after: `Antminer L7/2024-03-01`. Those
/// that hide behind `cgminer/4.9` claim nothing.
pub(crate) fn of_model(user_agent: &str) -> Option<HashRate> {
    let name = user_agent.split('/').next()?;
    let plate = sl_catalog::machines::by_reported_name(name)?.nameplates.first()?;
    Some(HashRate::from_hs(plate.hashrate_mhs * 1e6))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sl_guard::proof::Requirement;

    use super::*;

    fn at(seconds: f64) -> Mono {
        Mono::from_start(Duration::from_secs_f64(seconds))
    }

    #[test]
    fn the_nearest_word_on_a_claim_counts() {
        let mut settings = GatewaySettings::default();
        let claim = |settings: &GatewaySettings, agent: Option<&str>| {
            claim(settings, &"rig.7".into(), agent).map(HashRate::hs)
        };
        assert_eq!(claim(&settings, Some("cgminer/4.9.0")), None);
        settings.claim = Some(HashRate::from_hs(1.0));
        assert_eq!(claim(&settings, None), Some(1.0));
        assert_eq!(claim(&settings, Some("Antminer L3+/2018")), Some(504e6));
        let own = crate::settings::Claim { hashrate: HashRate::from_hs(3.0) };
        settings.claims.insert("rig.7".into(), own);
        assert_eq!(claim(&settings, Some("Antminer L3+/2018")), Some(3.0));
    }

    #[test]
    fn a_worker_that_hashes_half_is_found_and_an_honest_one_is_not() {
        let rules = ShortfallRules::design(Requirement::default()).expect("in range");
        let difficulty = ShareDifficulty::new(1000.0).expect("positive");
        let hashes = difficulty.expected_hashes();
        for (part, short) in [(1.0, false), (0.5, true)] {
            let mut rng = fastrand::Rng::with_seed(3);
            let mut worker = Diligence::default();
            let claimed = HashRate::from_hs(hashes / 10.0);
            worker.claims(&rules, claimed, HashRate::default(), at(0.0));
            worker.difficulty(&rules, None, Some(difficulty), at(0.0));
            worker.works(&rules, true, at(0.0));
            let mut now = 0.0;
            while now < 12.0 * 3600.0 {
                now += -(1.0 - rng.f64()).ln() * 10.0 / part;
                worker.share(&rules, difficulty, at(now));
                worker.tick(&rules, at(now));
            }
            let verdict = worker.verdict(&rules, at(now)).expect("a claim");
            assert_eq!((verdict.short, verdict.shortfalls > 0), (short, short), "{verdict:?}");
            let hour = worker.hour(at(now)).expect("shares");
            let truth = claimed.hs() * part;
            assert!(hour.low.hs() < truth && truth < hour.high.hs(), "{hour:?}");
        }
    }

    #[test]
    fn a_silent_machine_makes_no_farm_of_one_name_short() {
        let rules = ShortfallRules::design(Requirement::default()).expect("in range");
        let difficulty = ShareDifficulty::new(1000.0).expect("positive");
        let each = HashRate::from_hs(difficulty.expected_hashes() / 10.0);
        let mut rng = fastrand::Rng::with_seed(5);
        let mut farm = Diligence::default();
        farm.works(&rules, true, at(0.0));
        for _ in 0..10 {
            farm.claims(&rules, each, HashRate::default(), at(0.0));
            farm.difficulty(&rules, None, Some(difficulty), at(0.0));
        }
        // One says nothing, and is stepped down by 4 each 37 s, as far as it goes.
        let (mut silent, mut stepped, mut now) = (difficulty, 0.0, 0.0);
        while now < 1200.0 {
            now += -(1.0 - rng.f64()).ln() * 10.0 / 9.0;
            if now > stepped + 37.0 && silent.get() > 0.01 {
                stepped = now;
                let easier = ShareDifficulty::new(silent.get() / 4.0).expect("positive");
                farm.difficulty(&rules, Some(silent), Some(easier), at(now));
                silent = easier;
            }
            farm.share(&rules, difficulty, at(now));
            farm.tick(&rules, at(now));
        }
        let verdict = farm.verdict(&rules, at(now)).expect("a claim");
        assert_eq!(verdict.shortfalls, 0, "{verdict:?}");
        assert!(verdict.proven_part > 0.75, "{verdict:?}");
        farm.all_left(&rules, at(now));
        assert!(farm.difficulties.is_empty() && farm.claimed == 0.0);
    }
}
