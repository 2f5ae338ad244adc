//! The nouns of the flow: job, lease, share, verdict, and the one function that proves a share.
