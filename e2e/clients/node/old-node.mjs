// Lets the unchanged clients run on Node 18, the version of Debian 12. They expect a global
// crypto (Node 20) and require() of ES modules (Node 20.19).
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
      // next-auth has its own older versions, which can be loaded.
      if (err.code !== 'ERR_REQUIRE_ESM' || !(name in modules)) throw err;
      return modules[name];
    }
  };
}
