//! What a program brings along in place of, or beside, what the settings name.

use std::{fmt, sync::Arc};

use sl_guard::validate::{JsonShape, MessageValidator, Validators, WorkerNames};

use crate::{difficulty::DifficultyManager, settings::ValidatorName};

/// Makes a validator for each connection, so that it may remember something of it, in bounds.
type MakeValidator = Arc<dyn Fn() -> Box<dyn MessageValidator> + Send + Sync>;

/// A program's own difficulty manager and validators.
#[derive(Clone, Default)]
pub(crate) struct Own {
    pub(crate) manager: Option<Arc<dyn DifficultyManager>>,
    pub(crate) validators: Vec<MakeValidator>,
}

impl Own {
    /// The validators of one connection: those that the settings name, then the program's own.
    pub(crate) fn validators(&self, named: &[ValidatorName]) -> Validators {
        let mut all = Validators::default();
        for name in named {
            all.push(match name {
                ValidatorName::JsonShape => Box::new(JsonShape::default()),
                ValidatorName::WorkerNames => Box::new(WorkerNames::default()),
            });
        }
        for make in &self.validators {
            all.push(make());
        }
        all
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Own")
            .field("manager", &self.manager)
            .field("validators", &self.validators.len())
            .finish()
    }
}
