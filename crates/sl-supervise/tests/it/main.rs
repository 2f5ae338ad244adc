//! The public contract of `sl-supervise`, on tokio's paused clock.

#[cfg(test)]
mod failure;
#[cfg(test)]
mod order;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod stop;
#[cfg(test)]
mod watch;
