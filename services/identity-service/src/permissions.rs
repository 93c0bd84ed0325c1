//! What staff may do, and which roles may do it.

common_auth::permissions! {
    /// Looks at what people give to be verified, and decides about it.
    ReviewKyc = [Compliance, Admin];
}
