import type { Socket } from 'node:net';

/** Bytes trickle: so many at a time, then a pause; after fewer a pause that much shorter. */
export interface Slicing {
  readonly bytes: number;
  readonly pauseMs: number;
}

/** What the wire is like at this moment, in one direction of one connection. */
export interface Conditions {
  /** Nothing moves. */
  frozen(): boolean;
  /** How long what is sent now takes to arrive. */
  latencyMs(): number;
  slicing(): Slicing | undefined;
  /** Whether what arrives now vanishes. */
  swallows(): boolean;
  /** Is told what vanished. */
  lost(bytes: number): void;
}

/** Something on its way: bytes, or what shall be done when all bytes before it have gone. */
interface Parcel {
  bytes: Buffer;
  readonly run: (() => void) | undefined;
  due: number;
}

/** More than this on the way, and the sender has to wait. */
const FULL_BYTES = 4 * 1024 * 1024;

const NOTHING = Buffer.alloc(0);

/** One direction of one connection: everything sent into it arrives in order, as the conditions have it. */
export class Pipe {
  private readonly queue: Parcel[] = [];
  private queuedBytes = 0;
  /** Writes that the kernel has not taken yet. */
  private writing = 0;
  /** When the next slice may go. */
  private nextSlice = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly to: Socket,
    private readonly conditions: Conditions,
    /** Is called whenever something has left. */
    private readonly onRoom: () => void,
  ) {}

  /** Whether its sender should wait. */
  get full(): boolean {
    return this.queuedBytes + this.to.writableLength > FULL_BYTES;
  }

  /** Sends bytes that take `lateMs` longer than others; what is sent after them waits for them. */
  send(bytes: Buffer, lateMs = 0): void {
    this.enqueue({ bytes, run: undefined, due: this.dueIn(lateMs) });
  }

  /** Does this when everything sent before has arrived; never when it vanishes on the way. */
  finish(run: () => void): void {
    this.enqueue({ bytes: NOTHING, run, due: this.dueIn(0) });
  }

  /** Moves on what may move now. */
  pump(): void {
    clearTimeout(this.timer);
    while (this.queue.length > 0 && !this.conditions.frozen()) {
      const parcel = this.queue[0]!;
      const waitMs = Math.max(parcel.due, this.nextSlice) - performance.now();
      if (waitMs > 0) {
        this.timer = setTimeout(() => this.pump(), Math.ceil(waitMs));
        return;
      }
      if (parcel.run && this.writing > 0) return; // the last write pumps again
      if (parcel.run) this.leave(parcel.run);
      else this.deliver(parcel);
    }
  }

  /** What is on its way arrives now, whatever it was held up by. */
  expedite(): void {
    for (const parcel of this.queue) parcel.due = 0;
    this.nextSlice = 0;
    this.pump();
  }

  /** Forgets what is on its way. */
  stop(): void {
    clearTimeout(this.timer);
    this.queue.length = 0;
    this.queuedBytes = 0;
  }

  /** When what is sent now may arrive; that nothing overtakes what was sent before is the queue's doing. */
  private dueIn(lateMs: number): number {
    const wireMs = this.conditions.latencyMs() + lateMs;
    return wireMs > 0 ? performance.now() + wireMs : 0;
  }

  private enqueue(parcel: Parcel): void {
    this.queue.push(parcel);
    this.queuedBytes += parcel.bytes.length;
    if (this.queue.length === 1) this.pump();
  }

  private deliver(parcel: Parcel): void {
    const slicing = this.conditions.slicing();
    const piece = slicing ? parcel.bytes.subarray(0, slicing.bytes) : parcel.bytes;
    parcel.bytes = parcel.bytes.subarray(piece.length);
    this.queuedBytes -= piece.length;
    if (parcel.bytes.length === 0) this.queue.shift();
    if (slicing) this.nextSlice = performance.now() + slicing.pauseMs * (piece.length / slicing.bytes);
    if (this.conditions.swallows()) this.conditions.lost(piece.length);
    else this.write(piece);
  }

  private leave(run: () => void): void {
    this.queue.shift();
    if (this.conditions.swallows()) this.conditions.lost(0);
    else run();
  }

  private write(bytes: Buffer): void {
    if (this.to.destroyed) return;
    this.writing += 1;
    this.to.write(bytes, () => {
      this.writing -= 1;
      if (this.writing === 0) this.pump();
      this.onRoom();
    });
  }
}
