use std::fmt;

use sl_gateway::Gateway;

type Bring = Box<dyn FnOnce(Gateway) -> Gateway + Send>;

/// What a program brings along for its gateway, until that is built.
#[derive(Default)]
pub(super) struct Brought(Vec<Bring>);

impl Brought {
    pub(super) fn push(&mut self, bring: impl FnOnce(Gateway) -> Gateway + Send + 'static) {
        self.0.push(Box::new(bring));
    }

    /// The gateway with all that was brought, in the order in which it was.
    pub(super) fn to(&mut self, gateway: Gateway) -> Gateway {
        self.0.drain(..).fold(gateway, |gateway, bring| bring(gateway))
    }
}

impl fmt::Debug for Brought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Brought({})", self.0.len())
    }
}
