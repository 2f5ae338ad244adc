//! Chains: headers, transactions, merkle trees, AuxPoW, the coin table, addresses, retargets and rewards.
