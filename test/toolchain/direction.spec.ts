import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** For every rule, an import that breaks it. A pattern that no longer matches anything would pass in silence. */
const breaches: Record<string, [file: string, imports: string]> = {
  'core-without-nest': ['libs/core/src/worker/nest.ts', '@nestjs/common'],
  'nestjs-without-testing': ['libs/nestjs/src/testing.ts', '@taskq/testing'],
  'testing-without-nestjs': ['libs/testing/src/nestjs.ts', '@taskq/nestjs'],
  'libs-without-apps': ['libs/core/src/worker/app.ts', '../../../../apps/sample/src/main.js'],
  'benchmarks-measure-and-serve-nobody': ['apps/sample/src/measured.ts', '../../../benchmarks/main.js'],
  'only-contenders-know-other-queues': ['benchmarks/run/foreign.ts', 'bullmq'],
  'no-reaching-into-a-library': ['libs/nestjs/src/reaching.ts', '../../core/src/index.js'],
  'no-reaching-into-a-library-by-name': ['apps/sample/src/reaching.ts', '@taskq/core/src/index.js'],
  'libs-declare-what-they-import': ['libs/core/src/worker/undeclared.ts', 'zod'],
  'terminus-only-in-its-entry': ['libs/nestjs/src/health.ts', '@nestjs/terminus'],
  'only-redis-knows-ioredis': ['libs/core/src/worker/ioredis.ts', 'ioredis'],
  'pure-rooms-do-no-io': ['libs/core/src/policy/io.ts', 'node:fs'],
  'pure-rooms-without-packages': ['libs/core/src/contract/package.ts', 'zod'],
  'contract-stands-alone': ['libs/core/src/contract/clock.ts', '../runtime/free.js'],
  'policy-on-contract': ['libs/core/src/policy/clock.ts', '../runtime/free.js'],
  'broker-on-contract': ['libs/core/src/broker/policy.ts', '../policy/free.js'],
  'telemetry-only-watches': ['libs/core/src/telemetry/worker.ts', '../worker/free.js'],
  'users-of-the-port-not-of-redis': ['libs/core/src/producer/redis.ts', '../redis/free.js'],
  'redis-is-an-adapter': ['libs/core/src/redis/worker.ts', '../worker/free.js'],
  'runtime-uses-nothing': ['libs/core/src/runtime/contract.ts', '../contract/free.js'],
  'no-cycles': ['libs/core/src/worker/cycle.ts', './free.js'],
  'no-specs-in-code': ['libs/core/src/worker/shipped.ts', './free.spec.js'],
  'everything-resolves': ['libs/core/src/worker/missing.ts', './nowhere.js'],
};

const innocent: Record<string, string> = {
  'libs/core/src/index.ts': `export * from './worker/task.js';`,
  'libs/core/src/worker/task.ts': `import '../broker/free.js'; import '../policy/free.js'; import 'node:fs'; export {};`,
  'libs/core/src/worker/free.ts': `import type {} from './cycle.js'; export {};`,
  'libs/core/src/worker/free.spec.ts': `import 'vitest';`,
  'libs/core/src/redis/client.ts': `import 'ioredis'; import '../broker/free.js'; export {};`,
  'libs/core/src/policy/hash.ts': `import 'node:crypto'; import '../contract/free.js'; export {};`,
  'libs/nestjs/src/index.ts': `import '@taskq/core'; import '@nestjs/common'; export {};`,
  'libs/nestjs/src/terminus/index.ts': `import '@nestjs/terminus'; export {};`,
  'libs/testing/src/index.ts': `import '@taskq/core'; export {};`,
  'apps/sample/src/main.ts': `import '@taskq/core'; import '@taskq/nestjs/terminus'; export {};`,
  'benchmarks/main.ts': `import '@taskq/core'; import '@taskq/testing'; import 'ioredis'; export {};`,
  'test/benchmarks/some.spec.ts': `import '../../benchmarks/main.js';`,
  'test/some.spec.ts': `import 'vitest'; import '@taskq/testing';`,
};

interface Violation {
  from: string;
  rule: { name: string };
}

describe('the directions between rooms', () => {
  let copy: string;
  let violations: Violation[];

  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    writeFileSync(join(copy, file), `${text}\n`);
  };

  beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), 'taskq-direction-'));
    for (const file of ['.dependency-cruiser.mjs', 'tsconfig.json', 'package.json']) {
      cpSync(join(root, file), join(copy, file));
    }
    for (const home of ['libs/core', 'libs/nestjs', 'libs/testing', 'apps/sample']) {
      cpSync(join(root, home, 'package.json'), join(copy, home, 'package.json'));
    }
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'dir');
    for (const name of ['contract', 'policy', 'broker', 'redis', 'runtime', 'worker']) {
      write(`libs/core/src/${name}/free.ts`, 'export {};');
    }
    for (const [file, text] of Object.entries(innocent)) write(file, text);
    for (const [file, imports] of Object.values(breaches)) write(file, `import '${imports}';\nexport {};`);

    const cruiser = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
    const args = [
      'libs',
      'apps',
      'test',
      'benchmarks',
      '--config',
      '.dependency-cruiser.mjs',
      '--output-type',
      'json',
    ];
    const { stdout, stderr } = spawnSync(process.execPath, [cruiser, ...args], {
      cwd: copy,
      encoding: 'utf8',
    });
    if (!stdout) throw new Error(stderr);
    violations = (JSON.parse(stdout) as { summary: { violations: Violation[] } }).summary.violations;
  });

  afterAll(() => rmSync(copy, { recursive: true, force: true }));

  it.each(Object.entries(breaches))('%s', (name, [file]) => {
    expect(violations.filter(({ rule }) => rule.name === name).map(({ from }) => from)).toContain(file);
  });

  it('covers every rule', async () => {
    const { default: config } = (await import(join(root, '.dependency-cruiser.mjs'))) as {
      default: { forbidden: { name: string; comment: string }[] };
    };
    expect(config.forbidden.map(({ name }) => name).toSorted()).toEqual(Object.keys(breaches).toSorted());
    expect(config.forbidden.every(({ comment }) => comment.length > 20)).toBe(true);
  });

  it('leaves allowed imports alone', () => {
    const guilty = new Set(Object.values(breaches).map(([file]) => file));
    // A cycle is reported at one of its files only, so it says nothing about the others.
    const wrong = violations.filter(({ from, rule }) => !guilty.has(from) && rule.name !== 'no-cycles');
    expect(wrong.map(({ from, rule }) => `${from}: ${rule.name}`)).toEqual([]);
  });
});
