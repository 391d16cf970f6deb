// Lets the clients run on Node 18, Debian 12's, as they are: what they expect and newer
// versions have is a global crypto (20) and require() of ES modules (20.19).
import { webcrypto } from 'node:crypto';
import Module from 'node:module';

globalThis.crypto ??= webcrypto;

if (!process.features.require_module) {
  const modules = { jose: await import('jose'), 'openid-client': await import('openid-client') };
  const load = Module._load;
  Module._load = (name, ...rest) => {
    try {
      return load(name, ...rest);
    } catch (err) {
      // next-auth has older ones of its own, which load.
      if (err.code !== 'ERR_REQUIRE_ESM' || !(name in modules)) throw err;
      return modules[name];
    }
  };
}
