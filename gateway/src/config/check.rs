//! What entities say about each other: names are unique, hosts are upstreams, keys are keys, paths are paths, and a
//! plugin stands where it works.

use std::collections::HashSet;

use super::{Config, ConfigError, PluginConfig};
use crate::{
    plugins::{jwt, pre_function::Phase},
    routing,
};

type Checked = Result<(), ConfigError>;

pub(super) fn check(config: &Config) -> Checked {
    names(config)?;
    hosts(config)?;
    paths(config)?;
    keys(config)?;
    plugins(config)
}

fn unique<'a>(kind: &str, names: impl Iterator<Item = &'a str>) -> Checked {
    let mut seen = HashSet::new();
    for (at, name) in names.enumerate() {
        if !seen.insert(name) {
            return Err(ConfigError::at(format!("{kind}[{at}]"), format!("{name:?} is there twice")));
        }
    }
    Ok(())
}

fn names(config: &Config) -> Checked {
    unique("services", config.services.iter().map(|service| service.name.as_str()))?;
    let routes = config.services.iter().flat_map(|service| &service.routes);
    unique("routes", routes.map(|route| route.name.as_str()))?;
    unique("upstreams", config.upstreams.iter().map(|upstream| upstream.name.as_str()))?;
    unique("consumers", config.consumers.iter().map(|consumer| consumer.username.as_str()))?;
    let credentials = config.consumers.iter().flat_map(|consumer| &consumer.credentials);
    unique("jwt_secrets", credentials.map(|credential| credential.key.as_str()))
}

fn hosts(config: &Config) -> Checked {
    for (at, service) in config.services.iter().enumerate() {
        if !config.upstreams.iter().any(|upstream| upstream.name == service.host) {
            let why = format!("{:?} is the name of no upstream", service.host);
            return Err(ConfigError::at(format!("services[{at}].host"), why));
        }
    }
    for (at, upstream) in config.upstreams.iter().enumerate() {
        if upstream.targets.is_empty() {
            return Err(ConfigError::at(format!("upstreams[{at}].targets"), "there is none"));
        }
        for (target_at, target) in upstream.targets.iter().enumerate() {
            if target.parse::<http::uri::Authority>().is_err() {
                let place = format!("upstreams[{at}].targets[{target_at}]");
                return Err(ConfigError::at(place, "is no host:port"));
            }
        }
    }
    Ok(())
}

fn paths(config: &Config) -> Checked {
    for (at, service) in config.services.iter().enumerate() {
        if service.path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            return Err(ConfigError::at(format!("services[{at}].path"), "must start with /"));
        }
        for (route_at, route) in service.routes.iter().enumerate() {
            let place = format!("services[{at}].routes[{route_at}].paths");
            if route.paths.is_empty() {
                return Err(ConfigError::at(place, "there is none: such a route takes every call"));
            }
            for (path_at, path) in route.paths.iter().enumerate() {
                let place = format!("{place}[{path_at}]");
                routing::Pattern::parse(path).map_err(|why| ConfigError::at(place, why))?;
            }
        }
    }
    Ok(())
}

fn keys(config: &Config) -> Checked {
    for (at, consumer) in config.consumers.iter().enumerate() {
        for (credential_at, credential) in consumer.credentials.iter().enumerate() {
            let place = format!("consumers[{at}].jwt_secrets[{credential_at}]");
            jwt::Key::of(credential)
                .map_err(|(field, why)| ConfigError::at(format!("{place}.{field}"), why))?;
        }
    }
    Ok(())
}

fn plugins(config: &Config) -> Checked {
    once("plugins", &config.plugins)?;
    for (at, service) in config.services.iter().enumerate() {
        let place = format!("services[{at}]");
        closer(&format!("{place}.plugins"), &service.plugins)?;
        for (route_at, route) in service.routes.iter().enumerate() {
            closer(&format!("{place}.routes[{route_at}].plugins"), &route.plugins)?;
        }
    }
    Ok(())
}

fn once(place: &str, plugins: &[PluginConfig]) -> Checked {
    let mut seen = HashSet::new();
    let twice = plugins.iter().any(|plugin| !seen.insert(std::mem::discriminant(plugin)));
    if twice { Err(ConfigError::at(place, "one plugin is there twice")) } else { Ok(()) }
}

/// Plugins of a service or a route.
fn closer(place: &str, plugins: &[PluginConfig]) -> Checked {
    let early =
        |plugin: &PluginConfig| matches!(plugin, PluginConfig::PreFunction(all) if all.has(Phase::Rewrite));
    if let Some(at) = plugins.iter().position(early) {
        let why = "rewrite is run before a route is known, so for global plugins only";
        return Err(ConfigError::at(format!("{place}[{at}] (pre-function).config.rewrite"), why));
    }
    once(place, plugins)
}
