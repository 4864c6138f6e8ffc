/** Tables of text for the terminal. */
import { visibleInLine } from '../formats/quote.js';

/** Rows under a heading with columns that line up; the first column to the left, the others to the right. */
export function textTable(headings: readonly string[], cells: readonly (readonly string[])[]): string {
  const [head = [], ...rows] = [headings, ...cells].map((row) => row.map(visibleInLine));
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number)))
      .join('  ')
      .trimEnd();
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}

/** A share as a percentage. */
export function percent(share: number, digits = 1): string {
  return `${(100 * share).toFixed(digits)}%`;
}
