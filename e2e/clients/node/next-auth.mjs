// An app with next-auth 4, as its documentation shows. The library has its own pages for
// sign-in and sign-out.
//
// The library is an API route of Next, which is a function of a request and a response. Here
// Express calls it, and adds to them what Next adds; so no build is needed.
import './old-node.mjs';
import { createRequire } from 'node:module';
import express from 'express';
import { settings } from './authjs.mjs';
import { goodbye, page } from './page.mjs';

const require = createRequire(import.meta.url);
const { default: NextAuth, getServerSession } = require('next-auth');
const { default: Cognito } = require('next-auth/providers/cognito');
const { parse } = require('cookie');

const { BASE_URL, PORT } = process.env;
process.env.NEXTAUTH_URL = BASE_URL;

const options = (early) => settings(Cognito, early);

const app = express();
app.use((req, res, next) => {
  req.cookies = parse(req.headers.cookie ?? '');
  next();
});
app.all('/api/auth/*nextauth', express.urlencoded(), (req, res) => {
  const { method, headers, body, cookies } = req;
  return NextAuth({ method, headers, body, cookies, query: { ...req.query, ...req.params } }, res, options());
});

app.get('/', async (req, res) => {
  const session = await getServerSession(req, res, options());
  const links = session
    ? { Refresh: '/refresh', 'Sign out': `/api/auth/signout?callbackUrl=${BASE_URL}/goodbye` }
    : { 'Sign in': `/api/auth/signin?callbackUrl=${BASE_URL}/` };
  res.send(page(session?.claims, links));
});
app.get('/refresh', async (req, res) => {
  await getServerSession(req, res, options(true));
  res.redirect('/');
});
app.get('/goodbye', async (req, res) => res.redirect(await goodbye()));
app.get('/favicon.ico', (req, res) => res.status(204).end());

app.listen(Number(PORT), '127.0.0.1');
