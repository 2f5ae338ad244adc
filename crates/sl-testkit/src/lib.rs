//! Shared test instruments: recorded data, scripted peers, daemons started for a test.
