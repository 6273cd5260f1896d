// Packs each library and reads the tarball as its users will: publint for the manifest, attw for the types.
import { spawnSync } from 'node:child_process';

const bin = (name, args) => {
  const { status } = spawnSync('npx', ['--no-install', name, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
};

for (const name of ['core', 'testing', 'nestjs']) {
  bin('publint', ['--strict', `libs/${name}`]);
  // The packages are ESM only: CommonJS loads them with require(esm), which Node does since 20.19.
  bin('attw', ['--pack', `libs/${name}`, '--ignore-rules', 'cjs-resolves-to-esm']);
}
