import { type Removal, without } from './removal.js';
import { hear, type Testimony } from './witnesses.js';
import { WorkingCopy } from './working-copy.js';

/** What became of one removal. */
export interface Finding {
  readonly name: string;
  readonly defence: string;
  readonly file: string;
  /**
   * `caught`: a test failed. `missed`: none did, so the defence is not proved. `unusable`: nothing was shown, since the
   * tests fail with the defence as well, or the code is no program without it.
   */
  readonly verdict: 'caught' | 'missed' | 'unusable';
  /** The test that failed, or why nothing was shown. */
  readonly said: string;
  readonly tookMs: number;
}

/** Takes each defence away, several at once, each in a copy of the project, and looks whether a test notices. */
export async function sabotage(
  removals: readonly Removal[],
  { root, parallel, tell }: { root: string; parallel: number; tell: (finding: Finding) => void },
): Promise<Finding[]> {
  const waiting = [...removals.entries()];
  const findings: Finding[] = [];
  const sound = new Map<string, Promise<Testimony>>();
  async function lane(): Promise<void> {
    const copy = WorkingCopy.make(root);
    const remove = (): void => copy.remove();
    process.once('exit', remove);
    try {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const [position, removal] = next;
        findings[position] = await judge(copy, removal, sound);
        tell(findings[position]);
      }
    } finally {
      process.off('exit', remove);
      remove();
    }
  }
  await Promise.all(Array.from({ length: Math.min(parallel, removals.length) }, lane));
  return findings;
}

async function judge(
  copy: WorkingCopy,
  removal: Removal,
  sound: Map<string, Promise<Testimony>>,
): Promise<Finding> {
  const { name, defence, file } = removal;
  const finding = (verdict: Finding['verdict'], { said, tookMs }: Testimony): Finding => ({
    name,
    defence,
    file,
    verdict,
    said,
    tookMs: Math.round(tookMs),
  });
  const testimony = await hearWithout(copy, removal);
  if (testimony.verdict !== 'red')
    return finding(testimony.verdict === 'green' ? 'missed' : 'unusable', testimony);
  // Red without the defence says something only where it is green with it.
  const { noticed = removal } = testimony;
  const key = JSON.stringify([noticed.witnesses, noticed.only]);
  const before = sound.get(key) ?? hear(copy, noticed);
  sound.set(key, before);
  const healthy = await before;
  if (healthy.verdict === 'green') return finding('caught', testimony);
  return finding('unusable', { ...healthy, said: `not green with the defence: ${healthy.said}` });
}

/** What the witnesses say while the defence is away. */
async function hearWithout(copy: WorkingCopy, removal: Removal): Promise<Testimony> {
  const { file } = removal;
  const whole = copy.read(file);
  copy.write(file, without(removal, whole));
  try {
    await generateScripts(copy, file);
    return await hear(copy, removal);
  } finally {
    copy.write(file, whole);
    await generateScripts(copy, file);
  }
}

/** The engine carries its scripts in a module that is made from them. */
async function generateScripts(copy: WorkingCopy, file: string): Promise<void> {
  if (!file.endsWith('.lua')) return;
  const { code, output } = await copy.node(['tools/build-scripts.mjs'], 60_000);
  if (code !== 0) throw new Error(`the scripts could not be made anew: ${output}`);
}
