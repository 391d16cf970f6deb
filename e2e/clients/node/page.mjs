// The page of an app on a server. See webApp in chromium_test.go.

// page shows the claims of the ID token if somebody is signed in, and links to the actions.
export function page(claims, links) {
  const text = claims ? JSON.stringify(claims).replaceAll('<', '\\u003c') : 'Nobody is signed in.';
  const anchors = Object.entries(links).map(([name, href]) => `<a href="${href}">${name}</a>`);
  return `<!doctype html><title>app</title><pre>${text}</pre>${anchors.join(' ')}`;
}

// refreshed replaces the old tokens by those of a refresh. There is a new refresh token only
// if the pool rotates them.
export async function refreshed(refreshToken) {
  const { ISSUER, CLIENT_ID, CLIENT_SECRET } = process.env;
  const metadata = await (await fetch(`${ISSUER}/.well-known/openid-configuration`)).json();
  const answer = await fetch(metadata.token_endpoint, {
    method: 'POST',
    headers: { Authorization: `Basic ${btoa(`${CLIENT_ID}:${CLIENT_SECRET}`)}` },
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken }),
  });
  const tokens = await answer.json();
  if (!answer.ok) throw new Error(tokens.error);
  const claims = JSON.parse(Buffer.from(tokens.id_token.split('.')[1], 'base64url'));
  return { claims, refreshToken: tokens.refresh_token ?? refreshToken };
}

// goodbye is the address of Cognito's logout endpoint, which ends the pool's own session.
export async function goodbye() {
  const { ISSUER, CLIENT_ID, BASE_URL } = process.env;
  const metadata = await (await fetch(`${ISSUER}/.well-known/openid-configuration`)).json();
  return `${metadata.end_session_endpoint}?${new URLSearchParams({ client_id: CLIENT_ID, logout_uri: `${BASE_URL}/` })}`;
}
