/** A figure of a trial: its unit, and whether more of it is better. */
interface FigureKind {
  readonly label: string;
  readonly unit: string;
  readonly more: 'better' | 'worse';
  /** Digits behind the point. */
  readonly digits: number;
}

/** Every figure that a trial may have. */
export const FIGURES = {
  tasksPerSecond: { label: 'tasks/s', unit: '/s', more: 'better', digits: 0 },
  cpuMicros: { label: 'CPU per task', unit: 'µs', more: 'worse', digits: 1 },
  nodeCpuMicros: { label: 'of that Node', unit: 'µs', more: 'worse', digits: 1 },
  redisCpuMicros: { label: 'of that Redis', unit: 'µs', more: 'worse', digits: 1 },
  p50Ms: { label: 'p50', unit: 'ms', more: 'worse', digits: 2 },
  p99Ms: { label: 'p99', unit: 'ms', more: 'worse', digits: 2 },
  p999Ms: { label: 'p99.9', unit: 'ms', more: 'worse', digits: 2 },
  offeredPerSecond: { label: 'offered', unit: '/s', more: 'better', digits: 0 },
  callsLateP99Ms: { label: 'calls late, p99', unit: 'ms', more: 'worse', digits: 2 },
  earliestMs: { label: 'earliest', unit: 'ms', more: 'worse', digits: 2 },
  loneEnqueueMs: { label: 'lone enqueue, p50', unit: 'ms', more: 'worse', digits: 3 },
  roundTripMs: { label: 'bare round trip, p50', unit: 'ms', more: 'worse', digits: 3 },
  loneOverRoundTripMs: { label: 'lone enqueue over a round trip', unit: 'ms', more: 'worse', digits: 3 },
  bytesPerTask: { label: 'Redis memory per task', unit: 'B', more: 'worse', digits: 0 },
  slowestCommandMs: { label: 'slowest command', unit: 'ms', more: 'worse', digits: 2 },
  commandsPerSecond: { label: 'commands/s', unit: '/s', more: 'worse', digits: 2 },
  busiestShare: { label: 'busiest master, × the mean', unit: '', more: 'worse', digits: 3 },
  connections: { label: 'connections', unit: '', more: 'worse', digits: 0 },
} as const satisfies Readonly<Record<string, FigureKind>>;

export type FigureName = keyof typeof FIGURES;
export type Figures = Readonly<Partial<Record<FigureName, number>>>;

/** A figure in words, with its unit unless `bare`: `149,000/s`, `6.1 µs`. */
export function figureText(name: FigureName, value: number, how: 'bare' | 'with unit' = 'with unit'): string {
  const { unit, digits } = FIGURES[name];
  const text = value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
  if (how === 'bare' || unit === '') return text;
  return unit.startsWith('/') ? `${text}${unit}` : `${text} ${unit}`;
}
