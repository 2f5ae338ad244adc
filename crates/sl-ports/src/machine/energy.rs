//! The energy that the processor packages of this machine take, by the counters of RAPL, which Linux
//! shows for Intel and AMD below `/sys/class/powercap` (the kernel's
//! Documentation/power/powercap/powercap.rst).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Where the kernel shows the counters.
const POWERCAP: &str = "/sys/class/powercap";

/// Why no energy is known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoEnergy {
    /// There are no counters.
    #[error(
        "no processor here tells its energy: {0} has no package of intel-rapl (a virtual machine has \
         none), hint: on bare metal, sudo modprobe intel_rapl_msr"
    )]
    Absent(PathBuf),
    /// There are counters that this user may not read, or that say nothing of use.
    #[error(
        "cannot read {path}: {cause}, hint: sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"
    )]
    Unreadable {
        /// The counter.
        path: PathBuf,
        /// What the operating system answered.
        cause: String,
    },
}

/// The energy counters of all processor packages. Cores and memory are not counted beside them:
/// they are part of their package, or of the machine's own domain (`psys`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnergyMeter {
    packages: Vec<Package>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Package {
    counter: PathBuf,
    /// The counter goes up to this and then begins at zero, in microjoules.
    range: u64,
}

/// The counters at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnergyReading(Vec<u64>);

impl EnergyMeter {
    /// Finds the counters of this machine and reads each once.
    ///
    /// # Errors
    /// There are none, or they may not be read.
    pub fn find() -> Result<Self, NoEnergy> {
        Self::find_below(Path::new(POWERCAP))
    }

    /// Finds the counters in a folder such as `/sys/class/powercap`.
    ///
    /// # Errors
    /// There are none, or they may not be read.
    pub fn find_below(folder: &Path) -> Result<Self, NoEnergy> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut domains: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        domains.retain(|domain| is_package(domain));
        domains.sort();
        if domains.is_empty() {
            return Err(NoEnergy::Absent(folder.to_owned()));
        }
        let package = |domain: PathBuf| -> Result<Package, NoEnergy> {
            let number = |name| number(&domain.join(name));
            Ok(Package { range: number("max_energy_range_uj")?, counter: domain.join("energy_uj") })
        };
        let packages = domains.into_iter().map(package).collect::<Result<_, _>>()?;
        let meter = Self { packages };
        meter.read()?;
        Ok(meter)
    }

    /// Reads all counters.
    ///
    /// # Errors
    /// One of them may not be read any more.
    pub fn read(&self) -> Result<EnergyReading, NoEnergy> {
        let numbers = self.packages.iter().map(|package| number(&package.counter));
        Ok(EnergyReading(numbers.collect::<Result<_, _>>()?))
    }

    /// The joules from one reading to a later one of this meter. A counter that has begun anew in
    /// between is taken to have done so once: it lasts a minute and more.
    #[must_use]
    pub fn joules(&self, from: &EnergyReading, to: &EnergyReading) -> f64 {
        let packages = self.packages.iter().zip(from.0.iter().zip(&to.0));
        let taken = packages.map(|(package, (from, to))| match to.checked_sub(*from) {
            Some(taken) => taken,
            None => package.range.saturating_sub(*from).saturating_add(*to),
        });
        taken.map(|microjoules| microjoules as f64 / 1e6).sum()
    }
}

/// A package is `intel-rapl:0`; below it are `intel-rapl:0:1`; `intel-rapl-mmio:0` shows the same
/// energy by another way.
fn is_package(domain: &Path) -> bool {
    let name = domain.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let number = name.strip_prefix("intel-rapl:").unwrap_or_default();
    let numbered = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    let of = fs::read_to_string(domain.join("name")).unwrap_or_default();
    numbered && of.starts_with("package")
}

fn number(path: &Path) -> Result<u64, NoEnergy> {
    let wrong =
        |cause: io::Error| NoEnergy::Unreadable { path: path.to_owned(), cause: cause.to_string() };
    let text = fs::read_to_string(path).map_err(wrong)?;
    text.trim().parse().map_err(|_| {
        wrong(io::Error::new(io::ErrorKind::InvalidData, format!("found {:?}", text.trim())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of domains: name of the folder, name inside, counter, range.
    fn tree(domains: &[(&str, &str, &str, &str)]) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        for (folder, name, counter, range) in domains {
            let folder = place.path().join(folder);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("name"), format!("{name}\n")).unwrap();
            fs::write(folder.join("energy_uj"), format!("{counter}\n")).unwrap();
            fs::write(folder.join("max_energy_range_uj"), format!("{range}\n")).unwrap();
        }
        place
    }

    #[test]
    fn packages_are_added_up_and_their_parts_are_not() {
        let place = tree(&[
            ("intel-rapl:0", "package-0", "1000000", "9000000"),
            ("intel-rapl:0:0", "core", "900000", "9000000"),
            ("intel-rapl:1", "package-1", "8000000", "9000000"),
            ("intel-rapl:2", "psys", "5000000", "9000000"),
            ("intel-rapl-mmio:0", "package-0", "1000000", "9000000"),
        ]);
        let meter = EnergyMeter::find_below(place.path()).unwrap();
        let before = meter.read().unwrap();
        fs::write(place.path().join("intel-rapl:0/energy_uj"), "1500000\n").unwrap();
        // This one begins anew: one joule to its end, and a quarter after.
        fs::write(place.path().join("intel-rapl:1/energy_uj"), "250000\n").unwrap();
        let after = meter.read().unwrap();
        assert_eq!(meter.joules(&before, &after), 0.5 + 1.25);
        assert_eq!(meter.joules(&after, &after), 0.0);
    }

    #[test]
    fn what_is_not_there_or_not_to_be_read_is_told_with_its_cure() {
        let place = tree(&[("intel-rapl:0:0", "core", "1", "2")]);
        let absent = EnergyMeter::find_below(place.path()).unwrap_err();
        assert!(absent.to_string().contains("modprobe"), "{absent}");
        let nowhere = EnergyMeter::find_below(&place.path().join("nowhere")).unwrap_err();
        assert!(matches!(nowhere, NoEnergy::Absent(_)), "{nowhere}");

        let place = tree(&[("intel-rapl:0", "package-0", "much", "2")]);
        let wrong = EnergyMeter::find_below(place.path()).unwrap_err().to_string();
        assert!(wrong.contains("found \"much\"") && wrong.contains("sudo chmod"), "{wrong}");
        fs::remove_file(place.path().join("intel-rapl:0/energy_uj")).unwrap();
        let gone = EnergyMeter::find_below(place.path()).unwrap_err();
        assert!(matches!(gone, NoEnergy::Unreadable { .. }), "{gone}");
    }
}
