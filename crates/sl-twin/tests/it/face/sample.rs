//! Machines as the recorded replies show them.

use std::sync::Arc;
use std::time::Duration;

use sl_twin::face::Look;
use sl_twin::{
    BoardReading, ChipMark, Conf, Manners, Model, Network, PoolConf, PoolCounts, PoolReading,
    Readings, Release, State, Status,
};
use sl_units::{HashRate, Wall};

fn mhs(rate: f64) -> HashRate {
    HashRate::from_hs((rate * 1e6).round())
}

fn base(model: &'static Model) -> Readings {
    let mut network = Network::factory(1, [10, 0, 0, 7].into());
    "02:11:22:33:44:55".clone_into(&mut network.mac);
    Readings {
        elapsed_s: 105_715,
        uptime_s: 105_800,
        state: State::Mining,
        // Of an observed one: 9529.45 as a number, cut off, and 9529.46 in a text, rounded.
        rate_5s: mhs(9529.456),
        rate_30m: mhs(9310.0),
        rate_avg: mhs(9301.18),
        rate_ideal: mhs(9500.0),
        boards: Vec::new(),
        fans_rpm: vec![4200, 4230, 4170, 4200],
        fan_pwm_percent: 70,
        hw_errors: 900,
        hw_percent: 0.01,
        nonces: 1_000_000,
        status: Status::default(),
        pools: std::array::from_fn(|_| PoolReading::default()),
        best_share: 0.0,
        conf: Conf::factory(model),
        network,
        light: false,
        manners: Manners::default(),
    }
}

fn board(index: usize, chips: usize) -> BoardReading {
    BoardReading {
        index,
        chips: vec![ChipMark::Good; chips],
        freq_mhz: 1850,
        voltage_v: 14.7,
        rate_ideal: mhs(3166.67),
        rate_real: mhs(3176.48),
        rate_avg: mhs(3176.48),
        temp_pic_c: [45, 45, 62, 62],
        temp_pcb_c: [45, 45, 62, 62],
        temp_chip_c: [58, 58, 75, 75],
        hw_errors: 300,
        eeprom_loaded: true,
        serial: format!("L7SN{index}"),
    }
}

fn look(model: &'static Model, readings: Readings, now: u64) -> Look {
    Look {
        model,
        release: Release::R202405,
        readings: Arc::new(readings),
        login: None,
        now: Wall::from_secs(now),
        log: vec!["[0.000] start".to_owned(), "[2.500] chain 0: 120 chips".to_owned()],
        chart: (0..3).map(|slot| (slot, [3176.48, 3170.11, 3181.02].map(mhs).to_vec())).collect(),
    }
}

/// The L7 of `antminer-l7/derived`.
pub(super) fn l7() -> Look {
    let model = Model::by_id("antminer-l7").expect("a model");
    let mut it = base(model);
    it.boards = (0..3).map(|index| board(index, 120)).collect();
    it.pools[0] = PoolReading {
        url: "stratum+tcp://pool.invalid:3333".to_owned(),
        user: "worker.001".to_owned(),
        alive: true,
        active: true,
        counts: PoolCounts { getworks: 488, accepted: 1757, rejected: 5, ..PoolCounts::default() },
        difficulty: Some(524_288.0),
        last_share_ago: Some(Duration::from_secs(5)),
        last_job_ago: Some(Duration::from_secs(20)),
    };
    look(model, it, 1_795_353_259)
}

/// The same with another firmware.
pub(super) fn l7_of(release: Release) -> Look {
    Look { release, ..l7() }
}

/// The same after somebody has written its configuration.
pub(super) fn written(mut look: Look, work_mode: u8) -> Look {
    let conf = &mut Arc::make_mut(&mut look.readings).conf;
    conf.written = true;
    conf.work_mode = work_mode;
    conf.pools[0] = PoolConf {
        url: "stratum+tcp://pool.invalid:3333".to_owned(),
        user: "a.\"b\"".to_owned(),
        pass: "x".to_owned(),
    };
    look
}

/// The L9 of `antminer-l9`, with its third board whole.
pub(super) fn l9() -> Look {
    let model = Model::by_id("antminer-l9").expect("a model");
    let mut it = base(model);
    it.elapsed_s = 9153;
    it.rate_5s = mhs(11_486.7);
    it.rate_avg = mhs(12_851.0);
    it.rate_30m = mhs(11_474.0);
    it.rate_ideal = mhs(17_037.9);
    it.boards = (0..3)
        .map(|index| BoardReading {
            freq_mhz: 1262,
            rate_real: HashRate::from_hs(5_659_831_296.0),
            rate_avg: HashRate::from_hs(5_659_831_296.0),
            temp_pcb_c: [40, 40, 64, 64],
            temp_chip_c: [59, 59, 81, 81],
            ..board(index, 110)
        })
        .collect();
    it.pools[0].counts = PoolCounts {
        accepted: 1757,
        rejected: 5,
        stale: 4,
        difficulty_accepted: 1_788_870_656.0,
        difficulty_rejected: 5_242_880.0,
        difficulty_stale: 4_194_304.0,
        ..PoolCounts::default()
    };
    look(model, it, 1_787_597_826)
}

/// The L3+ of `antminer-l3plus`.
pub(super) fn l3plus() -> Look {
    let model = Model::by_id("antminer-l3plus").expect("a model");
    let mut it = base(model);
    it.elapsed_s = 393_983;
    it.uptime_s = 61;
    it.rate_5s = mhs(504.56);
    it.rate_avg = mhs(500.28);
    it.rate_ideal = mhs(504.0);
    it.fans_rpm = vec![3840, 3810];
    it.hw_errors = 152;
    it.hw_percent = 0.0;
    let figures =
        [(46, 54, 0, 126.12), (46, 56, 0, 125.79), (46, 56, 153, 126.06), (45, 53, 0, 126.59)];
    it.boards = figures
        .into_iter()
        .enumerate()
        .map(|(index, (pcb, chip, hw_errors, rate))| BoardReading {
            freq_mhz: 384,
            rate_real: mhs(rate),
            temp_pcb_c: [pcb - 8, pcb - 8, pcb, pcb],
            temp_chip_c: [chip - 8, chip - 8, chip, chip],
            hw_errors,
            ..board(index, 72)
        })
        .collect();
    it.pools[0] = PoolReading {
        url: "stratum+tcp://us.litecoinpool.org:3333".to_owned(),
        user: "worker.l3_1".to_owned(),
        alive: true,
        active: true,
        counts: PoolCounts {
            getworks: 24_933,
            accepted: 47_384,
            rejected: 212,
            discarded: 230_740,
            stale: 15,
            difficulty_accepted: 2_988_769_280.0,
            difficulty_rejected: 13_254_656.0,
            last_share_difficulty: 65_536.0,
            best_share: 11_224_839_560.0,
            ..PoolCounts::default()
        },
        difficulty: Some(65_536.0),
        last_share_ago: Some(Duration::from_secs(23)),
        last_job_ago: Some(Duration::from_secs(31)),
    };
    "C4:F3:12:B3:9F:FC".clone_into(&mut it.network.mac);
    "antMiner".clone_into(&mut it.network.hostname);
    it.network.ip = [192, 168, 1, 189].into();
    look(model, it, 1_526_315_384)
}
