// Bundles programs of this repository from the sources as they are now, so that they can run as processes of their
// own without a build. Each entry becomes <folder>/<name>.js.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'vite';

/** The thread that renews leases is a file of its own, which is looked for beside the code that starts it. */
const LEASE_THREAD = { 'lease-guard.thread': 'libs/core/src/redis/lease-guard.thread.ts' };

/**
 * Bundles `entries` (name → source file, from `root`) into a new folder inside the project, so that packages are found
 * from there. Answers the folder and how to remove it.
 *
 * @param {Record<string, string>} entries
 * @param {string} [root]
 * @returns {Promise<{ folder: string, remove: () => void }>}
 */
export async function bundle(entries, root = process.cwd()) {
  mkdirSync(join(root, '.cache'), { recursive: true });
  const folder = mkdtempSync(join(root, '.cache', 'bundle-'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    resolve: { tsconfigPaths: true },
    ssr: { external: ['ioredis', 'vite'] },
    build: {
      ssr: true,
      outDir: folder,
      emptyOutDir: false,
      target: 'node20',
      minify: false,
      sourcemap: 'inline',
      rollupOptions: {
        input: Object.fromEntries(
          Object.entries({ ...entries, ...LEASE_THREAD }).map(([name, file]) => [name, resolve(root, file)]),
        ),
        // All in one folder: code that looks for a file beside itself finds it.
        output: { entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' },
      },
    },
  });
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
