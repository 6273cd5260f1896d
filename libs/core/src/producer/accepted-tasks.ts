import type { NewTask } from '../broker/broker.js';
import { type Clock, type Moment, momentOf, msSince } from '../runtime/clock.js';
import { REMEMBERED_MS } from './enqueue-channel.js';
import { PackedTasks } from './packed-tasks.js';
import { taskBytes } from './task-bytes.js';

/** A task that was answered as accepted, and when. */
export interface AcceptedTask {
  readonly task: NewTask;
  /** Milliseconds of this process' steady clock. */
  readonly at: number;
}

interface Group {
  readonly channel: string;
  readonly sequence: number;
  readonly at: Moment;
  /** The same, by a steady clock that stands still while the broker is away. */
  readonly countedAt: number;
  readonly tasks: PackedTasks;
  readonly bytes: number;
  /** Was found to be lost, and is offered again as another group, which is kept by itself. */
  handedOver: boolean;
}

/**
 * The tasks that a producer was told are accepted, for a few seconds: long enough to offer them again when Redis
 * comes back without them. Bounded by time and by bytes; what is forgotten early is told as such. Time during which
 * Redis is away does not count, however long that is: what was young when it went is what it may have lost.
 */
export class AcceptedTasks {
  private groups: Group[] = [];
  /** Where the groups begin that still count. */
  private first = 0;
  private size = 0;
  private awayMs = 0;
  /** When the broker was back last, and the channels that have not asked since whether their groups are known. */
  private backAt = 0;
  private readonly unasked = new Set<string>();

  constructor(
    private readonly clock: Clock,
    private readonly windowMs: number,
    private readonly maxBytes: number,
  ) {}

  add(channel: string, sequence: number, tasks: readonly NewTask[]): void {
    if (this.windowMs === 0) return;
    this.unasked.delete(channel);
    let bytes = 0;
    for (const task of tasks) bytes += taskBytes(task);
    const at = momentOf(this.clock);
    this.groups.push({
      channel,
      sequence,
      at,
      countedAt: at.steadyMs - this.awayMs,
      tasks: new PackedTasks(tasks),
      bytes,
      handedOver: false,
    });
    this.size += bytes;
    this.forgetOld();
  }

  /** What is kept, roughly, in bytes. */
  get bytes(): number {
    return this.size;
  }

  /** Whether the time of everything that is kept is over: what is added lets go of the rest. */
  get allOld(): boolean {
    const newest = this.groups.at(-1);
    return newest === undefined || this.tooOld(newest);
  }

  /** The broker is back after so long. Nothing is too old before its channel has asked about it. */
  back(awayMs: number): void {
    this.awayMs += awayMs;
    this.backAt = this.clock.monotonicMs() - this.awayMs;
    for (const group of this.groups.slice(this.first)) this.unasked.add(group.channel);
  }

  /** Tasks of a channel's groups after `after` and up to `upTo`, and how many of those groups are forgotten. */
  between(channel: string, after: number, upTo: number): { tasks: AcceptedTask[]; forgotten: number } {
    const lost = this.groups
      .slice(this.first)
      .filter((group) => group.channel === channel && group.sequence > after && group.sequence <= upTo)
      .filter((group) => !this.tooOld(group));
    return {
      tasks: lost.flatMap(({ tasks, at, handedOver }) =>
        handedOver ? [] : tasks.unpack().map((task) => ({ task, at: at.steadyMs })),
      ),
      forgotten: upTo - after - lost.length,
    };
  }

  /** These are offered again by somebody else: a later loss of their channel does not concern their tasks. */
  handOver(channel: string, after: number, upTo: number): void {
    for (const group of this.groups)
      if (group.channel === channel && group.sequence > after && group.sequence <= upTo)
        group.handedOver = true;
  }

  /** Lets go of what is too old, and of the oldest while there is too much. */
  forgetOld(): void {
    while (this.first < this.groups.length) {
      const group = this.groups[this.first]!;
      if (!this.tooOld(group) && this.size <= this.maxBytes) break;
      this.size -= group.bytes;
      this.first += 1;
    }
    // Moved now and then instead of each time: a shift copies everything behind it.
    if (this.first === this.groups.length || (this.first > 64 && this.first * 2 > this.groups.length)) {
      this.groups = this.groups.slice(this.first);
      this.first = 0;
    }
  }

  private tooOld({ channel, at, countedAt }: Group): boolean {
    const counted = this.unasked.has(channel) ? this.backAt : this.clock.monotonicMs() - this.awayMs;
    // After so long an absence its channel asks no more.
    return countedAt < counted - this.windowMs || msSince(this.clock, at) > REMEMBERED_MS;
  }
}
