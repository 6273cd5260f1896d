import { LANES } from '../contract/lane.js';
import type { Lease } from './lease.js';

/** What a guard is told at its start. */
export interface GuardRequest {
  readonly board: LeaseBoard;
  readonly consumer: string;
  /**
   * How often the process itself renews leases when it is well, in milliseconds; after half as long again it is taken
   * for blocked.
   */
  readonly heartbeatMs: number;
  readonly warn: (message: string) => void;
}

/** Keeps leases alive while the event loop is held up. */
export interface LeaseGuard {
  stop(): Promise<void>;
}

/** A lease as the guard sees it. */
export interface BoardedLease extends Lease {
  readonly queue: string;
}

/** Bytes in front of the rows, and of each row: a state, four numbers, and the entry's id as text. */
const HEAD_BYTES = 64;
const ROW_BYTES = 64;
const ID_AT = 24;
const ID_BYTES = ROW_BYTES - ID_AT;

/**
 * The leases of one process in memory that another thread can read at any time, and when this process and that thread
 * last renewed them. Written on the way of every task, so holding and letting go are a few stores each.
 *
 * A row's state grows by one with every change and is odd while a lease is held: a reader that finds another state
 * after reading than before has read half of two leases, and skips the row.
 */
export class LeaseBoard {
  private readonly states: Int32Array;
  private readonly times: Float64Array;
  private readonly bytes: Uint8Array;
  private readonly free: number[] = [];

  /** What is added to a reading of `performance.now()` in this thread to make it one of {@link sharedMs}. */
  readonly offsetMs = sharedMs() - performance.now();

  constructor(
    /** Names of the queues; rows hold positions in this list. */
    readonly queues: readonly string[],
    rows: number,
    readonly memory = new SharedArrayBuffer(HEAD_BYTES + rows * ROW_BYTES),
  ) {
    this.states = new Int32Array(memory);
    this.times = new Float64Array(memory);
    this.bytes = new Uint8Array(memory);
    for (let row = rows - 1; row >= 0; row -= 1) this.free.push(row);
  }

  /** Rows there are. */
  get rows(): number {
    return (this.memory.byteLength - HEAD_BYTES) / ROW_BYTES;
  }

  /** When this process last set about renewing its leases, in milliseconds of {@link sharedMs}. */
  get lastBeat(): number {
    return this.times[0]!;
  }

  /**
   * Before the last renewal that the guard has made, in milliseconds of {@link sharedMs}; 0 when it has made none. What
   * was held then, and was still to be renewed, was renewed after that.
   */
  get lastRenewal(): number {
    return this.times[1]!;
  }

  /** The guard has renewed what it found on the board, which it had begun to read at that time. */
  renewed(fromMs: number): void {
    this.times[1] = fromMs;
  }

  /** This process is well: it renews its leases itself. */
  beat(): void {
    this.times[0] = sharedMs();
  }

  /**
   * Puts a lease on the board. Answers its row, or -1 when the board is full: then it depends on the event loop.
   * @param untilMs when it must not be renewed any more, in milliseconds of {@link sharedMs}
   */
  hold(queue: number, lease: Lease, untilMs: number): number {
    const { entryId } = lease;
    const row = entryId.length <= ID_BYTES ? this.free.pop() : undefined;
    if (row === undefined) return -1;
    const at = HEAD_BYTES + row * ROW_BYTES;
    const state = at / 4;
    this.states[state + 1] = queue * LANES.length + LANES.indexOf(lease.lane);
    this.states[state + 2] = lease.delivery;
    this.states[state + 3] = entryId.length;
    this.times[at / 8 + 2] = untilMs;
    for (let i = 0; i < entryId.length; i += 1) this.bytes[at + ID_AT + i] = entryId.charCodeAt(i);
    Atomics.add(this.states, state, 1);
    return row;
  }

  /** Takes a lease off the board; -1 is none. */
  letGo(row: number): void {
    if (row < 0) return;
    Atomics.add(this.states, (HEAD_BYTES + row * ROW_BYTES) / 4, 1);
    this.free.push(row);
  }

  /** Leases on the board that may be renewed. */
  held(nowMs: number): BoardedLease[] {
    const held: BoardedLease[] = [];
    for (let row = 0; row < this.rows; row += 1) {
      const lease = this.read(row, nowMs);
      if (lease) held.push(lease);
    }
    return held;
  }

  private read(row: number, nowMs: number): BoardedLease | undefined {
    const at = HEAD_BYTES + row * ROW_BYTES;
    const state = at / 4;
    const before = Atomics.load(this.states, state);
    if (before % 2 === 0 || this.times[at / 8 + 2]! <= nowMs) return undefined;
    const place = this.states[state + 1]!;
    const delivery = this.states[state + 2]!;
    const length = this.states[state + 3]!;
    const entryId = String.fromCharCode(...this.bytes.slice(at + ID_AT, at + ID_AT + length));
    if (Atomics.load(this.states, state) !== before) return undefined;
    const queue = this.queues[Math.floor(place / LANES.length)];
    const lane = LANES[place % LANES.length];
    return queue === undefined || lane === undefined ? undefined : { queue, lane, entryId, delivery };
  }
}

/** A clock that every thread of a process shares, in milliseconds; its zero means nothing. */
export function sharedMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
