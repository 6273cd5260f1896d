import { createHash } from 'node:crypto';

const RUN_BY_HASH = new Set(['EVALSHA', 'EVALSHA_RO']);
const RUN_BY_TEXT = new Set(['EVAL', 'EVAL_RO']);

/** A command on its way to Redis. */
export class SeenCommand {
  /** In capitals: `XADD`. */
  readonly command: string;
  /** Everything after the name. */
  readonly args: readonly Buffer[];

  constructor(
    /** Every byte of it, as it was sent. */
    readonly bytes: Buffer,
    words: readonly Buffer[],
    /** What its client calls itself, by CLIENT SETNAME or HELLO SETNAME: `taskq:commands`; '' before that. */
    readonly link: string,
    /** Number of the connection it came on; no other connection of the proxy ever has it. */
    readonly connection: number,
    private readonly scriptNames: ReadonlyMap<string, string>,
  ) {
    this.command = (words[0] ?? Buffer.alloc(0)).toString('latin1').toUpperCase();
    this.args = words.slice(1);
  }

  /** Hash of the script that it runs, also when it brings the script's text. */
  get sha1(): string | undefined {
    const [script] = this.args;
    if (script && RUN_BY_HASH.has(this.command)) return script.toString('latin1').toLowerCase();
    if (script && RUN_BY_TEXT.has(this.command)) return createHash('sha1').update(script).digest('hex');
    return undefined;
  }

  /** Name of the script that it runs, its hash when the proxy was not told the name. */
  get script(): string | undefined {
    const { sha1 } = this;
    return sha1 === undefined ? undefined : (this.scriptNames.get(sha1) ?? sha1);
  }

  /** Whether this stands anywhere in it. */
  includes(text: string): boolean {
    return this.bytes.includes(text);
  }
}

/** What a command must be like; what is left out may be anything. */
export interface CommandPattern {
  /** `XADD`, or several. In any case. */
  command?: string | readonly string[];
  /** Name of the client: `taskq:blocking`. */
  link?: string;
  /** Name or hash of the script it runs, by EVALSHA or EVAL. */
  script?: string;
  /** Stands somewhere in the command: a key, a payload. */
  text?: string;
}

/** Which commands a rule is about. */
export type CommandMatch = CommandPattern | ((command: SeenCommand) => boolean);

/** Whether a command is one of those. */
export function matches(match: CommandMatch, command: SeenCommand): boolean {
  if (typeof match === 'function') return match(command);
  return (
    (match.link === undefined || match.link === command.link) &&
    (match.command === undefined || isNamed(command, match.command)) &&
    (match.text === undefined || command.includes(match.text)) &&
    (match.script === undefined || match.script === command.script || match.script === command.sha1)
  );
}

function isNamed({ command }: SeenCommand, names: string | readonly string[]): boolean {
  return [names].flat().some((name) => name.toUpperCase() === command);
}

/** The name that a client gives itself by this command. */
export function newClientName(words: readonly Buffer[]): string | undefined {
  const [command, first] = words.slice(0, 2).map((word) => word.toString('latin1').toUpperCase());
  if (command === 'CLIENT' && first === 'SETNAME') return words[2]?.toString();
  if (command !== 'HELLO') return undefined;
  const at = words.findIndex((word) => word.toString('latin1').toUpperCase() === 'SETNAME');
  return at < 0 ? undefined : words[at + 1]?.toString();
}
