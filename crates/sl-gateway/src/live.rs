use std::{sync::Arc, time::Duration};

use sl_guard::{
    AdmissionLimits, BanRules, ConductLimits, GuardLimits, Network, Rate,
    proxy_protocol::{Missing, Trust},
    validate::Validators,
};

use crate::{
    GatewaySettings,
    difficulty::{Banded, Fixed, Poisson},
    own::Own,
    settings::VardiffRule,
    vardiff::Rules,
};

/// What the settings say at this instant, in the words of those who obey them.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) settings: GatewaySettings,
    pub(crate) rules: Rules,
    pub(crate) conduct: ConductLimits,
    pub(crate) guard: GuardLimits,
    pub(crate) trust: Trust,
    own: Own,
}

impl Live {
    /// `own` is what a program brought along.
    pub(crate) fn new(settings: GatewaySettings, own: Own) -> Self {
        let shares_per_minute = settings.shares_per_minute;
        let manager = own.manager.clone().unwrap_or_else(|| match settings.vardiff {
            VardiffRule::Poisson => Arc::new(Poisson { shares_per_minute }),
            VardiffRule::Banded => Arc::new(Banded::like_nomp(shares_per_minute)),
            VardiffRule::Fixed => Arc::new(Fixed { shares_per_minute }),
        });
        let rules = Rules {
            manager,
            start: settings.start_difficulty,
            min: settings.min_difficulty,
            max: settings.max_difficulty,
        };
        let balancers = settings.proxy_from.clone();
        let trust = Trust { balancers, missing: Missing::Refuse };
        let (conduct, guard) = (conduct(&settings), guard(&settings));
        Self { settings, rules, conduct, guard, trust, own }
    }

    /// What looks at the messages of a machine that connects now.
    pub(crate) fn validators(&self) -> Validators {
        self.own.validators(&self.settings.validators)
    }
}

/// So many a second, and twice as many at once.
fn a_second(count: u32) -> Rate {
    let count = count.max(1);
    Rate::every(Duration::from_secs(1) / count, count.saturating_mul(2))
}

fn conduct(settings: &GatewaySettings) -> ConductLimits {
    ConductLimits {
        authorize_within: settings.authorize_within,
        messages_before: settings.messages_before,
        messages: a_second(settings.messages_per_second),
        bytes: Rate::every(
            Duration::from_secs(1) / settings.bytes_per_second.max(1),
            settings.bytes_per_second.saturating_mul(4),
        ),
        shares: a_second(settings.shares_per_second),
        line_within: settings.line_within,
        invalid_percent: settings.invalid_percent,
        ..ConductLimits::default()
    }
}

fn guard(settings: &GatewaySettings) -> GuardLimits {
    let admission = AdmissionLimits {
        connections: settings.max_connections,
        unauthorized: settings.max_connections,
        per_address: settings.connections_per_address,
        per_subnet: settings.connections_per_subnet,
        connects_per_address: Rate::every(
            Duration::from_secs(1) / settings.connects_per_second.max(1),
            settings.connects_per_second.saturating_mul(50),
        ),
        spare: spared(settings),
        ..AdmissionLimits::default()
    };
    let bans = BanRules {
        threshold: if settings.bans { BanRules::default().threshold } else { f64::INFINITY },
        half_life: settings.ban_half_life,
        spare: spared(settings),
        ..BanRules::default()
    };
    GuardLimits { admission, bans }
}

/// This machine itself, and balancers: for what comes through them, others answer.
fn spared(settings: &GatewaySettings) -> Vec<Network> {
    Network::loopback().into_iter().chain(settings.proxy_from.iter().copied()).collect()
}
