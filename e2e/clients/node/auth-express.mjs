// An app with @auth/express, as its documentation shows. The library has its own pages for
// sign-in and sign-out.
import './old-node.mjs';
import { ExpressAuth, getSession } from '@auth/express';
import Cognito from '@auth/express/providers/cognito';
import express from 'express';
import { settings } from './authjs.mjs';
import { goodbye, page } from './page.mjs';

const { BASE_URL, PORT } = process.env;

const config = (early) => ({ ...settings(Cognito, early), trustHost: true });

const app = express();
app.use('/auth', (req, res, next) => ExpressAuth(config('early' in req.query))(req, res, next));

app.get('/', async (req, res) => {
  const session = await getSession(req, config());
  // The library sets cookies only at its own address.
  const refresh = "javascript:fetch('/auth/session?early').then(() => location.reload())";
  const links = session
    ? { Refresh: refresh, 'Sign out': `/auth/signout?callbackUrl=${BASE_URL}/goodbye` }
    : { 'Sign in': `/auth/signin?callbackUrl=${BASE_URL}/` };
  res.send(page(session?.claims, links));
});
app.get('/goodbye', async (req, res) => res.redirect(await goodbye()));
app.get('/favicon.ico', (req, res) => res.status(204).end());

app.listen(Number(PORT), '127.0.0.1');
