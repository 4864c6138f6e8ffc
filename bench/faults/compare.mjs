/** Whether two finished runs are the same. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isMachineMetric } from '#osler/train/clock.js';
import { STEPS } from './configs.mjs';

function metrics(run) {
  const lines = readFileSync(path.join(run, 'metrics.jsonl'), 'utf8').trim().split('\n');
  return lines
    .map((line) =>
      JSON.stringify(Object.entries(JSON.parse(line)).filter(([name]) => !isMachineMetric(name))),
    )
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
export function difference(a, b, steps = STEPS) {
  const last = path.join('checkpoints', `step-${String(steps).padStart(6, '0')}`);
  try {
    if (metrics(a) !== metrics(b)) return 'metrics.jsonl';
    const logs = filesBelow(a).filter((name) => name === 'completions.jsonl');
    const same = (name) => readFileSync(path.join(a, name)).equals(readFileSync(path.join(b, name)));
    const [mine, other] = [filesBelow(path.join(a, last)), filesBelow(path.join(b, last))];
    if (mine.join() !== other.join()) return 'the files of the last checkpoint';
    return [...logs, ...mine.map((name) => path.join(last, name))].find((name) => !same(name));
  } catch (error) {
    return error.message;
  }
}
