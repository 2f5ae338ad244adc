sl_config::settings! {
    /// This machine's own engines.
    pub struct HasherSettings {
        /// Threads that hash; 0 means half of the cores.
        live threads: u16 = 0 in 0..=1024,
        /// Give way to every other program (nice 19).
        restart idle_priority: bool = true,
    }
}

impl HasherSettings {
    /// How many threads that makes on a machine of so many cores.
    #[must_use]
    pub fn threads_of(&self, cpus: usize) -> usize {
        match self.threads {
            0 => cpus.div_ceil(2).max(1),
            threads => usize::from(threads),
        }
    }
}
