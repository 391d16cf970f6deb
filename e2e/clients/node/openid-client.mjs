// An app with openid-client, as its documentation shows. The pages are those of app in
// clients_test.go. There is one visitor at a time; the visitor with the cookie has the session.
import './old-node.mjs';
import { createServer } from 'node:http';
import * as client from 'openid-client';

const { ISSUER, CLIENT_ID, CLIENT_SECRET, BASE_URL, PORT } = process.env;
const redirect_uri = `${BASE_URL}/callback`;

const config = await client.discovery(new URL(ISSUER), CLIENT_ID, CLIENT_SECRET, undefined, {
  // The first is for http on this machine. The second verifies the signature of ID tokens;
  // otherwise the library trusts them because of the TLS connection.
  execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
});

const sessions = new Map();

async function login(session) {
  session.state = client.randomState();
  session.nonce = client.randomNonce();
  session.verifier = client.randomPKCECodeVerifier();
  return client.buildAuthorizationUrl(config, {
    redirect_uri,
    scope: 'openid email',
    state: session.state,
    nonce: session.nonce,
    code_challenge: await client.calculatePKCECodeChallenge(session.verifier),
    code_challenge_method: 'S256',
  });
}

async function callback(session, url) {
  session.tokens = await client.authorizationCodeGrant(config, url, {
    pkceCodeVerifier: session.verifier,
    expectedState: session.state,
    expectedNonce: session.nonce,
    idTokenExpected: true,
  });
  session.refresh = session.tokens.refresh_token;
  return new URL('/hello', BASE_URL);
}

// page returns an address to redirect to, or the text of the page.
async function page(session, url) {
  switch (url.pathname) {
    case '/':
      return 'hello';
    case '/callback':
      return callback(session, url);
    case '/hello':
      return session.tokens ? session.tokens.claims() : login(session);
    case '/userinfo':
      return client.fetchUserInfo(config, session.tokens.access_token, session.tokens.claims().sub);
    case '/refresh':
      session.tokens = await client.refreshTokenGrant(config, session.refresh);
      return session.tokens.claims();
    case '/revoke':
      await client.tokenRevocation(config, session.refresh, { token_type_hint: 'refresh_token' });
      return 'revoked';
    case '/logout':
      delete session.tokens;
      return client.buildEndSessionUrl(config, { logout_uri: `${BASE_URL}/` });
  }
}

createServer(async (req, res) => {
  const id = /session=([^;]+)/.exec(req.headers.cookie)?.[1] ?? client.randomState();
  if (!sessions.has(id)) sessions.set(id, {});
  res.setHeader('Set-Cookie', `session=${id}; Path=/; HttpOnly`);
  try {
    const answer = await page(sessions.get(id), new URL(req.url, BASE_URL));
    if (answer instanceof URL) res.writeHead(302, { Location: answer.href }).end();
    else res.end(JSON.stringify(answer));
  } catch (err) {
    console.error(err);
    res.writeHead(400).end(err.error ?? err.code ?? err.message);
  }
}).listen(Number(PORT), '127.0.0.1');
