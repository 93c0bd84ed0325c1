"""What schemathesis needs to know of identity-service: who calls.

A fuzzer that may do everything signs itself out, too. So each call is made by somebody who is signed in at that moment: whoever's
token was refused is followed by a new person, registered as any client registers. With FUZZ_ROLE they get that role of staff, by the
command line as an operator gives it.
"""

import itertools
import os
import subprocess
import time

import requests
import schemathesis

BASE = os.environ["IDENTITY_URL"]
# That of the examples in the contract, so that they prove who calls.
PASSWORD = "correct horse battery staple"
ROLE = os.environ.get("FUZZ_ROLE")
# Of seven digits; another run on the same database begins elsewhere.
numbers = itertools.count(int(time.time()) % 9_000 * 1_000)
token = None
ours = set()


def register():
    number = next(numbers)
    email = f"fuzz{number}@example.com"
    answer = requests.post(
        f"{BASE}/api/v1/identity/register",
        json={
            "email": email,
            "phoneNumber": f"+234803{number:07}",
            "password": PASSWORD,
            "firstName": "Ada",
            "lastName": "Example",
        },
        timeout=30,
    )
    answer.raise_for_status()
    if ROLE:
        # A role is in the tokens of those who sign in after they got it.
        grant = [os.environ["FUZZ_IDENTITY"], "users", "grant-role", "--email", email, "--role", ROLE]
        subprocess.run(grant, check=True, timeout=30, stdout=subprocess.DEVNULL)
        answer = requests.post(
            f"{BASE}/api/v1/identity/login", json={"identifier": email, "password": PASSWORD}, timeout=30
        )
        answer.raise_for_status()
    return answer.json()["tokens"]["accessToken"]


def current():
    global token
    if token is None:
        token = f"Bearer {register()}"
        ours.add(token)
    return token


@schemathesis.auth(refresh_interval=None)
class SignedIn:
    def get(self, case, context):
        return current()

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), "Authorization": data}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Many cases are made at once, before the first of them has ended the session of all. One that is to have no token, or a bad one, keeps it."""
    if case.headers and case.headers.get("Authorization") in ours:
        case.headers["Authorization"] = current()


@schemathesis.hook
def after_call(context, case, response):
    global token
    if response.status_code == 401 and response.request.headers.get("Authorization") == token:
        token = None


@schemathesis.hook.apply_to(path="/api/v1/identity/kyc/bvn")
def map_body(context, body):
    """Numbers for which the bank's twin answers.

    It is away for a number that ends in 6, and slow for one that ends in 7, so that 503 is then right; the service's own tests look at that.
    """
    if isinstance(body, dict) and str(body.get("bvn", "")).endswith(("6", "7")):
        body = {**body, "bvn": str(body["bvn"])[:-1] + "1"}
    return body
