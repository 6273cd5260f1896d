// Compiles libs/core/src/redis/scripts/*.lua into one checked-in TypeScript module, because reading files at run
// time breaks under bundlers. `--check` writes nothing and fails when the module is stale.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'libs/core/src/redis/scripts');
const target = join(root, 'libs/core/src/redis/scripts.generated.ts');

const camelCase = (name) => name.replace(/-+(.)/g, (_, letter) => letter.toUpperCase());

/** What is sent to Redis: the source without comment lines and blank lines. */
function ship(name, source) {
  // A comment line is recognised by its first two characters, which is only right where no string spans lines.
  if (/\[=*\[/.test(source))
    throw new Error(`${name}.lua: long brackets ([[ … ]], --[[ … ]]) are not supported`);
  if (/\\$/m.test(source))
    throw new Error(`${name}.lua: a string continued on the next line is not supported`);
  return source
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '' && !line.trimStart().startsWith('--'))
    .join('\n');
}

function entry(file) {
  const name = file.slice(0, -'.lua'.length);
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) throw new Error(`${file}: a script's name is kebab-case`);
  const lua = ship(name, readFileSync(join(folder, file), 'utf8'));
  const sha1 = createHash('sha1').update(lua).digest('hex');
  const literal = lua.replace(/[\\`]|\$\{/g, '\\$&');
  return `  ${camelCase(name)}: { name: '${name}', sha1: '${sha1}', lua: \`${literal}\` },\n`;
}

async function generate() {
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.lua')) : [];
  if (files.length === 0) return undefined;
  const text = `// Generated from scripts/*.lua: do not edit. Change the .lua file, then run \`npm run generate\`.

export const scripts = {
${files.toSorted().map(entry).join('')}} as const;
`;
  return format(text, { ...(await resolveConfig(target)), parser: 'typescript' });
}

const wanted = await generate();
const found = existsSync(target) ? readFileSync(target, 'utf8') : undefined;
const shown = relative(root, target);

if (wanted === undefined && found === undefined) {
  console.log(`no scripts in ${relative(root, folder)}`);
} else if (process.argv.includes('--check')) {
  if (found !== wanted) {
    console.error(`${shown} is stale: run \`npm run generate\``);
    process.exitCode = 1;
  }
} else if (found !== wanted) {
  if (wanted === undefined) throw new Error(`${shown} exists but there are no scripts: delete it`);
  writeFileSync(target, wanted);
  console.log(`wrote ${shown}`);
}
