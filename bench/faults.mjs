/**
 * Random training runs under random faults. Whatever happens to a run, it ends as one that nobody disturbed, byte for byte,
 * or says in one sentence why not, with exit code 1 or 2; and what is resumed afterwards ends as the undisturbed one.
 *
 *     node bench/faults.mjs [--minutes 40] [--cases 200] [--seed 1] [--only "disk full"] [--case 17] [--json FILE]
 *
 * A case has its config and its fault from the seed and its number: `--case` takes one again. A line a case, a table at the end,
 * exit code 1 if one broke the rule. Faults of the disk mount a tmpfs, which takes root; they are skipped without.
 */
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { difference, filesBelow } from './faults/compare.mjs';
import { CONFIGS, prepare } from './faults/configs.mjs';
import { canMount, KINDS, unmountBelow } from './faults/kinds.mjs';
import { badEnd, endAll, train } from './faults/process.mjs';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '40' },
    cases: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    case: { type: 'string' },
    json: { type: 'string' },
  },
});
const dir = mkdtempSync(path.join(tmpdir(), 'osler-faults-'));
const allowed = { mounts: canMount(path.join(dir, 'mount')) };
const names = Object.keys(KINDS).filter((name) => values.only === undefined || name === values.only);
const references = new Map();

/** Numbers that are random enough, and the same for the same case. */
function randomOf(index) {
  let state = (Number(values.seed) * 65537 + index * 2654435761) >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  next();
  return next;
}

/** The run that nobody disturbs, with how long it took. */
async function referenceOf(config) {
  const known = references.get(config.name);
  if (known) return known;
  const run = path.join(dir, `reference-${config.name}`);
  const start = performance.now();
  const end = await train({ dir, config, run, deadline: 300_000 }).done;
  if (end.code !== 0) throw new Error(`${config.name} does not run undisturbed: ${end.said}`);
  const bytes = filesBelow(run).reduce((sum, name) => sum + statSync(path.join(run, name)).size, 0);
  const found = { run, length: performance.now() - start, kilobytes: bytes / 1024 };
  references.set(config.name, found);
  return found;
}

/** How often a run may be resumed until it has ended as it should: it falls back to the checkpoint before a damaged one. */
const RESUMES = 2;
/** Faults after which a run may have nothing left to go on from, if it says so. */
const FATAL = ['flipped bit', 'truncated'];

async function takeCase(index) {
  const random = randomOf(index);
  const fault = names[index % names.length];
  const { needs } = KINDS[fault];
  const fitting = CONFIGS.filter(({ command }) => needs !== 'rewards' || command === 'grpo');
  const config = fitting[Math.floor(random() * fitting.length)];
  const base = { case: index, fault, config: config.name };
  if (needs === 'mounts' && !allowed.mounts) return { ...base, outcome: 'skipped', why: 'no mounts here' };
  const run = path.join(dir, `case-${index}`);
  const begun = performance.now();
  const judged = await judge({ fault, config, run, random }).catch(({ message }) => ({ broken: message }));
  rmSync(run, { recursive: true, force: true });
  const { broken, said, outcome } = judged;
  const seconds = Number(((performance.now() - begun) / 1000).toFixed(1));
  if (broken === undefined) return { ...base, outcome, seconds };
  return { ...base, outcome: 'BROKEN', seconds, why: broken, said };
}

/** Disturbs a run and resumes it: `outcome` where it kept the rule, else what is `broken`, and what the run said. */
async function judge({ fault, config, run, random }) {
  const { run: reference, length, kilobytes } = await referenceOf(config);
  const deadline = Math.max(60_000, 10 * length);
  const start = (options = {}) => train({ dir, config, run, deadline, ...options });
  const ends = await KINDS[fault].disturb({ start, run, random, length, kilobytes, reference });
  for (const end of ends) {
    const killed = fault === 'kill' && end.signal === 'SIGKILL' && !end.hung;
    const broken = killed ? undefined : badEnd(end);
    if (broken) return { broken, said: end.said };
  }
  const disturbed = ends.every(({ code }) => code !== 0);
  for (let tries = 0; disturbed && ends.at(-1).code !== 0; tries++) {
    if (tries === RESUMES) {
      return FATAL.includes(fault)
        ? { outcome: 'sentence' }
        : { broken: 'cannot be resumed', said: ends.at(-1).said };
    }
    const end = await start({ resume: existsSync(path.join(run, 'config.yaml')) }).done;
    const broken = badEnd(end);
    if (broken) return { broken: `resumed: ${broken}`, said: end.said };
    ends.push(end);
  }
  const differs = difference(reference, run);
  if (differs) return { broken: `differs in ${differs}`, said: ends.map(({ said }) => said).join('\n') };
  return { outcome: disturbed ? 'ended, then equal' : 'equal' };
}

function show({ case: index, fault, config, outcome, seconds = 0, why, said }) {
  console.log(`${index}: ${fault}, ${config}: ${outcome}${why ? ` (${why})` : ''}, ${seconds} s`);
  if (said) console.log(said.trim().replace(/^/gm, '    '));
}

/** Faults by outcome. */
function table(results) {
  const outcomes = [...new Set(results.map(({ outcome }) => outcome))].sort();
  const rows = [...new Set(results.map(({ fault }) => fault))].map((fault) => {
    const of = (outcome) => results.filter((one) => one.fault === fault && one.outcome === outcome).length;
    return [fault, ...outcomes.map((outcome) => String(of(outcome)))];
  });
  const lines = [['fault', ...outcomes], ...rows];
  return lines
    .map((line) =>
      line
        .map((cell) => cell.padEnd(22))
        .join('')
        .trimEnd(),
    )
    .join('\n');
}

async function main() {
  await prepare(dir);
  const until = performance.now() + Number(values.minutes) * 60_000;
  const only = values.case === undefined ? undefined : Number(values.case);
  const results = [];
  for (let i = only ?? 0; i < (only === undefined ? Number(values.cases) : only + 1); i++) {
    if (performance.now() > until) break;
    const one = await takeCase(i);
    show(one);
    results.push(one);
  }
  const broken = results.filter(({ outcome }) => outcome === 'BROKEN').length;
  console.log(`\n${table(results)}\n\n${results.length} faults, ${broken} broke the rule`);
  if (values.json) {
    const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
    const written = { seed: Number(values.seed), machine, faults: results.length, broken, cases: results };
    writeFileSync(values.json, `${JSON.stringify(written, null, 1)}\n`);
  }
  process.exitCode = broken > 0 ? 1 : 0;
}

// Also where the campaign itself is told to end: its runs are processes of groups of their own, and have mounts.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => process.exit(1));
process.on('exit', () => {
  endAll();
  if (allowed.mounts) unmountBelow(dir);
  rmSync(dir, { recursive: true, force: true });
});
await main();
