import { defineConfig } from 'vitest/config';

/** What users rely on, whatever a queue is kept in: held against a queue of three partitions, too. */
const WHATEVER_IT_IS_KEPT_IN = [
  ...['enqueue', 'deduplication', 'retry', 'dead-letter', 'directives', 'shutdown', 'consumers'],
  ...['inspector', 'lease', 'timeout', 'versions', 'priority', 'promoter', 'recovery'],
].map((name) => `test/integration/${name}.spec.ts`);

export default defineConfig({
  resolve: { tsconfigPaths: true },
  test: {
    environment: 'node',
    pool: 'forks',
    // Most tests wait for Redis, leases and processes rather than for a core.
    maxWorkers: 3,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    coverage: {
      provider: 'v8',
      include: ['libs/*/src/**/*.ts'],
      exclude: ['**/index.ts', '**/*.spec.ts', '**/*.generated.ts'],
    },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['libs/*/src/**/*.spec.ts', 'apps/*/src/**/*.spec.ts', 'benchmarks/**/*.spec.ts'],
        },
      },
      {
        // No global set-up: each file starts its own private server with startRedisServer() from @taskq/testing.
        extends: true,
        test: { name: 'integration', include: ['test/**/*.spec.ts'], exclude: ['test/types/**'] },
      },
      {
        extends: true,
        test: {
          name: 'partitioned',
          include: WHATEVER_IT_IS_KEPT_IN,
          env: { TASKQ_TEST_PARTITIONS: '3' },
        },
      },
    ],
  },
});
