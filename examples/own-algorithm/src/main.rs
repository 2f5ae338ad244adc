//! Registers the algorithm of `lib.rs` through the public builder, and mines a header with it.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "an example prints its answer")]

use own_algorithm::{Sha256Family, Sha256d};
use sl_app::{Builder, Composition, Ports, Settings};
use sl_units::Target;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Chance from a seed, no environment, no data folder: the same at each run.
    let ports = Ports::real(Some(7), Default::default(), None);
    let builder = Builder::new(Settings::default(), ports)
        .algorithm(Sha256d)?
        .algorithm_family(Sha256Family)?;
    println!("algorithms: {}", builder.registry().usages().join(", "));

    for name in ["sha256d", "sha256-n:times=3"] {
        // `best` tests each engine before it gives it away.
        let mut prover = builder.registry().best(name)?;
        let target = Target::from_expected_hashes(65_536.0);
        let found = prover.scan(&[0; 80], 0, 1 << 20, target);
        let Some(first) = found.iter().min_by_key(|hashed| hashed.nonce()) else {
            return Err("a million hashes and no share: not in this universe".into());
        };
        println!("{name}: nonce {} gives {}", first.nonce(), first.hash());
    }

    // Services assembled by this builder know the algorithm too. Nothing is bound until it runs.
    let plan = builder.assemble(Composition::Gateway)?;
    println!("a gateway would start {} services", plan.services().len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> Builder {
        Builder::new(Settings::default(), Ports::real(Some(7), Default::default(), None))
            .algorithm(Sha256d)
            .and_then(|builder| builder.algorithm_family(Sha256Family))
            .expect("new names")
    }

    #[test]
    fn bitcoins_first_block_is_found_by_scanning_for_it() {
        let genesis = sl_pow::Algorithm::vectors(&Sha256d)[0];
        let mut prover = builder().registry().best("sha256d").expect("right");
        let bits = sl_units::Bits::from_u32(0x1d00_ffff).target().expect("a target");
        let nonce = sl_pow::nonce_of(&genesis.header);
        let found = prover.scan(&genesis.header, nonce - 1000, 2000, bits);
        assert_eq!(found.iter().map(|hashed| hashed.hash()).collect::<Vec<_>>(), [genesis.hash]);
    }

    #[test]
    fn the_family_counts() {
        let builder = builder();
        let hash = |name: &str| {
            let mut prover = builder.registry().best(name).expect("right");
            prover.hash(&[1; 80]).hash()
        };
        assert_eq!(hash("sha256-n"), hash("sha256d"));
        assert_ne!(hash("sha256-n:3"), hash("sha256d"));
    }

    #[test]
    fn a_wrong_name_is_told_with_what_is_near() {
        let error = builder().registry().best("sha256e").map(|_| ()).expect_err("unknown");
        assert!(error.to_string().ends_with("did you mean sha256d?"), "{error}");
        assert!(builder().algorithm(Sha256d).is_err(), "the name is taken");
    }
}
