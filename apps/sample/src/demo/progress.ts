import { paint } from '../terminal/paint.js';

const BAR = 28;
/** Where there is no terminal, a line per so many percent. */
const STEP = 20;

/** Shows how far a run is: a bar that moves on a terminal, plain lines elsewhere. */
export class Progress {
  private shown = -1;
  private drawn = false;

  constructor(private readonly out: NodeJS.WriteStream = process.stdout) {}

  /** So many of all tasks have ended. */
  update(ended: number, total: number): void {
    const percent = Math.floor((ended / total) * 100);
    if (this.out.isTTY) this.draw(percent, `${ended}/${total}`);
    else if (Math.floor(percent / STEP) > Math.floor(this.shown / STEP)) {
      this.out.write(`  ${String(percent).padStart(3)} %  ${ended} of ${total} tasks have ended\n`);
    }
    this.shown = Math.max(this.shown, percent);
  }

  /** Something happened that is worth a line. */
  say(line: string): void {
    this.clear();
    this.out.write(`${paint('cyan', '»')} ${line}\n`);
  }

  /** Leaves the last bar standing no longer. */
  clear(): void {
    if (this.drawn) this.out.write('\r\u001B[2K');
    this.drawn = false;
  }

  private draw(percent: number, figures: string): void {
    const full = Math.min(BAR, Math.round((percent / 100) * BAR));
    const bar = paint('green', '━'.repeat(full)) + paint('dim', '━'.repeat(BAR - full));
    this.out.write(`\r\u001B[2K  ${bar} ${percent} %  ${figures}`);
    this.drawn = true;
  }
}
