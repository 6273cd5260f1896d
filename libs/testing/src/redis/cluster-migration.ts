import { setTimeout as sleep } from 'node:timers/promises';
import { withClient } from './identify-redis.js';
import { ask, type RedisNode } from './server-group.js';

/** How {@link moveSlot} goes about it. */
export interface MigrateSlotOptions {
  /**
   * Pause before each key is moved, in milliseconds: time for a test to use a slot of which one half has gone. It also
   * passes once before the slot changes hands, when all its keys have gone. Default 0.
   */
  pauseMsBetweenKeys?: number;
}

type Node = RedisNode & { readonly id: string };

const KEYS_PER_LOOK = 100;
const MOVE_TIMEOUT_MS = 30_000;

/** Moves a slot as an operator's tool does: both ends are told, then the keys go one by one, then all masters hear it. */
export async function moveSlot(
  slot: number,
  { from, to, masters }: { from: Node; to: Node; masters: readonly Node[] },
  { pauseMsBetweenKeys = 0 }: MigrateSlotOptions,
): Promise<void> {
  const setSlot = (node: Node, ...state: string[]): Promise<unknown> =>
    ask(node, ['CLUSTER', 'SETSLOT', String(slot), ...state]);
  // The receiver first: the giver sends clients there from the moment it knows.
  await setSlot(to, 'IMPORTING', from.id);
  await setSlot(from, 'MIGRATING', to.id);
  await moveKeys(slot, from, to, pauseMsBetweenKeys);
  // Again the receiver first: the slot must at no time be without an owner.
  await setSlot(to, 'NODE', to.id);
  await setSlot(from, 'NODE', to.id);
  const bystanders = masters.filter((node) => node !== to && node !== from);
  await Promise.all(bystanders.map((node) => setSlot(node, 'NODE', to.id)));
}

async function moveKeys(slot: number, from: Node, to: Node, pauseMs: number): Promise<void> {
  const target = [to.host, String(to.port)];
  await withClient(
    from.connection,
    async (redis) => {
      for (;;) {
        const keys = await redis.callBuffer('CLUSTER', 'GETKEYSINSLOT', String(slot), String(KEYS_PER_LOOK));
        for (const key of keys as Buffer[]) {
          await pause(pauseMs);
          await redis.call('MIGRATE', ...target, key, '0', String(MOVE_TIMEOUT_MS));
        }
        if ((keys as Buffer[]).length === 0) return pause(pauseMs);
      }
    },
    MOVE_TIMEOUT_MS,
  );
}

async function pause(ms: number): Promise<void> {
  if (ms > 0) await sleep(ms);
}
