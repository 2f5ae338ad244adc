//! Whence the machine has its power, from `/sys/class/power_supply` (the kernel's
//! Documentation/ABI/testing/sysfs-class-power).

use std::{fs, path::Path};

/// Whence the power comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// From outside; also where there is no battery, or nobody tells of one.
    Mains,
    /// From a battery, or from a UPS that discharges.
    Battery,
}

/// Looks at this machine's supplies. A battery behind firmware may take some ten milliseconds to
/// answer.
#[must_use]
pub fn look() -> Power {
    read(Path::new("/sys/class/power_supply"))
}

/// Looks at the supplies listed in a folder such as `/sys/class/power_supply`.
///
/// Outside power that is on counts before a battery: a weak charger lets the battery discharge too.
/// The batteries of mice and keyboards (`scope` is `Device`) do not count.
#[must_use]
pub fn read(class: &Path) -> Power {
    let Ok(folder) = fs::read_dir(class) else { return Power::Mains };
    let (mut outside, mut plugs, mut batteries, mut discharging) = (false, false, false, false);
    for supply in folder.flatten() {
        let word = |name: &str| {
            let text = fs::read_to_string(supply.path().join(name)).unwrap_or_default();
            text.trim().to_owned()
        };
        if word("scope") == "Device" {
            continue;
        }
        match word("type").as_str() {
            "Battery" | "UPS" => {
                batteries = true;
                discharging |= word("status") == "Discharging";
            }
            "Mains" | "USB" | "Wireless" => {
                plugs = true;
                // 1 is online, 2 is online with a voltage that can be chosen.
                outside |= matches!(word("online").as_str(), "1" | "2");
            }
            _ => {}
        }
    }
    match outside || !batteries {
        true => Power::Mains,
        // Some batteries say "Not charging" or "Unknown" with every plug out.
        false if discharging || plugs => Power::Battery,
        false => Power::Mains,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Supplies as `folder: file=text file=text`.
    fn check(supplies: &[&str], expect: Power) {
        let class = tempfile::tempdir().expect("a folder");
        for supply in supplies {
            let (name, files) = supply.split_once(": ").expect("a name");
            let folder = class.path().join(name);
            fs::create_dir(&folder).expect("new");
            for file in files.split(' ') {
                let (name, text) = file.split_once('=').expect("a text");
                fs::write(folder.join(name), format!("{text}\n")).expect("room");
            }
        }
        assert_eq!(read(class.path()), expect, "{supplies:?}");
    }

    #[test]
    fn mains_or_battery() {
        let (battery, full) =
            ("BAT0: type=Battery status=Discharging", "BAT0: type=Battery status=Full");
        check(&[], Power::Mains);
        check(&["AC: type=Mains online=1"], Power::Mains);
        check(&["AC: type=Mains online=0"], Power::Mains);
        check(&["AC: type=Mains online=1", full], Power::Mains);
        check(&["AC: type=Mains online=0", battery], Power::Battery);
        check(&["AC: type=Mains online=0", full], Power::Battery);
        check(&["AC: type=Mains online=1", battery], Power::Mains);
        check(&["AC: type=Mains online=0", "ucsi: type=USB online=2", battery], Power::Mains);
        check(&[battery], Power::Battery);
        check(&[full], Power::Mains);
        check(&["mouse: type=Battery scope=Device status=Discharging"], Power::Mains);
        check(&["ups: type=UPS status=Discharging"], Power::Battery);
        assert_eq!(read(Path::new("/no/such/folder")), Power::Mains);
    }
}
