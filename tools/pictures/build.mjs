// Bundles src/ into build/: `node build.mjs`.
// The sources use require(): Grafana's ES modules have wrong default imports, its CommonJS builds do not.
import { build } from 'esbuild';

await build({
  entryPoints: ['src/main.jsx'],
  bundle: true,
  outfile: 'build/bundle.js',
  define: { 'process.env.NODE_ENV': '"production"' },
  loader: { '.svg': 'dataurl', '.ttf': 'empty', '.woff': 'empty', '.woff2': 'dataurl' },
  logLevel: 'warning',
});
