//! What the gateway does not understand in the file is an error that names its place.

use gateway::{Config, render};

use crate::support::{KID, published, rendered, signing_key};

/// Changes the rendered file in one place; it must be refused, and the error must name all of `words`.
fn refused(from: &str, to: &str, words: &[&str]) {
    let text = rendered();
    assert!(text.contains(from), "{from}");
    let error = Config::parse(&text.replacen(from, to, 1)).expect_err(to).to_string();
    for word in words {
        assert!(error.contains(word), "{to}: {error}");
    }
}

#[test]
fn the_file_itself_is_understood() {
    assert_eq!(Config::parse(&rendered()).unwrap().services.len(), 9);
}

#[test]
fn unknown_fields_are_named_with_their_place() {
    refused("_format_version: \"3.0\"", "_format_version: \"3.0\"\n_transform: true", &["_transform"]);
    refused("_format_version: \"3.0\"", "_format_version: \"2.1\"", &["_format_version"]);
    refused("    retries: 1", "    retries: 1\n    tls_verify: true", &["services[0]", "tls_verify"]);
    refused(
        "        regex_priority: 10",
        "        regex_priority: 10\n        methods: [GET]",
        &["services[0].routes[0]", "methods"],
    );
    refused(
        "          interval: 5",
        "          interval: 5\n          jitter: 1",
        &["upstreams[0].healthchecks.active.healthy", "jitter"],
    );
    refused(
        "        algorithm: EdDSA",
        "        algorithm: EdDSA\n        secret: x",
        &["consumers[0].jwt_secrets[0].secret"],
    );
    refused(
        "      - target: identity:3001",
        "      - target: identity:3001\n        weight: 5",
        &["upstreams[0].targets[0]", "weight"],
    );
}

#[test]
fn unknown_plugins_and_their_fields_are_named_with_their_place() {
    refused(
        "  - name: prometheus",
        "  - name: bot-detection",
        &["plugins[4] (bot-detection)", "not understood"],
    );
    refused(
        "      echo_downstream: true",
        "      echo_downstream: true\n      x: 1",
        &["plugins[1] (correlation-id).config", "`x`"],
    );
    refused(
        "          minute: 20\n",
        "          minute: 20\n          hour: 20\n",
        &["services[0].plugins[0] (rate-limiting).config", "`hour`"],
    );
    refused(
        "          claims_to_verify: [exp, nbf]\n",
        "          claims_to_verify: [exp, aud]\n",
        &["services[1].plugins[0] (jwt).config", "aud"],
    );
    refused(
        "          claims_to_verify: [exp, nbf]\n",
        "",
        &["services[1].plugins[0] (jwt).config", "claims_to_verify"],
    );
    refused("          uri_param_names: []\n", "", &["services[1].plugins[0] (jwt).config.uri_param_names"]);
    refused(
        "          minute: 20\n          limit_by: ip",
        "          minute: 20\n          limit_by: consumer",
        &["services[0].plugins[0] (rate-limiting).config", "consumer"],
    );
    refused("          minute: 20\n", "          minute: 0\n", &["rate-limiting).config.minute"]);
    refused("          policy: local", "          policy: redis", &["rate-limiting).config.redis"]);
}

#[test]
fn no_other_lua_is_understood() {
    refused("subject or \"none\"", "subject or \"some\"", &["plugins[0] (pre-function).config.access[0]"]);
    refused("#id > 64", "#id > 65", &["plugins[0] (pre-function).config.rewrite[0]"]);
    // The right text in the wrong phase, and a phase that is not understood.
    refused("      rewrite:\n", "      certificate:\n", &["plugins[0] (pre-function).config", "certificate"]);
    let swapped = rendered()
        .replacen("      rewrite:\n", "      later:\n", 1)
        .replacen("      access:\n", "      rewrite:\n", 1)
        .replacen("      later:\n", "      access:\n", 1);
    let error = Config::parse(&swapped).unwrap_err().to_string();
    assert!(error.contains("(pre-function).config.rewrite[0]"), "{error}");
}

#[test]
fn a_function_is_needed_where_the_plugin_is() {
    let text = rendered();
    let (before, rest) = text.split_once("      rewrite:\n").unwrap();
    let (_, after) = rest.split_once("  - name: correlation-id\n").unwrap();
    let bare = format!("{before}      access: []\n  - name: correlation-id\n{after}");
    let error = Config::parse(&bare).unwrap_err().to_string();
    assert!(error.contains("plugins[0] (pre-function).config: a function is needed"), "{error}");
}

#[test]
fn what_is_run_before_the_route_stands_at_the_top() {
    let text = rendered();
    let from = text.find("  - name: pre-function\n").unwrap();
    let to = text.find("  - name: correlation-id\n").unwrap();
    let indented = text[from..to].trim_end().replace('\n', "\n    ");
    let moved = text.replacen("\n    plugins:\n", &format!("\n    plugins:\n    {indented}\n"), 1);
    let error = Config::parse(&moved).unwrap_err().to_string();
    assert!(error.contains("services[0].plugins[0] (pre-function).config.rewrite"), "{error}");
}

#[test]
fn what_kong_would_take_in_a_dangerous_way_is_refused() {
    refused("        - http://127.0.0.1:5173\n", "", &["plugins[2] (cors).config.origins", "every caller"]);
    refused(
        "        - http://127.0.0.1:5173\n",
        "        - http://.*\n",
        &["plugins[2] (cors).config.origins[1]"],
    );
    refused("algorithm: EdDSA", "algorithm: ES256", &["consumers[0].jwt_secrets[0].algorithm"]);
    refused("MCowBQYDK2VwAyEA", "MCowBQYDK2VwAyE", &["consumers[0].jwt_secrets[0].rsa_public_key"]);
    refused("~/api/v1/wallet(/|$)", "~/api/v1/wallet(/|$", &["services[3].routes[0].paths[0]"]);
    refused("~/api/v1/wallet(/|$)", "api/v1/wallet", &["services[3].routes[0].paths[0]"]);
    refused("    host: wallet-service", "    host: nobody", &["services[2].host", "nobody"]);
    refused("  - name: wallet\n", "  - name: identity\n", &["services[3]", "twice"]);
}

#[test]
fn the_file_as_it_lies_there_is_not_usable() {
    let text = std::fs::read_to_string(format!("{}/kong.yml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let error = Config::parse(&text).unwrap_err().to_string();
    assert!(error.contains("rsa_public_key") && error.contains("render.sh"), "{error}");
}

#[test]
fn the_script_takes_public_keys_only() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, pem) in [
        ("private.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        (
            "both.pem",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n-----BEGIN PRIVATE KEY-----\n",
        ),
        ("nothing.pem", "hello\n"),
        ("nameless.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        let error = render::render(gateway, &path).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    assert!(render::render(gateway, &folder.path().join("missing.pem")).is_err());
}

#[test]
fn the_script_puts_redis_in_where_it_is_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    std::fs::write(&key, published(KID, &signing_key())).unwrap();
    let output = std::process::Command::new("sh")
        .args([&format!("{}/render.sh", env!("CARGO_MANIFEST_DIR")), "--redis"])
        .arg(&key)
        .env("REDIS_HOST", "redis")
        .env("REDIS_PASSWORD", "p$1&ss")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("policy: local") && text.contains("password: \"p$1&ss\""), "{text}");
    Config::parse(&text).unwrap();
}
