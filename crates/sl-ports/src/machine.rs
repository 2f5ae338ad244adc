//! What this machine offers: processor, memory, limits, disk, timekeeping, programs. Each module is
//! one question to the operating system; what it does not tell is `None`.

pub mod cpu;
pub mod disk;
pub mod energy;
pub mod limits;
pub mod load;
pub mod memory;
pub mod power;
pub mod programs;
pub mod system;
pub mod timekeeping;
pub mod topology;
