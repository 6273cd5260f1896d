import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { engineScripts } from '../proxy/engine-scripts.js';
import type { MachineWatch } from './machine-watch.js';
import { waitedForCore } from './right-of-way.js';
import { outermost, type SlowLogEntry, type SentCommand } from './slow-log.js';

/** Longest time that a command may keep Redis from all others. */
export const COMMAND_BOUND_MS = 5;

/** From here on Redis keeps a command for us to see: below the bound, so that the slowest is known also when all is well. */
export const LOG_FROM_US = 1000;

/** Far more than come between two looks. */
const LOG_LENGTH = 10_000;
const LOOK_MS = 50;

/** A server whose commands are watched. */
export interface WatchedRedis {
  /** Of its process. */
  readonly pid: number;
  /** Name of the connections of whoever looks: what these ask for is not the engine's. */
  readonly own: string;
  /** Without it a machine that stands still is not noticed. */
  readonly machine?: MachineWatch;
}

/** A command that was slow enough to be kept. */
export interface SlowCommand {
  readonly phase: string;
  /** Name of the script, or of the command. */
  readonly name: string;
  /** What it took, waiting included, as Redis measures it. */
  readonly tookMs: number;
  /**
   * The same less what Redis waited for a core in those 50 ms, or for how long its core stood still: what the command
   * costs.
   */
  readonly ms: number;
  readonly args: number;
  /** Of a script: the slowest command inside it, if that was slow by itself. */
  readonly within?: string;
}

/** What the commands of one phase come to. */
export interface PhaseCommands {
  readonly phase: string;
  /** Scripts that were run. */
  readonly calls: number;
  /** All that are worth a look, slowest first. */
  readonly slow: readonly SlowCommand[];
  readonly tookMs: number;
  /** For how long Redis waited for a core. */
  readonly waitedMs: number;
}

/**
 * Watches what Redis does for the engine, phase by phase: how many commands, and which were slow. Redis measures them
 * itself (SLOWLOG), from the first to the last instruction, by the clock on the wall: a command during which another
 * process had the core, or the core stood still, looks slow without being so. Therefore the log is emptied every
 * 50 ms, and what Redis waited for a core in that time, or for how long its core stood still if that was longer, is
 * taken off what was logged in it.
 */
export class CommandWatch {
  private readonly phases: PhaseCommands[] = [];
  private readonly scripts = engineScripts();
  private readonly over = new AbortController();
  private slow: SlowCommand[] = [];
  private looking: Promise<void> = Promise.resolve();
  private waited: number;
  private stoodStill = 0;
  private began = { at: 0, waited: 0 };

  private constructor(
    private readonly admin: Redis,
    private readonly watched: WatchedRedis,
  ) {
    this.waited = waitedForCore(watched.pid);
  }

  /** `admin` is the connection that looks. */
  static async begin(admin: Redis, watched: WatchedRedis): Promise<CommandWatch> {
    await admin.config('SET', 'slowlog-log-slower-than', String(LOG_FROM_US));
    await admin.config('SET', 'slowlog-max-len', String(LOG_LENGTH));
    const watch = new CommandWatch(admin, watched);
    await watch.beginPhase();
    watch.looking = watch.lookUntilOver();
    return watch;
  }

  /** Ends a phase and begins the next. */
  async endPhase(phase: string): Promise<PhaseCommands> {
    await this.look();
    const slow = this.slow.map((one) => ({ ...one, phase })).toSorted((a, b) => b.ms - a.ms);
    const found = {
      phase,
      calls: callsIn(await this.admin.info('commandstats')),
      slow,
      tookMs: performance.now() - this.began.at,
      waitedMs: this.waited - this.began.waited,
    };
    this.phases.push(found);
    await this.beginPhase();
    return found;
  }

  async end(): Promise<void> {
    this.over.abort();
    await this.looking;
  }

  /** Everything that was kept, slowest first. */
  get all(): readonly SlowCommand[] {
    return this.phases.flatMap(({ slow }) => slow).toSorted((a, b) => b.ms - a.ms);
  }

  get calls(): number {
    return this.phases.reduce((sum, { calls }) => sum + calls, 0);
  }

  private async beginPhase(): Promise<void> {
    await this.look();
    await this.admin.config('RESETSTAT');
    this.slow = [];
    this.began = { at: performance.now(), waited: this.waited };
  }

  private async lookUntilOver(): Promise<void> {
    while (!this.over.signal.aborted) {
      await this.look();
      await delay(LOOK_MS, undefined, { signal: this.over.signal }).catch(() => undefined);
    }
  }

  /** Empties the log. Redis does one thing at a time, so whatever was logged began after the last look. */
  private async look(): Promise<void> {
    const answers = await this.admin.multi().slowlog('GET', LOG_LENGTH).slowlog('RESET').exec();
    const entries = (answers?.[0]?.[1] ?? []) as SlowLogEntry[];
    const { pid, own, machine } = this.watched;
    const waited = waitedForCore(pid);
    const stoodStillMs = machine?.stoodStillMs ?? 0;
    const meanwhile = Math.max(waited - this.waited, stoodStillMs - this.stoodStill);
    this.waited = waited;
    this.stoodStill = stoodStillMs;
    for (const sent of outermost(entries)) {
      if (sent.client !== own) this.slow.push(this.describe(sent, meanwhile));
    }
  }

  private describe({ ms, args, argCount, within }: SentCommand, waitedMs: number): SlowCommand {
    return {
      phase: '',
      name: this.nameOf(args),
      tookMs: ms,
      ms: Math.max(0, ms - waitedMs),
      args: argCount,
      ...(within && { within: `${this.nameOf(within.args)} ${within.ms} ms` }),
    };
  }

  private nameOf([command = '', first = '']: readonly string[]): string {
    return /^evalsha$/i.test(command) ? (this.scripts.get(first) ?? first) : command.toLowerCase();
  }
}

/** Scripts that were run: nearly everything that the engine asks for is one. */
function callsIn(stats: string): number {
  let calls = 0;
  for (const [, count] of stats.matchAll(/^cmdstat_(?:evalsha|eval):calls=(\d+)/gm)) calls += Number(count);
  return calls;
}
