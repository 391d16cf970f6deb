// Serves an app that runs in the browser: the command line names its script in the folder
// browser, which is bundled with its imports. Every address shows the app's page.
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const { PORT, SETTINGS } = process.env;

const { outputFiles } = await build({
  entryPoints: [fileURLToPath(new URL(`browser/${process.argv[2]}.mjs`, import.meta.url))],
  bundle: true,
  write: false,
  format: 'esm',
  define: { SETTINGS },
});
const page = '<!doctype html><title>app</title><link rel="icon" href="data:,"><main></main><script type="module" src="/app.js"></script>';

createServer((req, res) => {
  if (req.url === '/app.js') res.setHeader('Content-Type', 'text/javascript').end(outputFiles[0].text);
  else res.setHeader('Content-Type', 'text/html').end(page);
}).listen(Number(PORT), '127.0.0.1');
