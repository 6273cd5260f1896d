import type { PromoteAnswer, PromoteRequest } from '../broker/broker.js';
import { GROUP_BYTES } from '../policy/group-size.js';
import { monotonicMs } from '../runtime/clock.js';
import type { Calls } from './calls.js';
import { KeyList, type QueueKeys } from './keys.js';
import { scripts } from './scripts.generated.js';

/** Tasks moved by one script call. */
const PAGE = 100;

/** The moving of what is due. */
export class Promotions {
  constructor(
    private readonly calls: Calls,
    private readonly keysOf: (queue: string) => QueueKeys,
    /** Told what the clock of the queue's server showed, and when it was asked. */
    private readonly heard: (queue: string, now: number, sentAt: number) => void,
  ) {}

  /** @throws BrokerError when Redis does not answer, or refuses */
  async promote(request: PromoteRequest): Promise<PromoteAnswer> {
    const { queue } = request;
    const keys = this.keysOf(queue);
    const duty = [
      request.consumer,
      request.dutyMs,
      request.takeOver ? 1 : 0,
      PAGE,
      request.wakeEntryId ?? '',
    ];
    const sentAt = monotonicMs();
    const reply = await this.calls.run(
      'maintenance',
      queue,
      scripts.due,
      [keys.scheduled, keys.control, keys.wake],
      duty,
    );
    const [now, onDuty, nextInMs, ids] = reply as [number, number, number, string[]];
    this.heard(queue, now, sentAt);
    const { promoted, looked } = await this.moveDue(queue, keys, ids);
    const next = looked < ids.length ? 0 : nextInMs;
    return { onDuty: onDuty === 1, promoted, nextInMs: next < 0 ? undefined : next };
  }

  /** Moves tasks that are due, in their order, until they are too large together for one call. */
  private async moveDue(
    queue: string,
    keys: QueueKeys,
    ids: readonly string[],
  ): Promise<{ readonly promoted: number; readonly looked: number }> {
    if (ids.length === 0) return { promoted: 0, looked: 0 };
    const list = new KeyList([...keys.laneList, keys.scheduled, keys.scheduledData, keys.dead]);
    const args = ids.flatMap((id) => {
      const { key, field } = keys.index(id);
      return [id, list.position(key), field];
    });
    const call = [GROUP_BYTES, ...args];
    const reply = await this.calls.run('maintenance', queue, scripts.promote, list.keys, call);
    const [promoted, looked] = reply as [number, number];
    return { promoted, looked };
  }
}
