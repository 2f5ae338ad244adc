//! Registers the strategy of `lib.rs` through the public builder, and shows what would run by it.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

use own_pool_strategy::Turns;
use sl_app::{Builder, Composition, Ports, Settings, check};
use sl_config::{Layers, load};

/// Settings as a file would have them.
const SETTINGS: &str = "
failover:
  strategy: turns
pools:
  - pool: f2pool
    user: account.{worker}
  - name: other
    url: [pool.example:3333]
    user: account.{worker}
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings: Settings =
        load(Layers::new().file("example.yaml", SETTINGS)).and_then(|it| it.read_with(check))?;
    // No environment, no data folder. Nothing is bound or connected to until the plan runs.
    let ports = Ports::real(Some(7), Default::default(), None);
    let builder =
        Builder::new(settings, ports).pool_strategy("turns", |_| Box::new(Turns::default()))?;
    let plan = builder.farm_plan(Composition::Gateway)?.ok_or("the settings have pools")?;
    println!("strategy {} among:", plan.strategy);
    for pool in plan.pools {
        println!("  {} at {}", pool.name, pool.addresses.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sl_app::AssembleError;

    use super::*;

    fn settings() -> Settings {
        load(Layers::new().file("example.yaml", SETTINGS))
            .and_then(|it| it.read_with(check))
            .expect("good settings")
    }

    #[test]
    fn the_builder_takes_it_by_its_name() {
        let ports = || Ports::real(Some(7), Default::default(), None);
        let unknown = Builder::new(settings(), ports()).farm_plan(Composition::Gateway);
        assert!(matches!(unknown, Err(AssembleError::Strategy(_))), "nobody registered it");
        let builder = Builder::new(settings(), ports())
            .pool_strategy("turns", |_| Box::new(Turns::default()))
            .expect("a new name");
        let plan = builder.farm_plan(Composition::Gateway).expect("a plan").expect("of pools");
        assert_eq!((plan.strategy.as_str(), plan.pools.len()), ("turns", 2));
        let taken = Builder::new(settings(), ports())
            .pool_strategy("priority", |_| Box::new(Turns::default()));
        assert!(taken.is_err(), "the program's own strategies keep their names");
    }
}
