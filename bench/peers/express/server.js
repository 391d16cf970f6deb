// The benchmark's page behind express-openid-connect, as its documentation shows. The
// issuer, the client and the secret come from the environment (ISSUER_BASE_URL and so on).
const express = require('express');
const { auth, requiresAuth } = require('express-openid-connect');

const hello = (req, res) => res.type('text/plain').send('hello\n');

const app = express();
app.get('/public', hello);
app.use(
  auth({
    authRequired: false,
    authorizationParams: { response_type: 'code', scope: 'openid email' },
  }),
);
app.get('/hello', requiresAuth(), hello);
app.listen(Number(process.env.PORT), '127.0.0.1');
