/** Whether two finished runs are the same. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { STEPS } from './configs.mjs';

/** Fields of metrics that say how long something took on this machine, or how much of it. */
const MACHINE = /^(time\/|memory\/|step_time$|tokens_per_second$)/;
const LAST = path.join('checkpoints', `step-${String(STEPS).padStart(6, '0')}`);

function metrics(run) {
  const lines = readFileSync(path.join(run, 'metrics.jsonl'), 'utf8').trim().split('\n');
  return lines
    .map((line) => JSON.stringify(Object.entries(JSON.parse(line)).filter(([name]) => !MACHINE.test(name))))
    .join('\n');
}

/** Files below a folder. */
export function filesBelow(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}

/** What differs; undefined if logs (but for times and memory) and the last checkpoint are equal, byte for byte. */
export function difference(a, b) {
  try {
    if (metrics(a) !== metrics(b)) return 'metrics.jsonl';
    const logs = filesBelow(a).filter((name) => name === 'completions.jsonl');
    const same = (name) => readFileSync(path.join(a, name)).equals(readFileSync(path.join(b, name)));
    const [mine, other] = [filesBelow(path.join(a, LAST)), filesBelow(path.join(b, LAST))];
    if (mine.join() !== other.join()) return 'the files of the last checkpoint';
    return [...logs, ...mine.map((name) => path.join(LAST, name))].find((name) => !same(name));
  } catch (error) {
    return error.message;
  }
}
