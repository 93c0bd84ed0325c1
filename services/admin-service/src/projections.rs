//! The read models of this service: kept by its consumer, made anew by `admin-service projection rebuild`.

use std::sync::LazyLock;

use anyhow::Context;
use common_events::Projection;

use crate::{staff, support};

/// In the order in which a batch of events is written into them.
pub fn all() -> &'static [Projection] {
    static ALL: LazyLock<[Projection; 2]> = LazyLock::new(|| [staff::projection(), support::projection()]);
    &*ALL
}

/// The read model of that name.
pub fn find(name: &str) -> anyhow::Result<&'static Projection> {
    all().iter().find(|projection| projection.name == name).with_context(|| {
        let known: Vec<&str> = all().iter().map(|projection| projection.name).collect();
        format!("there is no read model `{name}`; there are: {}", known.join(", "))
    })
}
