/** Bytes that no RESP speaker sends. */
export class RespError extends Error {
  override readonly name = 'RespError';
}

const CR = 13;
const CRLF_LENGTH = 2;
/** `*`: how a request begins that is not an inline command. */
const ARRAY = 0x2a;

/** Types whose whole value stands on the line. */
const LINES = new Set('+-:,#(_');
/** Types whose line says how many bytes follow. */
const BULKS = new Set('$=!');
/** Types whose line says how many values follow, and how many values each of them counts for. */
const AGGREGATES = new Map([
  ['*', 1],
  ['~', 1],
  ['>', 1],
  ['%', 2],
  ['|', 2],
]);

/** Longest line that is waited for; without it a stream that is no RESP would be collected for ever. */
const LONGEST_LINE = 1024 * 1024;

/**
 * Cuts a stream into whole frames, however it was chunked: into replies, or into commands. It looks at lengths only,
 * so each byte of a value is passed over, not read.
 */
export class FrameCutter {
  private chunks: Buffer[] = [];
  private size = 0;
  /** No frame can end before so many bytes are there. */
  private needed = 1;
  /** Where the next line of the frame begins. */
  private at = 0;
  /** Values that the frame still lacks. */
  private missing = 1;
  /** Why nothing more can be cut out of `rest()`. */
  broken: RespError | undefined;

  /** `commands` may be inline, too: a bare line without a type. */
  constructor(private readonly kind: 'replies' | 'commands') {}

  /** Takes what came and answers the frames that are whole now, each with every byte it was sent as. */
  push(chunk: Buffer): Buffer[] {
    this.chunks.push(chunk);
    this.size += chunk.length;
    if (this.size < this.needed || this.broken) return [];
    let bytes = this.rest();
    const frames: Buffer[] = [];
    for (let end = this.endOfFrame(bytes); end > 0; end = this.endOfFrame(bytes)) {
      frames.push(bytes.subarray(0, end));
      bytes = bytes.subarray(end);
      this.at = 0;
      this.missing = 1;
    }
    this.chunks = bytes.length > 0 ? [bytes] : [];
    this.size = bytes.length;
    return frames;
  }

  /** What was taken and is no whole frame yet. */
  rest(): Buffer {
    return this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks);
  }

  /** Where the first frame of `bytes` ends; 0 when that is still to come, and `needed` says how much it takes. */
  private endOfFrame(bytes: Buffer): number {
    while (this.missing > 0) {
      const next = this.endOfValueOrBroken(bytes);
      if (next > bytes.length) {
        this.needed = next;
        return 0;
      }
      this.at = next;
    }
    return this.at;
  }

  private endOfValueOrBroken(bytes: Buffer): number {
    try {
      return this.endOfValue(bytes);
    } catch (error) {
      this.broken = error as RespError;
      return Infinity;
    }
  }

  /**
   * Where the line at `at` ends, with the bytes it announces; values that it announces are added to `missing`. Beyond
   * the end of `bytes` when it is not whole, and then nothing is counted.
   */
  private endOfValue(bytes: Buffer): number {
    const lineEnd = bytes.indexOf(CR, this.at);
    if (lineEnd < 0 || lineEnd + CRLF_LENGTH > bytes.length) {
      if (bytes.length - this.at > LONGEST_LINE) throw new RespError('a line without an end');
      return this.inlineEnd(bytes) ?? bytes.length + 1;
    }
    if (this.isInline(bytes)) return this.inlineEnd(bytes)!;
    const type = String.fromCharCode(bytes[this.at]!);
    if (this.kind === 'commands' && this.at > 0 && type !== '$')
      throw new RespError('a word is a bulk string');
    const next = lineEnd + CRLF_LENGTH;
    if (LINES.has(type)) this.missing -= 1;
    else if (BULKS.has(type)) return this.endOfBulk(bytes, next, lengthAt(bytes, this.at + 1, lineEnd));
    else if (AGGREGATES.has(type)) this.openAggregate(type, lengthAt(bytes, this.at + 1, lineEnd));
    else throw new RespError(`no type of RESP: ${JSON.stringify(type)}`);
    return next;
  }

  private endOfBulk(bytes: Buffer, start: number, length: number): number {
    if (this.kind === 'commands' && length < 0) throw new RespError('a word is not null');
    const end = length < 0 ? start : start + length + CRLF_LENGTH;
    if (end <= bytes.length) this.missing -= 1;
    return end;
  }

  private openAggregate(type: string, length: number): void {
    this.missing += Math.max(length, 0) * AGGREGATES.get(type)!;
    // An attribute is said about the value that follows, and is no value itself.
    if (type !== '|') this.missing -= 1;
  }

  private isInline(bytes: Buffer): boolean {
    return this.kind === 'commands' && this.at === 0 && bytes[0] !== ARRAY;
  }

  /** People at a telnet end lines by `\n` alone. */
  private inlineEnd(bytes: Buffer): number | undefined {
    if (!this.isInline(bytes)) return undefined;
    const end = bytes.indexOf('\n', this.at) + 1;
    if (end === 0) return undefined;
    this.missing -= 1;
    return end;
  }
}

/** The words of a frame of commands; none for an empty one, which Redis does not answer. */
export function commandWords(frame: Buffer): Buffer[] {
  if (frame[0] !== ARRAY) return inlineWords(frame);
  const words: Buffer[] = [];
  let at = frame.indexOf(CR) + CRLF_LENGTH;
  while (at < frame.length) {
    const lineEnd = frame.indexOf(CR, at);
    const start = lineEnd + CRLF_LENGTH;
    const end = start + lengthAt(frame, at + 1, lineEnd);
    words.push(frame.subarray(start, end));
    at = end + CRLF_LENGTH;
  }
  return words;
}

/** The first word of an array or a push message: `message`, `subscribe`, `invalidate`. */
export function firstWord(frame: Buffer): string {
  const at = frame.indexOf(CR) + CRLF_LENGTH;
  const lineEnd = frame.indexOf(CR, at);
  if (lineEnd < 0) return '';
  if (frame[at] === 0x2b) return frame.toString('latin1', at + 1, lineEnd);
  if (frame[at] !== 0x24) return '';
  const start = lineEnd + CRLF_LENGTH;
  return frame.toString('latin1', start, start + lengthAt(frame, at + 1, lineEnd));
}

/** A reply that says a command failed: `LOADING Redis is loading the dataset in memory`. */
export function errorReply(message: string): Buffer {
  if (/[\r\n]/.test(message)) throw new RespError('an error is one line');
  return Buffer.from(`-${message}\r\n`);
}

function inlineWords(frame: Buffer): Buffer[] {
  const words = frame.toString('latin1').split(/\s+/).filter(Boolean);
  return words.map((word) => Buffer.from(word, 'latin1'));
}

/** The number on a line; -1 is how RESP2 says null. */
function lengthAt(bytes: Buffer, start: number, end: number): number {
  const digits = bytes.toString('latin1', start, end);
  if (!/^(-1|\d{1,10})$/.test(digits))
    throw new RespError(`no length: ${JSON.stringify(digits.slice(0, 20))}`);
  return Number(digits);
}
