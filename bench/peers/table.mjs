// Prints the rows of a contest.

const ms = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));
const timing = (t) => (t ? `${ms(t.median)} [${ms(t.p10)}-${ms(t.p90)}]` : '-');
const number = (value, digits = 2) => (value === undefined ? '' : value.toFixed(digits));
const ratio = (value) => (value === undefined ? '' : `${value.toFixed(2)}x`);

const COLUMNS = [
  ['item', (row) => row.item],
  ['contestant', (row) => `${row.contestant}${row.peer ? '' : ' *'}`],
  [
    'one op, ms',
    (row) => (row.status === 'ok' ? `${row.disturbed ? '~' : ''}${timing(row.single)}` : row.status),
  ],
  ['queued, ms/op', (row) => timing(row.queued)],
  ['GFLOP/s', (row) => number(row.gflops)],
  ['GB/s', (row) => number(row.gbps)],
  ['vs WebGPU', (row) => ratio(row.vsWebgpu)],
  ['vs WASM', (row) => ratio(row.vsWasm)],
  ['first, ms', (row) => (row.firstMs === undefined ? '' : ms(row.firstMs))],
  ['error', (row) => row.message ?? row.error?.toExponential(0) ?? ''],
];

/** @param {import("./harness.mjs").Row[]} rows */
export function formatTable(rows) {
  const cells = [COLUMNS.map(([title]) => title), ...rows.map((row) => COLUMNS.map(([, show]) => show(row)))];
  const widths = COLUMNS.map((_, i) => Math.max(...cells.map((line) => line[i].length)));
  const lines = cells.map((line) => `| ${line.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`);
  lines.splice(1, 0, `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`);
  return lines.join('\n');
}

export const LEGEND = `median [p10-p90]; "one op": queued, then waited for, without reading back; "queued": several, then awaited once.
"vs": speed relative to the fastest peer of that kind, from the better of the two medians (2x is twice as fast).
~ other processes disturbed some of it. * not a peer: shown beside, not compared with. "first": set-up, compilation and first run. "error": relative, against float64.`;
