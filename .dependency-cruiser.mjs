// Which room may use which. docs/architecture.md draws it; this is the machine that keeps it.

const room = (...names) => `^libs/core/src/(${names.join('|')})/`;
const others = (...allowed) => `^libs/core/src/(?!(${allowed.join('|')})/)`;
const spec = '\\.spec\\.ts$';
const rule = (name, comment, from, to) => ({ name, severity: 'error', comment, from, to });

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    // Libraries
    rule(
      'core-without-nest',
      'The engine must run where there is no Nest: in a script, in a test, under another framework.',
      { path: '^libs/core/' },
      { path: '(^|node_modules/)@nestjs/|^libs/(nestjs|testing)/' },
    ),
    rule(
      'nestjs-without-testing',
      'What an application runs in production must not carry its test support.',
      { path: '^libs/nestjs/src/' },
      { path: '^libs/testing/' },
    ),
    rule(
      'testing-without-nestjs',
      '@taskq/testing declares only @taskq/core: it must work for users of the engine alone.',
      { path: '^libs/testing/src/' },
      { path: '(^|node_modules/)@nestjs/|^libs/nestjs/' },
    ),
    rule(
      'libs-without-apps',
      'Applications stand on libraries, never the other way round.',
      { path: '^libs/' },
      { path: '^apps/' },
    ),
    rule(
      'benchmarks-measure-and-serve-nobody',
      'What measures the rest must be free to change with every question; only its own tests may lean on it.',
      { path: '^(libs|apps|test)/', pathNot: '^test/benchmarks/' },
      { path: '^benchmarks/' },
    ),
    rule(
      'only-contenders-know-other-queues',
      'Others are measured behind one interface, and installed by the benchmark alone: nothing else may need them.',
      { pathNot: '^benchmarks/contenders/' },
      { path: '(^|node_modules/)(bullmq|groupmq|bee-queue)(/|$)|^benchmarks/contenders/node_modules/' },
    ),
    rule(
      'no-reaching-into-a-library',
      "Another library's src/ and dist/ are its own business: use the package name, so that exports stay the interface.",
      { path: '^(?:libs/([^/]+)|apps|test|benchmarks)/' },
      { path: '^libs/(?!$1/)[^/]+/(src|dist)/', dependencyTypesNot: ['aliased'] },
    ),
    rule(
      'no-reaching-into-a-library-by-name',
      'A package is used through the names it exports, not through a path inside it.',
      {},
      { path: '@taskq/[^/]+/(src|dist)(/|$)' },
    ),
    rule(
      'libs-declare-what-they-import',
      'A library that imports what its package.json does not name breaks at its first user.',
      { path: '^libs/[^/]+/src/', pathNot: spec },
      // An optional peer comes back as both npm-peer and npm-no-pkg.
      { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['npm-peer'] },
    ),
    rule(
      'terminus-only-in-its-entry',
      '@nestjs/terminus is an optional peer: only the ./terminus entry may need it.',
      { path: '^libs/nestjs/src/', pathNot: ['^libs/nestjs/src/terminus/', spec] },
      { path: '(^|node_modules/)@nestjs/terminus|^libs/nestjs/src/terminus/' },
    ),

    // Rooms of the engine
    rule(
      'only-redis-knows-ioredis',
      'The broker is a port. The day another client or an in-memory broker takes its place, only redis/ changes.',
      { path: '^libs/core/src/', pathNot: room('redis') },
      { path: '(^|node_modules/)ioredis' },
    ),
    rule(
      'pure-rooms-do-no-io',
      'contract and policy are decided by their arguments alone, so every rule can be tested without a server or a clock.',
      { path: room('contract', 'policy'), pathNot: spec },
      // A type of node's does nothing by itself.
      { dependencyTypes: ['core'], dependencyTypesNot: ['type-only'], pathNot: '^(node:)?crypto$' },
    ),
    rule(
      'pure-rooms-without-packages',
      'contract and policy are plain code: a package could do I/O or read the clock behind their back.',
      { path: room('contract', 'policy'), pathNot: spec },
      { path: 'node_modules/' },
    ),
    rule(
      'contract-stands-alone',
      'What a task is comes before everything that handles tasks; every room stands on it.',
      { path: room('contract') },
      { path: others('contract') },
    ),
    rule(
      'policy-on-contract',
      'A policy judges tasks; it must not know who asks or where they are kept.',
      { path: room('policy') },
      { path: others('policy', 'contract') },
    ),
    rule(
      'broker-on-contract',
      'The port is written in the words of the contract only, so that any store can stand behind it.',
      { path: room('broker') },
      { path: others('broker', 'contract') },
    ),
    rule(
      'telemetry-only-watches',
      'It announces facts in the words of contract and policy; it must not be able to steer what it watches.',
      { path: room('telemetry') },
      { path: others('telemetry', 'contract', 'policy', 'runtime') },
    ),
    rule(
      'users-of-the-port-not-of-redis',
      'These rooms speak to the broker port; a call past it would work on one broker only.',
      { path: room('producer', 'worker', 'scheduler', 'inspector', 'telemetry', 'broker') },
      { path: room('redis') },
    ),
    rule(
      'redis-is-an-adapter',
      'The adapter implements the port and is called through it; it must not call the rooms that use it.',
      { path: room('redis') },
      { path: room('producer', 'worker', 'scheduler', 'inspector') },
    ),
    rule(
      'runtime-uses-nothing',
      'Clock, service, semaphore and logger are below all rooms; anything they imported would be below all rooms too.',
      { path: room('runtime') },
      { path: others('runtime') },
    ),

    // Everywhere
    rule(
      'no-cycles',
      'Files in a cycle can only be understood, tested and loaded together. Types count: a cycle of types is one of ideas.',
      {},
      { circular: true },
    ),
    rule(
      'no-specs-in-code',
      'What ships must not depend on what tests it.',
      { path: '^(libs|apps)/', pathNot: spec },
      { path: `${spec}|^test/` },
    ),
    rule(
      'everything-resolves',
      'An import that does not resolve is a missing dependency, a typo or a path into a package that does not export it.',
      {},
      { couldNotResolve: true },
    ),
  ],
  options: {
    doNotFollow: { path: ['node_modules'] },
    exclude: { path: ['^dist/', '^libs/[^/]+/dist/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'default', 'node', 'require'],
      mainFields: ['types', 'main'],
    },
  },
};
