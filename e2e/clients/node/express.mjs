// An app with express-openid-connect, as its documentation shows. The pages are those of
// app in clients_test.go; the library serves the sign-in and /logout.
import './old-node.mjs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const express = require('express');
const { auth, requiresAuth } = require('express-openid-connect');

const { ISSUER, CLIENT_ID, CLIENT_SECRET, BASE_URL, PORT } = process.env;

const app = express();
app.use(
  auth({
    authRequired: false,
    issuerBaseURL: ISSUER,
    baseURL: BASE_URL,
    clientID: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    secret: CLIENT_SECRET + CLIENT_SECRET,
    authorizationParams: { response_type: 'code', scope: 'openid email' },
    idpLogout: true,
    // Cognito requires these instead of post_logout_redirect_uri.
    logoutParams: { client_id: CLIENT_ID, logout_uri: `${BASE_URL}/` },
  }),
);

app.get('/', (req, res) => res.send('hello'));
app.get('/hello', requiresAuth(), (req, res) => res.json(req.oidc.idTokenClaims));
app.get('/userinfo', requiresAuth(), async (req, res) => res.json(await req.oidc.fetchUserInfo()));
app.get('/refresh', requiresAuth(), async (req, res) => {
  await req.oidc.accessToken.refresh();
  res.json(req.oidc.idTokenClaims);
});

// The library can't revoke tokens, so this sends RFC 7009's request.
app.get('/revoke', requiresAuth(), async (req, res) => {
  const metadata = await (await fetch(`${ISSUER}/.well-known/openid-configuration`)).json();
  const answer = await fetch(metadata.revocation_endpoint, {
    method: 'POST',
    headers: { Authorization: `Basic ${btoa(`${CLIENT_ID}:${CLIENT_SECRET}`)}` },
    body: new URLSearchParams({ token: req.oidc.refreshToken }),
  });
  res.sendStatus(answer.status);
});

app.use((err, req, res, next) => {
  console.error(err);
  res.status(400).send(err.error ?? err.message);
});

app.listen(Number(PORT), '127.0.0.1');
