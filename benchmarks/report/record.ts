import type { BenchCase } from '../cases/bench-case.js';
import type { Machine } from './machine.js';
import type { Row } from './rows.js';

export async function record(
  _rows: readonly Row[],
  _facts: Machine,
  _cases: readonly BenchCase[],
): Promise<void> {}
