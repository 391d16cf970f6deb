// The configuration that the apps with next-auth and @auth/express give to their library.
import { refreshed } from './page.mjs';

const { ISSUER, CLIENT_ID, CLIENT_SECRET } = process.env;

// The app itself has to refresh tokens, when it asks for the session; early refreshes them
// before they expire.
export const settings = (Cognito, early) => ({
  secret: CLIENT_SECRET,
  providers: [
    Cognito({
      issuer: ISSUER,
      clientId: CLIENT_ID,
      clientSecret: CLIENT_SECRET,
      authorization: { params: { scope: 'openid email' } },
      checks: ['pkce', 'state', 'nonce'],
      style: { logo: 'data:,' }, // instead of a logo from authjs.dev
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
