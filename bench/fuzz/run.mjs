/**
 * Fuzzes the readers of untrusted bytes, one after another; README.md beside this file says how and what counts as a finding.
 *
 *     node bench/fuzz/run.mjs [--minutes 60] [--only dicom,parquet] [--out FILE]
 *     node bench/fuzz/run.mjs --only dicom --input findings/crash-...
 *
 * Exit code 1 if there are findings.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { seeds } from './seeds.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const jazzer = path.join(here, 'node_modules', '@jazzer.js', 'core', 'dist', 'cli.js');
/** Runs scripts under the private C library where there is one: the fuzzer's native part wants a new one. */
const runner = path.join(here, '..', '..', 'dist', 'platform', 'launcher', 'run.js');
/** What is instrumented: our code, and the libraries that parse for it. */
const INSTRUMENTED = [
  ...['/dist/', 'dicom-parser', 'hyparquet', '@huggingface/jinja', '@huggingface/tokenizers', 'yaml'],
];
/** One input that takes longer is a finding, and so is a process that takes more besides a heap of its usual size. */
const SECONDS = 10;
const MEGABYTES = 3072;
const HEAP_MEGABYTES = 1024;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    only: { type: 'string' },
    out: { type: 'string' },
    input: { type: 'string' },
  },
});
if (!fs.existsSync(jazzer)) {
  console.log('installing Jazzer.js, about 60 MB on disk ...');
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: here, stdio: 'inherit' });
}
const all = await seeds();
const chosen = values.only?.split(',') ?? Object.keys(all);
const unknown = chosen.find((name) => !(name in all));
if (unknown) throw new Error(`there is no target "${unknown}"; there are ${Object.keys(all).join(', ')}`);

const rows = [];
for (const name of chosen) {
  rows.push(await fuzz(name));
  console.log(line(rows.at(-1)));
}
if (values.out) fs.writeFileSync(values.out, `${JSON.stringify({ node: process.version, rows }, null, 1)}\n`);
process.exitCode = rows.some(({ finding }) => finding) ? 1 : 0;

/** Runs one target; what libFuzzer says of itself becomes a row. */
async function fuzz(name) {
  const corpus = path.join(here, 'corpus', name);
  const findings = path.join(here, 'findings', name);
  for (const folder of [corpus, findings]) fs.mkdirSync(folder, { recursive: true });
  for (const content of all[name]) {
    fs.writeFileSync(path.join(corpus, createHash('sha1').update(content).digest('hex')), content);
  }
  const largest = Math.max(4096, ...all[name].map(({ length }) => 2 * length));
  const libFuzzer = values.input
    ? [path.resolve(values.input)]
    : [`-max_total_time=${Math.round(60 * Number(values.minutes))}`, `-max_len=${largest}`];
  const args = [
    ...[runner, jazzer, path.join(here, 'targets.mjs'), ...(values.input ? [] : [corpus]), '-f', name],
    ...INSTRUMENTED.flatMap((part) => ['-i', part]),
    // Ours find what ours are for; theirs watch shells and paths that no reader has.
    ...['-e', 'jazzer', '--disableBugDetectors', '.*', '--timeout', `${1000 * SECONDS}`, '--'],
    ...[...libFuzzer, `-artifact_prefix=${findings}/`, `-rss_limit_mb=${MEGABYTES}`],
  ];
  const started = performance.now();
  const env = { ...process.env, NODE_OPTIONS: `--max-old-space-size=${HEAP_MEGABYTES}` };
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'pipe'], env });
  const row = { name, inputs: 0, features: 0, corpus: 0, megabytes: 0 };
  const last = [];
  for await (const text of createInterface({ input: child.stderr })) {
    last.push(text);
    if (last.length > 40) last.shift();
    const status = /^#(\d+)\s.*ft: (\d+) corp: (\d+).*rss: (\d+)Mb/.exec(text);
    if (status) [row.inputs, row.features, row.corpus, row.megabytes] = status.slice(1).map(Number);
  }
  const status = child.exitCode ?? (await new Promise((resolve) => child.once('exit', resolve)));
  const seconds = Math.round((performance.now() - started) / 1000);
  if (status === 0) return { ...row, seconds };
  const finding = last.find((text) => /Error|ERROR/.test(text)) ?? last.at(-1) ?? `exit code ${status}`;
  console.error(last.join('\n'));
  return { ...row, seconds, finding };
}

function line({ name, inputs, features, corpus, megabytes, seconds, finding }) {
  const said = `${name}: ${inputs} inputs in ${seconds} s, ${features} features, ${corpus} kept, ${megabytes} MB`;
  return finding ? `${said}; FINDING: ${finding}` : said;
}
