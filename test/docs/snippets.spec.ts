import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { type CodeBlock, codeBlocks, documents, read, root } from './markdown.js';

const blocks = documents().flatMap(codeBlocks);

function inLanguage(...languages: readonly string[]): readonly CodeBlock[] {
  return blocks.filter(({ language }) => languages.includes(language));
}

/**
 * Compiles snippets as modules of this folder, together, without writing them anywhere. Every message begins with the
 * document and the line in it.
 */
function compile(snippets: readonly CodeBlock[]): readonly string[] {
  const configFile = join(root, 'tsconfig.json');
  const config = ts.parseJsonConfigFileContent(
    ts.readConfigFile(configFile, (path) => ts.sys.readFile(path)).config,
    ts.sys,
    root,
  );
  // What a snippet shows need not be used in it.
  const options = { ...config.options, noUnusedLocals: false, noUnusedParameters: false, declaration: false };
  const files = new Map(snippets.map((snippet, i) => [join(root, `test/docs/snippet-${i}.ts`), snippet]));
  const host = ts.createCompilerHost(options);
  const textOf = (path: string): string | undefined => {
    const snippet = files.get(path);
    return snippet && `${snippet.code}\nexport {};\n`;
  };
  host.fileExists = (path) => files.has(path) || ts.sys.fileExists(path);
  host.readFile = (path) => textOf(path) ?? ts.sys.readFile(path);
  host.getSourceFile = (path, how) => {
    const text = textOf(path) ?? ts.sys.readFile(path);
    return text === undefined ? undefined : ts.createSourceFile(path, text, how);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files].flatMap(([path, snippet]) => {
    const source = program.getSourceFile(path);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map(({ start = 0, messageText }) => {
      const line = snippet.line + source!.getLineAndCharacterOfPosition(start).line;
      return `${snippet.document}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
  });
}

describe('TypeScript in the documents', () => {
  const wrong: CodeBlock = {
    document: 'docs/wrong.md',
    line: 10,
    language: 'ts',
    code: "import { defineTask } from '@taskq/core';\n\ndefineTask({ typ: 'a' });",
  };

  it(
    'compiles against the packages as they are; what is wrong is named by document and line',
    { timeout: 60_000 },
    () => {
      const snippets = inLanguage('ts');

      expect(snippets.length).toBeGreaterThanOrEqual(4);
      expect(compile([...snippets, wrong])).toEqual([
        expect.stringMatching(/^docs\/wrong\.md:12 .*'typ' does not exist/),
      ]);
    },
  );
});

describe('other code in the documents', () => {
  it('has a language that something checks, or that needs no check', () => {
    const known = ['ts', 'sh', 'yaml', 'json', 'text', 'mermaid', 'sql', 'python', 'go'];

    expect(blocks.filter(({ language }) => !known.includes(language)).map(at)).toEqual([]);
  });

  it('parses where it is YAML or JSON', () => {
    const faults = inLanguage('yaml', 'json').flatMap((block) => {
      try {
        if (block.language === 'json') JSON.parse(block.code);
        else loadAll(block.code);
        return [];
      } catch (error) {
        return `${at(block)} ${String(error)}`;
      }
    });

    expect(faults).toEqual([]);
  });

  it('names only npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const texts = [
      ...inLanguage('sh').map((block) => ({ where: at(block), text: block.code })),
      ...['CONTRIBUTING.md', ...documents()].map((document) => ({ where: document, text: read(document) })),
    ];
    const named = texts.flatMap(({ where, text }) =>
      [...text.matchAll(/\bnpm (?:run (?:-s |--silent )?([\w:-]+)|(test|start)\b)/g)].map((match) => ({
        where,
        script: match[1] ?? match[2]!,
      })),
    );

    expect(named.length).toBeGreaterThan(3);
    expect(named.filter(({ script }) => !Object.hasOwn(scripts, script))).toEqual([]);
  });
});

describe('the README', () => {
  const readme = read('README.md');

  it('shows the two commands, and fits four screens', () => {
    expect(readme).toContain('\nnpm ci && npm run demo\n');
    expect(readme).toContain('\nnpm ci && npm test\n');
    expect(readme.split('\n').length).toBeLessThanOrEqual(200);
  });

  it('shows contract, handler and enqueue in one short block', () => {
    const [first] = codeBlocks('README.md').filter(({ language }) => language === 'ts');
    const lines = first!.code.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('import '));

    expect(first!.code).toMatch(/defineTask\([\s\S]*@TaskHandler\([\s\S]*\.enqueue\(/);
    expect(lines.length).toBeLessThanOrEqual(25);
  });

  it('draws the folders that are there', () => {
    const layout = codeBlocks('README.md').find(({ code }) => code.startsWith('libs/core'));
    const folders = layout!.code.split('\n').map((line) => line.split(' ')[0]!);

    expect(folders.filter((folder) => !ts.sys.directoryExists(join(root, folder)))).toEqual([]);
  });
});

function at({ document, line }: CodeBlock): string {
  return `${document}:${line}`;
}
