// Verifies tokens with aws-jwt-verify. It reads one JSON object from standard input, and
// writes the result for each token and verifier: "ok" or the class of the error.
import { text } from 'node:stream/consumers';
import { CognitoJwtVerifier, JwtVerifier } from 'aws-jwt-verify';

const { issuer, jwksUri, jwks, userPoolId, clientId, group, tokens } = JSON.parse(await text(process.stdin));

const plain = (more) => JwtVerifier.create({ issuer, jwksUri, audience: null, ...more });

// cognito gets its keys here; otherwise it would fetch them from AWS.
function cognito(more) {
  const verifier = CognitoJwtVerifier.create({ userPoolId, clientId, tokenUse: null, ...more });
  verifier.cacheJwks(jwks);
  return verifier;
}

const verifiers = {
  jwt: plain(),
  'jwt, audience': plain({ audience: clientId }),
  'jwt, another audience': plain({ audience: 'another' }),
  'jwt, another issuer': plain({ issuer: `${issuer}x` }),
  'id token': cognito({ tokenUse: 'id', groups: group }),
  'access token': cognito({ tokenUse: 'access', groups: group, scope: 'openid' }),
  'another client': cognito({ clientId: 'another' }),
  'another group': cognito({ groups: 'others' }),
  'another scope': cognito({ scope: 'shop/read' }),
  'another pool': cognito({ userPoolId: `${userPoolId}x` }),
};

const results = {};
for (const [kind, verifier] of Object.entries(verifiers)) {
  results[kind] = {};
  for (const [name, token] of Object.entries(tokens)) {
    try {
      await verifier.verify(token);
      results[kind][name] = 'ok';
    } catch (err) {
      results[kind][name] = err.constructor.name;
    }
  }
}
console.log(JSON.stringify(results));
