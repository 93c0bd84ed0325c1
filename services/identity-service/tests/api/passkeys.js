// What a page does with passkeys. `docs/sign-in.md` tells of it; the tests run it in Chromium.

async function post(path, body, token) {
  const headers = { 'content-type': 'application/json' };
  if (token) headers.authorization = `Bearer ${token}`;
  const request = { method: 'POST', headers, body: JSON.stringify(body) };
  const response = await fetch(`/api/v1/identity${path}`, request);
  const answer = await response.json();
  if (!response.ok) throw new Error(`${response.status} ${answer.code}`);
  return answer;
}

// `currentPassword` of who has no second factor yet.
async function registerPasskey(token, name, currentPassword) {
  const { ceremonyId, publicKey } = await post('/passkeys/register/start', { currentPassword }, token);
  const options = PublicKeyCredential.parseCreationOptionsFromJSON(publicKey);
  const credential = await navigator.credentials.create({ publicKey: options });
  return post('/passkeys/register/finish', { ceremonyId, name, credential }, token);
}

// `what` is `sign-in`, or with a token `step-up`.
async function usePasskey(what, token) {
  const { ceremonyId, publicKey } = await post(`/passkeys/${what}/start`, {}, token);
  const options = PublicKeyCredential.parseRequestOptionsFromJSON(publicKey);
  const credential = await navigator.credentials.get({ publicKey: options });
  return post(`/passkeys/${what}/finish`, { ceremonyId, credential }, token);
}
