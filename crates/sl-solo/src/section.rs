//! The section of the settings file.

use std::{io, path::Path, time::Duration};

use sl_chain::coins::Ticker;
use sl_config::{Secret, SecretError, setting_from_str, settings};

use crate::{NodeSettings, SoloSettings};

setting_from_str! {
    /// A coin by its ticker.
    pub struct CoinName => Ticker, "the ticker of a coin, such as LTC or DOGE";
}

settings! {
    /// One of your coin nodes.
    pub struct NodeSection without Default {
        /// Ticker of its coin.
        restart coin: CoinName,
        /// Address of its RPC, such as http://127.0.0.1:9332.
        restart url: String,
        /// The rpcuser of its configuration.
        restart user: String,
        /// The rpcpassword of its configuration.
        restart password: Secret,
        /// Your address, to which the coin's rewards go.
        live address: String,
    }
}

settings! {
    /// Solo merged mining on your own nodes.
    pub struct SoloSection {
        /// The node whose blocks carry the others; without it nothing is mined solo.
        optional parent: NodeSection,
        /// The nodes that are merge-mined. Where two cannot go together, the later is left out.
        list auxiliaries: NodeSection,
        /// A text in your blocks' coinbase, 28 bytes at most.
        restart tag: String = "/silverlode/",
        /// How long new tips of coins of little value wait, to reach the machines together.
        restart dust_delay: Duration = "20ms" in "0s"..="10s",
        /// How often templates are asked for anew while the tip stands.
        live refresh: Duration = "30s" in "1s"..="10m",
        /// How often a node that cannot wait for a new tip is asked for it.
        live tip_poll: Duration = "100ms" in "5ms"..="10s",
    }
}

impl SoloSection {
    /// The settings with their secrets in the clear; `None` without a parent. `variable` looks up
    /// an environment variable, `read` reads a file, as for [`Secret::resolve`].
    ///
    /// # Errors
    /// A reference that leads to no secret.
    pub fn resolve(
        &self,
        variable: &dyn Fn(&str) -> Option<String>,
        read: &dyn Fn(&Path) -> io::Result<String>,
    ) -> Result<Option<SoloSettings>, SecretError> {
        let node = |section: &NodeSection| {
            Ok(NodeSettings {
                coin: section.coin,
                url: section.url.clone(),
                user: section.user.clone(),
                password: section.password.resolve(variable, read)?.expose().to_owned(),
                address: section.address.clone(),
            })
        };
        let Some(parent) = &self.parent else { return Ok(None) };
        let auxiliaries =
            self.auxiliaries.iter().map(node).collect::<Result<Vec<_>, SecretError>>()?;
        let mut settings = SoloSettings::new(node(parent)?, auxiliaries);
        settings.tag.clone_from(&self.tag);
        settings.dust_delay = self.dust_delay;
        settings.refresh = self.refresh;
        settings.tip_poll = self.tip_poll;
        Ok(Some(settings))
    }
}

#[cfg(test)]
mod tests {
    use sl_config::Layers;

    use super::*;

    settings! {
        /// All settings.
        struct All {
            /// Solo mining.
            section solo: SoloSection,
        }
    }

    #[test]
    fn a_file_becomes_settings() {
        let text = "solo:\n  parent:\n    coin: LTC\n    url: http://127.0.0.1:9332\n    user: farm\n    \
                    password: env:LTC_RPC\n    address: ltc1x\n  auxiliaries:\n    - coin: doge\n      \
                    url: http://127.0.0.1:22555\n      user: farm\n      password: hush\n      \
                    address: D1\n  refresh: 10s\n";
        let layers = Layers::new().file("silverlode.yaml", text);
        let all = sl_config::load(layers).and_then(|loaded| loaded.read::<All>()).expect("good");
        let variable = |name: &str| (name == "LTC_RPC").then(|| "open sesame".to_owned());
        let read = |_: &Path| Err(io::ErrorKind::NotFound.into());
        let settings = all.solo.resolve(&variable, &read).expect("set").expect("a parent");
        assert_eq!(settings.parent.password, "open sesame");
        assert_eq!(settings.auxiliaries[0].coin.as_str(), "DOGE");
        assert_eq!(settings.refresh, Duration::from_secs(10));
        assert_eq!(settings.tag, SoloSettings::new(settings.parent.clone(), vec![]).tag);
        assert!(SoloSection::default().resolve(&variable, &read).expect("nothing").is_none());
        assert!(sl_config::declaration_faults::<SoloSection>().is_empty());
    }
}
