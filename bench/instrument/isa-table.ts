/** The table of `osler bench --isa`: as data, for people, and as Markdown. */
import type { NullChip } from '#osler/platform/launcher/null-gpu.js';
import type { ChipReport, IsaRow } from './isa.js';
import { weightOf } from './predict.js';
import type { Statistics } from './statistics.js';
import type { Phase } from './step.js';

/** A row as it is printed and kept. */
export interface TableRow extends Statistics {
  readonly name: string;
  readonly chip: NullChip;
  /** Predicted share of the first model's step, on the roofline of one card for all chips; 0 for other pipelines. */
  readonly share: number;
}

/** All rows, and what they were made with. */
export interface IsaTable {
  readonly made: { readonly mesa: string; readonly dawn: string };
  readonly models: readonly string[];
  readonly chips: readonly {
    readonly chip: NullChip;
    readonly name: string;
    readonly tier: string;
    readonly subgroups: string;
    /** Launches of the phases of the first model's step; of decode, of one step. */
    readonly launches: Readonly<Record<Phase, number>>;
  }[];
  readonly pipelines: readonly TableRow[];
}

/** Makes the table; the models' first is the one that counts. */
export function tableOf(
  reports: readonly ChipReport[],
  models: readonly string[],
  made: IsaTable['made'],
): IsaTable {
  return {
    made,
    models,
    chips: reports.map(({ chip, adapter, tier, launches }) => ({
      chip,
      name: adapter.name,
      tier,
      subgroups: adapter.subgroupSize ? `${adapter.subgroupSize.min}..${adapter.subgroupSize.max}` : 'none',
      launches: launches[models[0]],
    })),
    pipelines: reports.flatMap(({ rows }) => weighed(rows, models[0])),
  };
}

function weighed(rows: readonly IsaRow[], model: string): TableRow[] {
  const seconds = rows.map((row) => weightOf(row, row.uses[model] ?? []));
  const total = seconds.reduce((a, b) => a + b, 0);
  return rows
    .map(({ uses, ...row }, i) => ({ ...row, share: Number((seconds[i] / total).toFixed(4)) }))
    .sort((a, b) => b.share - a.share || (a.name < b.name ? -1 : 1));
}

/** JSON with a row per line, so that changes can be read. */
export function jsonOf({ pipelines, ...rest }: IsaTable): string {
  const head = JSON.stringify(rest, null, 1).replace(/\n\}$/, '');
  const rows = pipelines.map((row) => ` ${JSON.stringify(row)}`);
  return `${head},\n "pipelines": [\n${rows.join(',\n')}\n]}\n`;
}

const COLUMNS = ['share', 'registers', 'spills', 'fills', 'shared', 'waves', 'matrix', 'float', 'alu'];
const MORE = ['lds', 'memory', 'barrier', 'latency', 'throughput', 'pipeline'];

/** Cells of a row, in the order of the columns. */
function cells(row: TableRow): string[] {
  const { loop } = row;
  return [
    row.share > 0 ? `${(100 * row.share).toFixed(1)}%` : '',
    ...[row.registers, row.spills, row.fills, row.sharedBytes, row.waves].map(String),
    ...[loop.matrix, loop.float, loop.alu, loop.lds, loop.memory, loop.barrier].map(String),
    ...[row.latency, row.throughput].map((value) => String(value ?? '')),
    row.name,
  ];
}

/** One line about a chip. */
function summary(
  table: IsaTable,
  { chip, name, tier, subgroups, launches }: IsaTable['chips'][number],
): string {
  const rows = table.pipelines.filter((row) => row.chip === chip);
  const spilling = rows.filter(({ spills, fills }) => spills + fills > 0);
  const spills = spilling.reduce((sum, row) => sum + row.spills, 0);
  const fills = spilling.reduce((sum, row) => sum + row.fills, 0);
  return (
    `${chip} (${name.replace(/-+$/, '')}, tier ${tier}, subgroups ${subgroups}): ${rows.length} pipelines, ` +
    `${spilling.length} with spills (${spills} spills, ${fills} fills); launches of a decode step ${launches.decode}, ` +
    `of a step's passes ${launches.forward + launches.backward}`
  );
}

/** For a terminal: by chip the pipelines that take the most time, and all that spill. */
export function textOf(table: IsaTable, most = 12): string {
  const lines: string[] = [];
  for (const chip of table.chips) {
    lines.push(
      '',
      summary(table, chip),
      `  ${[...COLUMNS, ...MORE].map((word) => word.slice(0, 9).padStart(9)).join(' ')}`,
    );
    const rows = table.pipelines.filter((row) => row.chip === chip.chip);
    const shown = rows.filter(({ spills, fills }, i) => i < most || spills + fills > 0);
    for (const row of shown) {
      const all = cells(row);
      const name = all.pop();
      lines.push(`  ${all.map((cell) => cell.padStart(9)).join(' ')}  ${name}`);
    }
    if (shown.length < rows.length) lines.push(`  and ${rows.length - shown.length} more (--json has all)`);
  }
  return lines.slice(1).join('\n');
}

/** For reading in a browser: all rows. */
export function markdownOf(table: IsaTable): string {
  const { made, models } = table;
  const lines = [
    '# Pipelines as real drivers compile them',
    '',
    `Made by \`osler bench --isa\` with ${made.mesa} and ${made.dawn}, on devices that execute nothing: compiler statistics, no`,
    `measurements. Pipelines of a LoRA GRPO step of ${models.join(' and ')}, and of the kernel benchmarks; share: predicted part`,
    "of the first model's step. Registers are the driver's numbers (on Apple of 16 bits). waves: subgroups that a SIMD (AMD), a",
    'multiprocessor (NVIDIA) or a core (Adreno) holds, on Apple threads. matrix to barrier: instructions of the main loop.',
  ];
  for (const chip of table.chips) {
    lines.push('', `## ${chip.chip}`, '', summary(table, chip), '');
    lines.push(`| ${[...COLUMNS, ...MORE].join(' | ')} |`, `|${'--:|'.repeat(14)}---|`);
    for (const row of table.pipelines) {
      if (row.chip === chip.chip) lines.push(`| ${cells(row).join(' | ')} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}
