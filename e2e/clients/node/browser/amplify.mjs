// An app with Amplify, as its documentation shows. SETTINGS are the pool's id, its domain
// without https, which Amplify adds, and the client's id.
import { Amplify } from 'aws-amplify';
import { fetchAuthSession, signInWithRedirect, signOut } from 'aws-amplify/auth';
import { Hub } from 'aws-amplify/utils';
import { refuse, show } from './page.mjs';

const { poolID, clientID, domain } = SETTINGS;
const home = `${location.origin}/`;

Hub.listen('auth', ({ payload }) => {
  if (payload.event === 'signInWithRedirect') draw().catch(refuse);
  if (payload.event === 'signInWithRedirect_failure') refuse(payload.data.error);
});

Amplify.configure({
  Auth: {
    Cognito: {
      userPoolId: poolID,
      userPoolClientId: clientID,
      // Otherwise Amplify would use Amazon's own endpoints.
      userPoolEndpoint: `https://${domain}/`,
      loginWith: {
        oauth: {
          domain,
          scopes: ['openid', 'email'],
          redirectSignIn: [home],
          redirectSignOut: [home],
          responseType: 'code',
        },
      },
    },
  },
});

async function draw() {
  const { tokens } = await fetchAuthSession();
  show(tokens?.idToken.payload, tokens ? { 'Sign out': () => signOut() } : { 'Sign in': () => signInWithRedirect() });
}

draw().catch(refuse);
