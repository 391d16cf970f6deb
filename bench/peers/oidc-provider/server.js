// node oidc-provider as its documentation shows, with JWTs as access tokens, as a user pool
// has, and without rotation of refresh tokens.
import { generateKeyPairSync } from "node:crypto";
import { Provider } from "oidc-provider";

const { PORT, ISSUER, CLIENT_ID, CLIENT_SECRET, CALLBACK } = process.env;
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const resource = "urn:bench:api";

const provider = new Provider(ISSUER, {
  clients: [{
    client_id: CLIENT_ID,
    client_secret: CLIENT_SECRET,
    redirect_uris: [CALLBACK],
    grant_types: ["authorization_code", "refresh_token"],
  }],
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: "1" }] },
  cookies: { keys: ["only a benchmark"] },
  scopes: ["openid", "email", "offline_access"],
  claims: { openid: ["sub"], email: ["email", "email_verified"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: "ann@example.com", email_verified: true }),
  }),
  rotateRefreshToken: false,
  issueRefreshToken: () => true,
  ttl: { AccessToken: 3600, IdToken: 3600, RefreshToken: 86400, Grant: 86400, Session: 86400, Interaction: 3600 },
  features: {
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: "openid email", audience: resource, accessTokenFormat: "jwt", jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
});
provider.listen(Number(PORT), "127.0.0.1");
