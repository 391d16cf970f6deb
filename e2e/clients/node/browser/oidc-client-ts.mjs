// An app with oidc-client-ts, as its documentation shows. SETTINGS are the issuer and the
// client's id.
import { UserManager } from 'oidc-client-ts';
import { refuse, say, show } from './page.mjs';

const { issuer, clientID } = SETTINGS;
const home = `${location.origin}/`;

const manager = new UserManager({
  authority: issuer,
  client_id: clientID,
  redirect_uri: `${home}callback`,
  popup_redirect_uri: `${home}popup`,
  scope: 'openid email',
  loadUserInfo: true,
  filterProtocolClaims: false, // the page shows all claims, including jti
});

// The library sends a nonce only if the app gives it one.
const nonce = () => ({ nonce: crypto.randomUUID() });

function draw(user) {
  if (!user) {
    show(null, {
      'Sign in': () => manager.signinRedirect(nonce()),
      'Sign in with a popup': async () => draw(await manager.signinPopup(nonce())),
    });
    return;
  }
  show(user.profile, {
    // This uses the refresh token, as the library itself does before the access token expires.
    Refresh: async () => draw(await manager.signinSilent()),
    Revoke: async () => {
      const refreshToken = user.refresh_token;
      await manager.revokeTokens(['refresh_token']); // and removes it
      await manager.storeUser(Object.assign(user, { refresh_token: refreshToken }));
      say('Revoked.');
    },
    // Cognito requires these instead of post_logout_redirect_uri.
    'Sign out': () => manager.signoutRedirect({ extraQueryParams: { client_id: clientID, logout_uri: home } }),
  });
}

async function main() {
  if (location.pathname === '/popup') return manager.signinPopupCallback();
  if (location.pathname === '/callback') {
    await manager.signinRedirectCallback();
    history.replaceState(null, '', home);
  }
  draw(await manager.getUser());
}

main().catch(refuse);
