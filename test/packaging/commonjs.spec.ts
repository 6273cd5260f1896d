import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const packages = ['@taskq/core', '@taskq/nestjs', '@taskq/testing'];

interface Packed {
  name: string;
  filename: string;
  files: { path: string }[];
}

/** The tarballs, unpacked where npm would put them, in an application that is not an ES module. Needs `npm run build`. */
describe('the packages as users install them', () => {
  let app: string;
  let packed: Packed[];

  beforeAll(() => {
    app = mkdtempSync(join(tmpdir(), 'taskq-packaging-'));
    const modules = join(app, 'node_modules');
    mkdirSync(modules);

    const workspaces = packages.flatMap((name) => ['--workspace', name]);
    const json = execFileSync('npm', ['pack', '--json', '--pack-destination', app, ...workspaces], {
      cwd: root,
      encoding: 'utf8',
      stdio: 'pipe',
      shell: process.platform === 'win32',
    });
    packed = Object.values(JSON.parse(json) as Record<string, Packed>);

    for (const { name, filename } of packed) {
      const home = join(modules, name);
      mkdirSync(home, { recursive: true });
      execFileSync('tar', ['-xzf', join(app, filename), '-C', home, '--strip-components=1']);
    }
    for (const name of readdirSync(join(root, 'node_modules'))) {
      if (!name.startsWith('.') && name !== '@taskq') {
        symlinkSync(join(root, 'node_modules', name), join(modules, name), 'dir');
      }
    }
  });

  afterAll(() => rmSync(app, { recursive: true, force: true }));

  const run = (file: string, code: string) => {
    writeFileSync(join(app, file), code);
    const { status, stdout, stderr } = spawnSync(process.execPath, [file], { cwd: app, encoding: 'utf8' });
    return { status, stdout: stdout.trim(), stderr: stderr.trim() };
  };

  it('packs all three', () => {
    expect(packed.map(({ name }) => name).toSorted()).toEqual(packages);
  });

  it.each(packages)('%s holds what it needs and no tests', (name) => {
    const paths = packed.find((one) => one.name === name)?.files.map(({ path }) => path) ?? [];
    expect(paths).toEqual(
      expect.arrayContaining(['package.json', 'README.md', 'LICENSE', 'dist/index.js', 'dist/index.d.ts']),
    );
    expect(paths.filter((path) => !/^(dist\/.*|package\.json|README\.md|LICENSE)$/.test(path))).toEqual([]);
    expect(paths.filter((path) => /\.(spec|test|test-d)\.|\.lua$|\.tsbuildinfo$/.test(path))).toEqual([]);
  });

  it('works through require(), without a warning', () => {
    const used = run(
      'app.cjs',
      `require('reflect-metadata');
       const { defineTask } = require('@taskq/core');
       const nestjs = require('@taskq/nestjs');
       const terminus = require('@taskq/nestjs/terminus');
       const { freePort } = require('@taskq/testing');
       freePort().then((port) => {
         console.log(defineTask({ type: 'email.send' }).queue);
         console.log(typeof nestjs.TaskQueueModule.forRootAsync, typeof nestjs.TaskHandler('email.send'));
         console.log(nestjs.defineTask === defineTask, Object.keys(terminus).length > 0, port > 0);
       });`,
    );
    expect(used).toEqual({ status: 0, stdout: 'default\nfunction function\ntrue true true', stderr: '' });
  });

  it('gives require() and import the same classes, so that instanceof holds in a mixed application', () => {
    const loaded = run(
      'mixed.cjs',
      `require('reflect-metadata');
       const names = ${JSON.stringify(packages)};
       Promise.all(names.map(async (name) => [require(name), await import(name)])).then((pairs) => {
         const same = ([required, imported]) => Object.keys(required).every((key) => required[key] === imported[key]);
         console.log(pairs.every(same));
       });`,
    );
    expect(loaded).toEqual({ status: 0, stdout: 'true', stderr: '' });
  });
});
