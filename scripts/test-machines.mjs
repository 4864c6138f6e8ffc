/**
 * Runs the tests as other machines would, and prints a table:
 *
 *     node scripts/test-machines.mjs [--only 256,swiftshader] [--minutes 120]
 *
 * `--only` chooses rows, `--minutes` ends a row that takes longer, `--help` lists the rows. Exit code 1 if a row fails. Each
 * takes as long as `npm test`, or several times that. What a row printed is in a folder that is named first.
 */
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBuilt, ensureInstalled, root } from './lib/checkout.mjs';
import { runWatched } from './lib/watched.mjs';

ensureInstalled();
ensureBuilt();
const { MACHINES } = await import('./lib/machines.mjs');

/** Settings of whoever calls that would make one machine into another. */
const UNSET = /^(OSLER_(?!CACHE|CHROMIUM)|LP_|VK_)/;

const { only, minutes } = readArguments();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'osler-machines-'));
console.log(`What each prints: ${folder}/<machine>.log\n`);
const rows = [];
for (const machine of MACHINES.filter(({ name }) => !only || only.includes(name))) {
  const row = await test(machine);
  rows.push(row);
  console.log(line(row));
}
console.log(`\n${table(rows)}`);
process.exitCode = rows.some(({ failed }) => failed > 0) ? 1 : 0;

function readArguments() {
  let values;
  try {
    const options = { only: { type: 'string' }, minutes: { type: 'string' }, help: { type: 'boolean' } };
    ({ values } = parseArgs({ options }));
  } catch (error) {
    stop(error.message);
  }
  if (values.help) {
    const text = fs.readFileSync(new URL(import.meta.url), 'utf8');
    console.log(
      text
        .slice(0, text.indexOf('*/'))
        .replace(/^\/?[ *]{0,3}/gm, '')
        .trim(),
    );
    for (const { name, what } of MACHINES) console.log(`  ${name.padEnd(16)} ${what}`);
    process.exit(0);
  }
  const only = values.only?.split(',');
  const unknown = only?.find((name) => !MACHINES.some((machine) => machine.name === name));
  if (unknown !== undefined) {
    stop(
      `--only: there is no machine "${unknown}"; there are ${MACHINES.map(({ name }) => name).join(', ')}`,
    );
  }
  const minutes = Number(values.minutes ?? 120);
  if (!(minutes > 0)) stop(`--minutes: "${values.minutes}" is no number of minutes`);
  return { only, minutes };
}

function stop(message) {
  console.error(`test-machines: ${message}`);
  process.exit(2);
}

/** Runs one row. */
async function test({ name, prepare, judge }) {
  const own = fs.mkdtempSync(path.join(folder, `${name}-`));
  const prepared = prepare(own);
  if (typeof prepared === 'string') return { name, first: `not possible here: ${prepared}` };
  const report = path.join(own, 'report.json');
  const log = path.join(folder, `${name}.log`);
  const inherited = Object.entries(process.env).filter(([key]) => !UNSET.test(key));
  const env = { ...Object.fromEntries(inherited), NO_COLOR: '1', ...prepared.env, OSLER_TEST_REPORT: report };
  const { status, seconds, peak, ended } = await runWatched(prepared.command, {
    env,
    cwd: root,
    log,
    minutes,
  });
  const output = fs.readFileSync(log, 'utf8');
  const tally = judge ? judged(judge(output, status), output) : read(report, output);
  fs.rmSync(own, { recursive: true });
  const [failure] = tally.failed;
  const first = failure && [failure.name, failure.note?.split('\n')[0], ended].filter(Boolean).join(': ');
  return {
    ...{ name, seconds, peak, first },
    ...{ passed: tally.passed, failed: tally.failed.length, skipped: tally.skipped.length },
  };
}

function judged(isRight, output) {
  const failed = isRight ? [] : [{ name: lastLine(output) }];
  return { passed: isRight ? 1 : 0, failed, skipped: [] };
}

function read(report, output) {
  if (fs.existsSync(report)) return JSON.parse(fs.readFileSync(report, 'utf8'));
  return { passed: 0, failed: [{ name: 'the tests did not end', note: lastLine(output) }], skipped: [] };
}

function lastLine(output) {
  return output.trim().split('\n').at(-1);
}

function line({ name, passed, failed, skipped, seconds, first }) {
  if (seconds === undefined) return `${name}: ${first}`;
  const said = `${name}: ${passed} passed, ${failed} failed, ${skipped} skipped in ${seconds.toFixed(0)} s`;
  return first ? `${said}; first ${first}` : said;
}

/** All rows, as Markdown. */
function table(rows) {
  const gib = (bytes) => (bytes === undefined ? '' : `${(bytes / 2 ** 30).toFixed(1)} GiB`);
  const cells = rows.map(({ name, passed, failed, skipped, seconds, peak, first }) =>
    [name, passed, failed, skipped, seconds?.toFixed(0), gib(peak), first].map((cell) => `${cell ?? ''}`),
  );
  const head = ['machine', 'passed', 'failed', 'skipped', 'seconds', 'peak memory', 'first failure'];
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i].length)));
  const format = (row) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`;
  return [format(head), format(widths.map((n) => '-'.repeat(n))), ...cells.map(format)].join('\n');
}
