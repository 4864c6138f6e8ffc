/** Checks and measures the GPU, in a worker: the page stays awake, and a lost device does not end it. */
import { CARDS } from '../bench/instrument/cards.js';
import { measureStep } from '../bench/instrument/measure-step.js';
import { measure, tune } from '../bench/measure.js';
import { type Gpu, OslerError } from '../src/gpu/index.js';
import { measureRoofline, type Roofline } from '../src/kernels/roofline.js';
import { openGpu } from '../src/platform/browser/open.js';
import { BENCHES } from './bench-cases.js';
import type { CardEvent, CardRequest, FamilyChecks } from './card-report.js';
import { checkFamily, FAMILIES, type Family } from './harness/checks.js';
import { type PlannedStep, QUICK_BENCHES, QUICK_FAMILIES, STEPS } from './plan.js';

const scope = globalThis as unknown as {
  onmessage: (event: { data: CardRequest }) => void;
  postMessage(event: CardEvent): void;
};
const tell = (event: CardEvent) => scope.postMessage(event);
const note = (text: string) => tell({ kind: 'note', note: text });

scope.onmessage = async ({ data }) => {
  let complete = false;
  try {
    complete = await run(data);
  } catch (error) {
    note(problemOf('The GPU', error));
  }
  tell({ kind: 'end', complete });
};

/** Whether all was done. */
async function run({ only }: CardRequest): Promise<boolean> {
  const gpu = await openGpu();
  const { info, tier } = gpu;
  await gpu.destroy();
  const quick = info.software;
  const chosen = (name: string, isSlow: boolean) => (only === undefined ? !(quick && isSlow) : name === only);
  tell({ kind: 'adapter', adapter: info, tier, limits: limitsOf(gpu) });
  sayWhatIsMissing(gpu, quick);
  let complete = true;
  const attempt = async (what: string, work: () => Promise<void>) => {
    tell({ kind: 'doing', what });
    try {
      await work();
    } catch (error) {
      complete = false;
      note(problemOf(what, error));
    }
  };
  for (const family of FAMILIES) {
    if (!chosen(family, !QUICK_FAMILIES.includes(family))) continue;
    await attempt(`Checks of ${family}`, () => checkOne(family));
  }
  let roofline: Roofline | undefined;
  await attempt('The roofline', () =>
    onDevice(async (device) => {
      roofline = await measureRoofline(device);
      tell({ kind: 'roofline', roofline });
    }),
  );
  if (!roofline) return false;
  for (const family of Object.keys(BENCHES)) {
    if (!chosen(family, !QUICK_BENCHES.test(family))) continue;
    await attempt(`Times of ${family}`, () => timeFamily(family, roofline as Roofline));
  }
  for (const step of STEPS) {
    if (!chosen(step.model, step.large)) continue;
    await attempt(`A step of ${step.title}`, () => timeStep(step, roofline as Roofline));
  }
  return complete && only === undefined;
}

async function checkOne(family: Family): Promise<void> {
  const checks: FamilyChecks = { family, passed: 0, skipped: 0, failed: [], seconds: 0 };
  await checkFamily(family, ({ name, state, milliseconds, reason }) => {
    if (state === 'passed') checks.passed++;
    else if (state === 'skipped') checks.skipped++;
    else checks.failed.push({ name, reason: reason ?? '' });
    checks.seconds += milliseconds / 1000;
    tell({ kind: 'checks', checks });
  });
}

async function timeFamily(family: string, roofline: Roofline): Promise<void> {
  await onDevice(async (gpu) => {
    for (const bench of BENCHES[family] ?? []) {
      if (!(bench.available?.(gpu) ?? true)) continue;
      await tune(gpu, bench);
      tell({ kind: 'kernel', row: await measure(gpu, bench, roofline) });
    }
  });
}

async function timeStep({ model, title, shape, layers }: PlannedStep, roofline: Roofline): Promise<void> {
  await onDevice(async (gpu) => {
    const sheet = CARDS.find(({ name }) => gpu.info.name.toLowerCase().includes(name.toLowerCase()));
    const phases = await measureStep(gpu, { model, shape, layers, roofline, sheet });
    const { prompts, completions, tokens } = shape;
    tell({
      kind: 'step',
      step: {
        model: title,
        shape: `${prompts} prompts x ${completions} completions x ${tokens} tokens`,
        phases,
      },
    });
  });
}

/** Each part has a device of its own: what one part broke is not the next one's. */
async function onDevice(work: (gpu: Gpu) => Promise<void>): Promise<void> {
  const gpu = await openGpu();
  try {
    await work(gpu);
  } finally {
    await gpu.destroy().catch(() => {});
  }
}

function limitsOf(gpu: Gpu): Record<string, number> {
  const limits: Record<string, number> = {};
  for (const name in gpu.limits) {
    const value = gpu.limits[name as keyof GPUSupportedLimits];
    if (typeof value === 'number') limits[name] = value;
  }
  return limits;
}

function sayWhatIsMissing({ info, has }: Gpu, quick: boolean): void {
  if (quick) {
    note(
      'Kernels run on the processor here, so only what software compiles in seconds is checked and measured; open the page where the browser uses a GPU.',
    );
  }
  if (!has.subgroups) {
    note(
      'The adapter offers no subgroups, so kernels run in their base variants; a newer browser or driver may offer them.',
    );
  } else if (!has.subgroupMatrix && !info.software) {
    note(
      'The browser shows no matrix units; Chrome does after a start with --enable-unsafe-webgpu, if the GPU and its driver have them.',
    );
  }
}

function problemOf(what: string, error: unknown): string {
  const { message } = error as Error;
  const code = error instanceof OslerError ? error.code : '';
  if (code === 'device-lost') {
    return `${what}: the browser lost the GPU, mostly because one piece of work took it too long; load the page again, and close what else uses it. (${message})`;
  }
  if (code === 'out-of-memory' || code === 'limit') {
    return `${what}: the GPU has too little memory for it, or the browser allows too little; close what else uses it. (${message})`;
  }
  return what === 'The GPU' ? message : `${what}: ${message}`;
}
