//! Settings in layers with their origins and places; knows no setting.
