//! The life of services: order, readiness, health, restart, stop.
