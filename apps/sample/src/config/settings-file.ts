import { existsSync, readFileSync } from 'node:fs';
import { loadAll, YAMLException } from 'js-yaml';
import { isTree, type SettingsTree } from './settings-tree.js';

/** Where settings are read from unless `TASKQ_CONFIG` names another file. */
export const DEFAULT_SETTINGS_FILE = 'config/config.yaml';

/** What a file of settings holds. */
export interface FileSettings {
  /** The file, or `undefined` when there is none. */
  readonly file: string | undefined;
  readonly settings: SettingsTree;
}

/**
 * Reads the file of settings. The default one may be missing; one that was named may not. What is wrong is added to
 * `problems`, by reason and line: a quotation of the file could show a password.
 */
export function readSettingsFile(named: string | undefined, problems: string[]): FileSettings {
  const file = named || DEFAULT_SETTINGS_FILE;
  if (!existsSync(file)) {
    if (named) problems.push(`TASKQ_CONFIG names ${file}, which does not exist`);
    return { file: undefined, settings: {} };
  }
  return { file, settings: parse(file, problems) };
}

function parse(file: string, problems: string[]): SettingsTree {
  try {
    const [settings = {}] = loadAll(readFileSync(file, 'utf8'));
    if (settings === null || isTree(settings)) return settings ?? {};
    problems.push(`${file} must hold settings by name ("http: { port: 3000 }")`);
  } catch (error) {
    problems.push(`${file} cannot be read: ${reasonOf(error)}`);
  }
  return {};
}

function reasonOf(error: unknown): string {
  if (!(error instanceof YAMLException)) return (error as NodeJS.ErrnoException).code ?? 'it is no text';
  return error.mark ? `${error.reason} in line ${error.mark.line + 1}` : error.reason;
}
