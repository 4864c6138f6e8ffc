/** Whether pipelines have become worse than the committed table has them. */
import type { ChipReport } from './isa.js';
import type { IsaTable } from './isa-table.js';
import type { Mix } from './loop.js';
import { PHASES } from './step.js';

/** More than this many times the committed number is worse. */
const MOST = 1.1;

/** What is worse on one chip, in words. A pipeline that the table does not have must not spill. */
export function regressions(table: IsaTable, report: ChipReport, model: string): string[] {
  const { chip, rows, launches } = report;
  const lines: string[] = [];
  const compare = (what: string, now: number, before: number) => {
    if (now > MOST * before) lines.push(`${chip}: ${what}: ${now}, in the table ${before}`);
  };
  for (const row of rows) {
    const before = table.pipelines.find(({ name, ...other }) => other.chip === chip && name === row.name);
    const known = before ?? { spills: 0, fills: 0 };
    if (row.spills > known.spills || row.fills > known.fills) {
      lines.push(
        `${chip}: ${row.name} spills: ${row.spills}:${row.fills}, in the table ${known.spills}:${known.fills}`,
      );
    }
    if (!before) continue;
    compare(`registers of ${row.name}`, row.registers, before.registers);
    compare(`instructions in the main loop of ${row.name}`, size(row.loop), size(before.loop));
  }
  const before = table.chips.find((other) => other.chip === chip)?.launches;
  for (const phase of before ? PHASES : []) {
    compare(`launches of ${phase}`, launches[model][phase], before?.[phase] ?? 0);
  }
  return lines;
}

function size(loop: Mix): number {
  return Object.values(loop).reduce((a, b) => a + b, 0);
}
