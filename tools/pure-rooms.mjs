// `contract` and `policy` decide from what they are given: same input, same answer. So they read neither the clock nor
// chance; both come in as arguments. What they import is dependency-cruiser's business; this looks at what they call.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const rooms = ['libs/core/src/contract', 'libs/core/src/policy'];
const impure = new Set([
  'Date.now',
  'Math.random',
  'performance.now',
  'process.hrtime',
  'crypto.getRandomValues',
]);

function found(node) {
  if (ts.isPropertyAccessExpression(node)) {
    const name = `${node.expression.getText()}.${node.name.text}`.replace(/^globalThis\./, '');
    return impure.has(name) ? name : undefined;
  }
  const isDate = (expression) => ts.isIdentifier(expression) && expression.text === 'Date';
  if (ts.isNewExpression(node) && isDate(node.expression) && !node.arguments?.length) return 'new Date()';
  if (ts.isCallExpression(node) && isDate(node.expression)) return 'Date()';
  return undefined;
}

let count = 0;
for (const room of rooms) {
  if (!existsSync(join(root, room))) throw new Error(`${room} has moved: correct the list of rooms here`);
  for (const name of readdirSync(join(root, room), { recursive: true })) {
    if (!name.endsWith('.ts') || name.endsWith('.spec.ts')) continue;
    const path = join(room, name);
    const source = ts.createSourceFile(
      path,
      readFileSync(join(root, path), 'utf8'),
      ts.ScriptTarget.ES2022,
      true,
    );
    const visit = (node) => {
      const call = found(node);
      if (call !== undefined) {
        const { line } = source.getLineAndCharacterOfPosition(node.getStart());
        console.error(`${path}:${line + 1} uses ${call}: a pure room takes time and chance as arguments`);
        count += 1;
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
}
if (count > 0) process.exitCode = 1;
