/** A tree of settings as it was written: in YAML, or by variables of the environment. */
export interface SettingsTree {
  readonly [key: string]: unknown;
}

/** Whether `value` is a group of settings rather than a setting. */
export function isTree(value: unknown): value is SettingsTree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Settings of `base` with those of `over` put over them, group by group. */
export function mergeSettings(base: SettingsTree, over: SettingsTree): SettingsTree {
  const merged = Object.entries(over).map(([key, value]): [string, unknown] => {
    const below = Object.hasOwn(base, key) ? base[key] : undefined;
    return [key, isTree(below) && isTree(value) ? mergeSettings(below, value) : value];
  });
  return { ...base, ...Object.fromEntries(merged) };
}
