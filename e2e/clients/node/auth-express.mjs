// An app with @auth/express, as its documentation shows it. The pages of sign-in and sign-out
// are the library's.
import './old-node.mjs';
import { ExpressAuth, getSession } from '@auth/express';
import Cognito from '@auth/express/providers/cognito';
import express from 'express';
import { goodbye, page, refreshed } from './page.mjs';

const { ISSUER, CLIENT_ID, CLIENT_SECRET, BASE_URL, PORT } = process.env;

// The library leaves it to the app to refresh, when it asks for the session: early does it
// before the time.
const config = (early) => ({
  secret: CLIENT_SECRET,
  trustHost: true,
  providers: [
    Cognito({
      issuer: ISSUER,
      clientId: CLIENT_ID,
      clientSecret: CLIENT_SECRET,
      authorization: { params: { scope: 'openid email' } },
      checks: ['pkce', 'state', 'nonce'],
      style: { logo: 'data:,' }, // instead of one of authjs.dev
    }),
  ],
  callbacks: {
    async jwt({ token, account, profile }) {
      if (account) return { ...token, claims: profile, refreshToken: account.refresh_token };
      return early ? { ...token, ...(await refreshed(token.refreshToken)) } : token;
    },
    session: ({ session, token }) => ({ ...session, claims: token.claims }),
  },
});

const app = express();
app.use('/auth', (req, res, next) => ExpressAuth(config('early' in req.query))(req, res, next));

app.get('/', async (req, res) => {
  const session = await getSession(req, config());
  // The library sets cookies at its own address alone.
  const refresh = "javascript:fetch('/auth/session?early').then(() => location.reload())";
  const links = session
    ? { Refresh: refresh, 'Sign out': `/auth/signout?callbackUrl=${BASE_URL}/goodbye` }
    : { 'Sign in': `/auth/signin?callbackUrl=${BASE_URL}/` };
  res.send(page(session?.claims, links));
});
app.get('/goodbye', async (req, res) => res.redirect(await goodbye()));
app.get('/favicon.ico', (req, res) => res.status(204).end());

app.listen(Number(PORT), '127.0.0.1');
