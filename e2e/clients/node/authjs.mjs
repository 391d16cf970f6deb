// What the apps with next-auth and @auth/express say to their library, which takes the same.
import { refreshed } from './page.mjs';

const { ISSUER, CLIENT_ID, CLIENT_SECRET } = process.env;

// The library leaves it to the app to refresh, when it asks for the session: early does it
// before the time.
export const settings = (Cognito, early) => ({
  secret: CLIENT_SECRET,
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
