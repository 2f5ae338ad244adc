use std::{net::Ipv4Addr, sync::Arc};

use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Look, Order};
use crate::{
    conf::Command,
    machine::{Applied, Machine},
    readings::Readings,
};

/// The farm does not run any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the machine is gone: its farm does not run any more")]
pub struct Gone;

/// One machine of a farm, for whoever reads it and tells it what to do. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MachineHandle {
    machine: usize,
    ip: Ipv4Addr,
    readings: watch::Receiver<Arc<Readings>>,
    orders: mpsc::Sender<Order>,
}

impl MachineHandle {
    pub(super) const fn new(
        machine: usize,
        ip: Ipv4Addr,
        readings: watch::Receiver<Arc<Readings>>,
        orders: mpsc::Sender<Order>,
    ) -> Self {
        Self { machine, ip, readings, orders }
    }

    /// Its place in the farm, from 0.
    #[must_use]
    pub const fn place(&self) -> usize {
        self.machine
    }

    /// The address that it answers at.
    #[must_use]
    pub const fn ip(&self) -> Ipv4Addr {
        self.ip
    }

    /// What it shows now; made anew each second and after each command.
    #[must_use]
    pub fn readings(&self) -> Arc<Readings> {
        self.readings.borrow().clone()
    }

    /// Waits until what it shows has been made anew.
    ///
    /// # Errors
    /// [`Gone`]
    pub async fn changed(&mut self) -> Result<Arc<Readings>, Gone> {
        self.readings.changed().await.map_err(|_| Gone)?;
        Ok(self.readings.borrow_and_update().clone())
    }

    /// Tells the machine to do something; afterwards [`readings`](Self::readings) shows it.
    ///
    /// # Errors
    /// [`Gone`]
    pub async fn command(&self, command: Command) -> Result<Applied, Gone> {
        let (done, applied) = oneshot::channel();
        let order = Order::Command { machine: self.machine, command, done };
        self.orders.send(order).await.map_err(|_| Gone)?;
        applied.await.map_err(|_| Gone)
    }

    /// Looks at more of the machine than its readings: the log, the chart, the login.
    ///
    /// # Errors
    /// [`Gone`]
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Machine) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (say, seen) = oneshot::channel();
        let look = Look(Box::new(move |machine| {
            let _nobody_waits = say.send(look(machine));
        }));
        let order = Order::Look { machine: self.machine, look };
        self.orders.send(order).await.map_err(|_| Gone)?;
        seen.await.map_err(|_| Gone)
    }
}
