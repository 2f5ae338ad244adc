use sl_config::Secret;

use crate::Endpoint;

sl_config::setting_from_str! {
    /// A pool's address.
    pub struct PoolAddress => Endpoint, "stratum+tcp://HOST:PORT";
}

sl_config::settings! {
    /// A pool to work for.
    pub struct PoolSettings without Default {
        /// Its address.
        restart url: PoolAddress,
        /// Account and worker, as the pool wants them.
        restart user: String,
        /// Password; most pools read none.
        restart password: Secret = "x",
    }
}
