import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** A block of code between fences. */
export interface CodeBlock {
  /** Path of the document from {@link root}. */
  readonly document: string;
  /** Line of its first line of code, from 1. */
  readonly line: number;
  /** What stands behind the opening fence. */
  readonly language: string;
  readonly code: string;
}

/** A table under a heading: the cells of its rows by column. */
export interface Table {
  readonly heading: string;
  readonly columns: readonly string[];
  readonly rows: readonly Readonly<Record<string, string>>[];
}

/** Text of a file of the repository. */
export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** The documents whose code is compiled. */
export function documents(): readonly string[] {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' });
  return [
    'README.md',
    ...['core', 'nestjs', 'testing'].map((lib) => `libs/${lib}/README.md`),
    ...docs.filter((path) => path.endsWith('.md')).map((path) => `docs/${path}`),
  ].toSorted();
}

/** Every Markdown file of the repository. */
export function markdownFiles(): readonly string[] {
  const libraries = readdirSync(join(root, 'libs')).map((library) => `libs/${library}/README.md`);
  return [...documents(), 'CONTRIBUTING.md', 'CHANGELOG.md', ...libraries];
}

/** Every block of code of a document. */
export function codeBlocks(document: string): readonly CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { line: number; language: string; code: string[] } | undefined;
  for (const [index, text] of read(document).split('\n').entries()) {
    const fence = /^\s*```(.*)$/.exec(text)?.[1];
    if (fence === undefined) open?.code.push(text);
    else if (!open) open = { line: index + 2, language: fence.trim(), code: [] };
    else {
      blocks.push({ document, line: open.line, language: open.language, code: open.code.join('\n') });
      open = undefined;
    }
  }
  if (open) throw new Error(`${document}:${open.line} opens a block of code that nothing closes`);
  return blocks;
}

/** Lines of a document outside of blocks of code, by number from 1. */
export function proseLines(document: string): readonly { readonly line: number; readonly text: string }[] {
  let inside = false;
  return read(document)
    .split('\n')
    .map((text, index) => {
      const fence = /^\s*```/.test(text);
      if (fence) inside = !inside;
      return { line: index + 1, text: fence || inside ? '' : text };
    });
}

/** Every table of a document, in order. */
export function tables(document: string): readonly Table[] {
  const found: { heading: string; columns: string[]; rows: Record<string, string>[] }[] = [];
  let heading = '';
  let current: (typeof found)[number] | undefined;
  for (const { text } of proseLines(document)) {
    const title = /^#+ (.*)$/.exec(text)?.[1];
    if (title !== undefined) heading = title;
    if (!text.startsWith('|')) current = undefined;
    else if (!current) found.push((current = { heading, columns: cells(text), rows: [] }));
    else if (!/^\|[\s:|-]+$/.test(text)) {
      const values = cells(text);
      current.rows.push(Object.fromEntries(current.columns.map((name, i) => [name, values[i] ?? ''])));
    }
  }
  return found;
}

/** The first table under a heading. */
export function tableUnder(document: string, heading: string): Table {
  const table = tables(document).find((one) => one.heading === heading);
  if (!table) throw new Error(`${document} has no table under "${heading}"`);
  return table;
}

/** What stands between backticks in a cell. */
export function codes(cell: string): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);
}

/** The code of a cell that holds exactly one. */
export function code(cell: string): string {
  const [only, ...more] = codes(cell);
  if (only === undefined || more.length > 0) throw new Error(`"${cell}" should hold one code`);
  return only;
}

function cells(line: string): string[] {
  return line
    .replace(/^\||\|\s*$/g, '')
    .split('|')
    .map((cell) => cell.trim());
}
