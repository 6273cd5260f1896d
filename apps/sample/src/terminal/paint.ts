import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** Text in colour where a person looks at it: on a terminal, unless `NO_COLOR` is set. */
export function paint(style: Style, text: string, out: NodeJS.WriteStream = process.stdout): string {
  return out.isTTY && !process.env['NO_COLOR'] ? styleText(style, text) : text;
}
