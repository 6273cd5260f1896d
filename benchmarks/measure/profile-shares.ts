import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Part of the processor time of a process, by whose code ran. */
export interface ProfileShare {
  readonly whose: string;
  /** Of all that was not idle, 0 to 1. */
  readonly share: number;
}

/** What V8 writes with `--cpu-prof`, as far as it is read here. */
export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  /** The node on top at each look, and microseconds since the look before. */
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** A function: where it begins, counted from 0; without a file when it is not JavaScript. */
export interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}

/** Whose time it is that is spent in a function; `undefined` while there was nothing to do. */
export function ownerOf(frame: CallFrame, sourceOf: (frame: CallFrame) => string): string | undefined {
  const { functionName, url } = frame;
  if (functionName === '(idle)') return undefined;
  if (functionName === '(garbage collector)') return 'garbage collection';
  if (/^write(v|Utf8String|Latin1String|Buffer)$/.test(functionName) && url === '')
    return 'writing to the socket';
  if (url === '' || url.startsWith('node:')) return 'Node.js';
  const source = sourceOf(frame);
  const dependency = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1];
  if (dependency !== undefined) return dependency;
  return /(^|\/)benchmarks\//.test(source) ? 'the benchmark' : 'taskq';
}

/** The parts of a profile, the largest first. */
export function profileShares(
  { nodes, samples, timeDeltas }: CpuProfile,
  sourceOf: (frame: CallFrame) => string,
): readonly ProfileShare[] {
  const owners = new Map(nodes.map(({ id, callFrame }) => [id, ownerOf(callFrame, sourceOf)]));
  const micros = new Map<string, number>();
  let all = 0;
  samples.forEach((node, i) => {
    const whose = owners.get(node);
    if (whose === undefined) return;
    micros.set(whose, (micros.get(whose) ?? 0) + timeDeltas[i]!);
    all += timeDeltas[i]!;
  });
  return [...micros]
    .map(([whose, time]) => ({ whose, share: time / all }))
    .toSorted((a, b) => b.share - a.share);
}

/** Reads a profile of a program whose files carry their source maps. */
export function readShares(file: string): readonly ProfileShare[] {
  return profileShares(JSON.parse(readFileSync(file, 'utf8')) as CpuProfile, originOf(new Map()));
}

/** Names the source file in which a function was written; the file that ran where that is not known. */
function originOf(maps: Map<string, SourceMap | undefined>): (frame: CallFrame) => string {
  return ({ url, lineNumber, columnNumber }) => {
    if (!url.startsWith('file:')) return url;
    if (!maps.has(url)) maps.set(url, sourceMapIn(fileURLToPath(url)));
    const entry = maps.get(url)?.findEntry(lineNumber, columnNumber);
    return entry && 'originalSource' in entry ? entry.originalSource : url;
  };
}

function sourceMapIn(file: string): SourceMap | undefined {
  if (file.includes('node_modules')) return undefined;
  const text = /\/\/# sourceMappingURL=data:application\/json;[^,]*base64,(\S+)\s*$/.exec(
    readFileSync(file, 'utf8'),
  )?.[1];
  return text === undefined
    ? undefined
    : new SourceMap(
        JSON.parse(Buffer.from(text, 'base64').toString()) as ConstructorParameters<typeof SourceMap>[0],
      );
}
