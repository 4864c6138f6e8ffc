/**
 * Runs on a null device, in a process of its own: records what would be launched on such a device, compiles each pipeline
 * once, and leaves it to the driver to print what came out. A line before each says which it is.
 *
 * Argument: which pipelines, as JSON; file descriptor 3 gets a {@link Report} as JSON.
 */
import '#osler/platform/node/install.js';
import { writeSync } from 'node:fs';
import { openGpu } from '#osler/platform/launcher/open.js';
import { loadCases } from '../run.js';
import { ANNOUNCE, type Order, type Report } from './order.js';
import { weightOf } from './predict.js';
import { recordAll } from './record.js';
import type { Recorder, Use } from './recorder.js';
import { PHASES, type Phase } from './step.js';

const order = JSON.parse(process.argv[2]) as Order;
const gpu = await openGpu({ software: false });
const cases = order.benchmarks ? await loadCases() : [];
const recorders = await recordAll(gpu, order.models, cases);
const chosen = order.hottest ? hottest(recorders.get(order.models[0]) as Recorder, order.hottest) : null;
const pipelines = new Map<string, Record<string, readonly Use[]>>();
for (const [model, recorder] of recorders) {
  for (const { name, path, options, uses } of recorder.pipelines) {
    if (chosen && !chosen.has(name)) continue;
    const known = pipelines.get(name);
    if (known) {
      known[model] = uses;
      continue;
    }
    writeSync(2, `${ANNOUNCE}${pipelines.size}\n`);
    pipelines.set(name, { [model]: uses });
    gpu.compile(path, options);
    await gpu.sync();
  }
}
writeSync(2, `${ANNOUNCE}end\n`);
const report: Report = {
  adapter: gpu.info,
  tier: gpu.tier,
  launches: Object.fromEntries(
    order.models.map((model) => [model, launchesOf(recorders.get(model) as Recorder)]),
  ),
  pipelines: [...pipelines].map(([name, uses]) => ({ name, uses })),
};
writeAll(3, JSON.stringify(report));
process.exit(0);

function launchesOf(recorder: Recorder): Record<Phase, number> {
  const entries = PHASES.map((phase) => [phase, recorder.total(phase).launches]);
  return Object.fromEntries(entries) as Record<Phase, number>;
}

function hottest({ pipelines: all }: Recorder, most: number): Set<string> {
  const sorted = all.toSorted((a, b) => weightOf(b, b.uses) - weightOf(a, a.uses));
  return new Set(sorted.slice(0, most).map(({ name }) => name));
}

/** A pipe takes a part at a time. */
function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}
