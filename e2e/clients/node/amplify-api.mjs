// Calls an operation of the user pools API by Amplify, and writes the error that it gets.
import { Amplify } from 'aws-amplify';
import { signUp } from 'aws-amplify/auth';

Amplify.configure({
  Auth: {
    Cognito: {
      userPoolId: process.env.POOL_ID, userPoolClientId: process.env.CLIENT_ID, userPoolEndpoint: process.env.POOL_URL,
    },
  },
});

try {
  await signUp({ username: 'eve@example.com', password: 'Correct-Horse-7' });
  process.stdout.write('signed up');
} catch (err) {
  process.stdout.write(`${err.name}: ${err.message}`);
}
