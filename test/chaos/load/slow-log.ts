/** Id, time, microseconds, arguments (the first 31, and how many more), address and name of the client. */
export type SlowLogEntry = readonly [number, number, number, readonly string[], string, string];

/** A command as it was sent. */
export interface SentCommand {
  readonly args: readonly string[];
  readonly argCount: number;
  readonly ms: number;
  /** Name of the connection. */
  readonly client: string;
  /** Of a script: the slowest command that it ran, if one was slow by itself. */
  readonly within?: { readonly args: readonly string[]; readonly ms: number };
}

/** What Redis calls the client of a command that a script runs. */
const SCRIPT = '?:0';

/** Commands as they were sent, oldest first. Those that a script runs are logged directly before the script itself. */
export function outermost(entries: readonly SlowLogEntry[]): SentCommand[] {
  const sent: SentCommand[] = [];
  let within: SentCommand['within'];
  for (const [, , us, args, address, client] of entries.toSorted(([a], [b]) => a - b)) {
    const ms = us / 1000;
    if (address === SCRIPT) {
      if (!within || ms > within.ms) within = { args, ms };
    } else {
      sent.push({ args, argCount: argumentsOf(args), ms, client, ...(within && { within }) });
      within = undefined;
    }
  }
  return sent;
}

function argumentsOf(args: readonly string[]): number {
  const more = /^\.\.\. \((\d+) more arguments\)$/.exec(args.at(-1) ?? '')?.[1];
  return more === undefined ? args.length : args.length - 1 + Number(more);
}
