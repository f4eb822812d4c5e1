import { readFileSync } from 'node:fs';
import { defineConfig, type Plugin } from 'vite';

/** The notices that the licences of the bundled packages ask for. */
function licences(packages: string[]): Plugin {
  return {
    name: 'licences',
    generateBundle() {
      const source = packages.map((p) => `${p}\n\n${readFileSync(`node_modules/${p}/LICENSE`, 'utf8').trim()}\n`).join('\n----\n\n');
      this.emitFile({ type: 'asset', name: 'licences.txt', source });
    },
  };
}

// The result goes where Go embeds it. Names of assets hold a hash of their
// content, so that the same sources give the same files.
export default defineConfig({
  // Relative addresses: the page also works below a path of a reverse proxy.
  base: './',
  plugins: [licences(['preact', 'uplot'])],
  build: {
    outDir: '../internal/webui/dist',
    emptyOutDir: true,
    assetsDir: 'assets',
    target: 'es2022',
    // No asset becomes a data: URL, and no polyfill an inline script: the
    // Content-Security-Policy forbids both.
    assetsInlineLimit: 0,
    modulePreload: false,
    sourcemap: false,
    reportCompressedSize: false,
  },
  server: {
    // `npm run dev` beside a running collector.
    proxy: { '/api': 'http://localhost:8080', '/health': 'http://localhost:8080' },
  },
});
