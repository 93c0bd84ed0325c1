//! Gives the call a correlation id, unless the client brought one: that is taken over as it is. `offered_id`
//! has been before and left only what the services take over. The client gets the id back where the plugin echoes.

use http::{HeaderMap, HeaderValue};

use crate::{
    call::{Call, random_uuid},
    config::CorrelationIdConfig,
};

pub(crate) fn access(config: &CorrelationIdConfig, call: &mut Call, headers: &mut HeaderMap) {
    let name = &config.header_name.0;
    let offered = headers.get(name).filter(|value| !value.is_empty()).cloned();
    let id = offered.or_else(|| HeaderValue::from_str(&random_uuid()).ok());
    if let Some(id) = &id {
        headers.insert(name, id.clone());
    }
    call.correlation_id = id;
}

pub(crate) fn header_filter(config: &CorrelationIdConfig, call: &Call, headers: &mut HeaderMap) {
    if let (true, Some(id)) = (config.echo_downstream, &call.correlation_id) {
        headers.insert(&config.header_name.0, id.clone());
    }
}
