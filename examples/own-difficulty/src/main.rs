//! Registers the rule and the validator of `lib.rs` through the public builder, and shows what would
//! run with them.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

use own_difficulty::{OfAccount, Steps};
use sl_app::{Builder, Composition, Plan, Ports, Settings, check};
use sl_config::{Layers, load};

/// Settings as a file would have them.
const SETTINGS: &str = "
gateway:
  shares_per_minute: 4
pools:
  - pool: f2pool
    user: account.{worker}
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let plan = plan()?;
    println!("with a difficulty rule and a validator of its own would run:");
    for service in plan.services() {
        println!("  {}: {}", service.id, service.description);
    }
    Ok(())
}

/// Nothing is bound or connected to until the plan runs.
fn plan() -> Result<Plan, Box<dyn std::error::Error>> {
    let settings: Settings =
        load(Layers::new().file("example.yaml", SETTINGS)).and_then(|it| it.read_with(check))?;
    let rule = Steps { shares_per_minute: settings.gateway.shares_per_minute };
    // No environment, no data folder.
    let ports = Ports::real(Some(7), Default::default(), None);
    let builder = Builder::new(settings, ports)
        .difficulty_manager(rule)
        .message_validator(|| Box::new(OfAccount { account: "account".into() }));
    Ok(builder.assemble(Composition::Gateway)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builder_takes_both() {
        let plan = plan().expect("good settings");
        let services = plan.services();
        assert!(services.iter().any(|service| service.id == "gateway"), "{services:?}");
    }
}
