// Bundles src/ into build/: `node build.mjs`.
// The sources use require(): Grafana's CommonJS builds are free of default imports that its ES modules get wrong.
import { build } from 'esbuild';

await build({
  entryPoints: ['src/main.jsx'],
  bundle: true,
  outfile: 'build/bundle.js',
  define: { 'process.env.NODE_ENV': '"production"' },
  loader: { '.svg': 'dataurl', '.ttf': 'empty', '.woff': 'empty', '.woff2': 'dataurl' },
  logLevel: 'warning',
});
