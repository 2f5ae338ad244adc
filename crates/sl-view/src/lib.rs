//! The one serialisable state tree.
