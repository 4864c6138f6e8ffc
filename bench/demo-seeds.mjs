/**
 * `node bench/demo-seeds.mjs [--seeds 0,1,2] [--out FILE]`: the demo with several seeds, and whether what it claims holds in each:
 * GRPO lifts the accuracy on new questions by 20 points or more, and beats its control on the held-out modality.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '0,1,2' }, out: { type: 'string' } },
});

const results = values.seeds.split(',').map((seed) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'osler-demo-'));
  const start = performance.now();
  try {
    const { status } = spawnSync(
      process.execPath,
      [path.join(root, 'scripts', 'osler.mjs'), 'demo', '--seed', seed, '--out', folder],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    if (status !== 0) throw new Error(`the demo with seed ${seed} ended with ${status}`);
    const { rows } = JSON.parse(readFileSync(path.join(folder, 'summary.json'), 'utf8'));
    return { seed: Number(seed), seconds: Math.round((performance.now() - start) / 1000), rows };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

let holds = true;
for (const { seed, seconds, rows } of results) {
  const [start, sft, grpo] = rows;
  const good =
    grpo.trained.accuracy - start.trained.accuracy >= 0.2 && grpo.heldOut.accuracy > sft.heldOut.accuracy;
  holds &&= good;
  const cells = rows.map(({ name, trained, heldOut }) => `${name} ${share(trained)} / ${share(heldOut)}`);
  console.log(`seed ${seed}: ${cells.join(', ')} (${seconds} s)${good ? '' : '  DOES NOT HOLD'}`);
}
if (values.out) writeFileSync(values.out, `${JSON.stringify(results, null, 2)}\n`);
process.exitCode = holds ? 0 : 1;

function share({ accuracy }) {
  return `${(100 * accuracy).toFixed(1)}%`;
}
