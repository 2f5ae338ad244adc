//! Proof-of-work algorithms and the engines that compute them: traits, registry, self-test.
