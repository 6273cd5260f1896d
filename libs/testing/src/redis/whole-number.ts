/** Refuses an option that counts something and is not a whole number within its bounds, with a RangeError. */
export function checkWhole(name: string, value: number, lowest = 1, highest = Infinity): void {
  if (Number.isSafeInteger(value) && value >= lowest && value <= highest) return;
  const bounds = highest === Infinity ? `of at least ${lowest}` : `from ${lowest} to ${highest}`;
  throw new RangeError(`${name} must be a whole number ${bounds}, not ${value}`);
}
