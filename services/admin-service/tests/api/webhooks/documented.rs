//! What docs/webhooks.md tells integrators is so.

use std::{io::Write, process::Stdio};

const PAGE: &str = include_str!("../../../../../docs/webhooks.md");
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const TIMESTAMP: &str = "1614265330";
const BODY: &str = r#"{"test": 2432232314}"#;
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

#[test]
fn the_example_verifies_the_vector_of_the_standard_and_nothing_else() {
    for part in [SECRET, ID, TIMESTAMP, BODY, SIGNATURE] {
        assert!(PAGE.contains(part), "{part}");
    }
    let example = PAGE.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let asked = format!(
        r#"
def asked(secret="{SECRET}", id="{ID}", timestamp="{TIMESTAMP}", body=b'{BODY}', signature="{SIGNATURE}", now={TIMESTAMP}):
    headers = {{"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature}}
    return verify(secret, headers, body, now)
assert asked()
assert asked(now={TIMESTAMP} + 300) and asked(now={TIMESTAMP} - 300)
assert asked(signature="v1,AAAA {SIGNATURE}") and asked(signature="{SIGNATURE} v1a,AAAA")
assert not asked(now={TIMESTAMP} + 301) and not asked(now={TIMESTAMP} - 301)
assert not asked(signature="v1,AAAA")
assert not asked(id="msg_other") and not asked(body=b"{{}}") and not asked(timestamp="1614265331")
assert not asked(secret="whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
assert not asked(now=None), "it is old"
print("verified")
"#
    );
    let mut python = std::process::Command::new("python3")
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is missing: apt-get install python3");
    python.stdin.take().unwrap().write_all(format!("{example}{asked}").as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout, b"verified\n");
}
