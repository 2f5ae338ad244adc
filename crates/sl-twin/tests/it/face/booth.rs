//! A machine that stands still: it shows what it is given and remembers what it is told.

use std::sync::{Arc, Mutex};

use sl_twin::face::{Host, Look, Want};
use sl_twin::{Command, Readings};

pub(super) struct Booth {
    look: Mutex<Look>,
    told: Mutex<Vec<Command>>,
    wanted: Mutex<Vec<Want>>,
}

impl Booth {
    pub(super) fn new(look: Look) -> Self {
        Self { look: Mutex::new(look), told: Mutex::default(), wanted: Mutex::default() }
    }

    /// Shows something else from now on.
    pub(super) fn change(&self, change: impl FnOnce(&mut Readings)) {
        let mut look = self.look.lock().expect("nobody panics with it");
        change(Arc::make_mut(&mut look.readings));
    }

    /// Has another digest secret from now on.
    pub(super) fn lock(&self, secret: String) {
        self.look.lock().expect("nobody panics with it").login = Some(secret);
    }

    /// What it was looked at for, since it was last asked.
    pub(super) fn wanted(&self) -> Vec<Want> {
        std::mem::take(&mut self.wanted.lock().expect("nobody panics with it"))
    }

    pub(super) fn told(&self) -> Vec<Command> {
        std::mem::take(&mut self.told.lock().expect("nobody panics with it"))
    }
}

impl Host for Booth {
    async fn look(&self, want: Want) -> Option<Look> {
        self.wanted.lock().expect("nobody panics with it").push(want);
        let mut look = self.look.lock().expect("nobody panics with it").clone();
        if want != Want::Log {
            look.log.clear();
        }
        if want != Want::Chart {
            look.chart.clear();
        }
        Some(look)
    }

    async fn tell(&self, command: Command) {
        if let Command::Passwd(secret) = &command {
            self.look.lock().expect("nobody panics with it").login = Some(secret.clone());
        }
        self.told.lock().expect("nobody panics with it").push(command);
    }
}
