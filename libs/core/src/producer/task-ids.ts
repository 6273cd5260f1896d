import { BLOCK, taskId } from '../contract/task-id.js';

/** Neighbours that are given out one after the other. */
interface Block {
  next: number;
  end: number;
}

/**
 * Gives out the ids of one producer, each once. Those of a partition come in blocks of neighbours whose number says which
 * partition it is, so that an id leads to its task, and neighbours in the index are neighbours in a partition.
 */
export class TaskIds {
  private readonly whole: Block = { next: 1, end: BLOCK };
  private readonly parts = new Map<string, Block>();
  private blocks = 1;

  constructor(private readonly producer: string) {}

  /** The id of a task of a queue that is not split. */
  next(): string {
    return this.take(this.whole, 0, 1);
  }

  /** The id of a task of a partition: of the one with this name, which is at this position among so many. */
  nextIn(partition: string, position: number, count: number): string {
    let block = this.parts.get(partition);
    if (!block) {
      block = { next: 0, end: 0 };
      this.parts.set(partition, block);
    }
    return this.take(block, position, count);
  }

  private take(block: Block, position: number, count: number): string {
    if (block.next === block.end) {
      const ahead = (position - (this.blocks % count) + count) % count;
      block.next = (this.blocks + ahead) * BLOCK;
      block.end = block.next + BLOCK;
      this.blocks += ahead + 1;
    }
    const sequence = block.next;
    block.next += 1;
    return taskId(this.producer, sequence);
  }
}
