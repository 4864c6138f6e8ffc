/** An audit of runs: the last steps taken again. */
import { cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { exitCodeOf } from '../../src/cli/common.js';
import * as device from '../../src/cli/device.js';
import { replay } from '../../src/cli/replay.js';
import { runCommand } from '../../src/cli/test-run.js';
import { workspace as grpoWorkspace, runGrpo } from '../grpo/support.js';
import { testGpu } from '../support/gpu.js';
import { removeFolders, runSft, temporary, workspace } from './support.js';

/** A run of four steps with checkpoints at 2 and 4, its data, and a folder for a test's copy of it. */
let whole: string;
let data: string;
let run: string;
vi.mock('../../src/cli/device.js', { spy: true });

beforeAll(async () => {
  const gpu = await testGpu();
  // Opening devices and compiling kernels would take longer than the rest.
  vi.spyOn(device, 'openDevice').mockResolvedValue(gpu);
  vi.spyOn(gpu, 'destroy').mockResolvedValue();
  const made = await workspace();
  const settings = { ...made.settings, use_peft: true, lora_r: 4, lora_dropout: 0.2 };
  data = join(made.dir, 'train.jsonl');
  whole = join(made.dir, 'whole');
  await runSft(gpu, { ...settings, max_steps: 4, output_dir: whole });
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
beforeEach(async () => {
  run = join(await temporary(), 'run');
  await cp(whole, run, { recursive: true });
});
afterAll(async () => {
  // Files share their modules: whoever opens a device after this one shall get one.
  vi.mocked(device.openDevice).mockReset();
  vi.restoreAllMocks();
  await removeFolders();
});

const again = (...words: string[]) => runCommand(replay, 'replay', run, ...words);

async function flip(file: string, place: number): Promise<void> {
  const bytes = await readFile(file);
  bytes[bytes.length + place] ^= 16;
  await writeFile(file, bytes);
}

/** Names and times of all that a folder has. */
async function traces(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(folder, { recursive: true }))
    found.push(`${name} ${(await stat(join(folder, name))).mtimeMs}`);
  return found.sort();
}

it('is equal where nothing changed, and leaves the run as it is', async () => {
  const before = await traces(run);
  const { out, exitCode } = await again('--steps', '1');
  expect(out).toContain(
    `${run}: 2 steps up to step 4 taken again, from the checkpoint of step 2\ndevice then: `,
  );
  expect(out).toMatch(/; now: the same\nOsler then: [\d.]+; now: the same\n/);
  for (const file of [
    'adapter_model.safetensors',
    'trainer-state/optimizer.safetensors',
    'trainer-state/state.json',
  ])
    expect(out).toContain(`  ${file}: equal\n`);
  expect(out).toMatch(/ {2}metrics\.jsonl: 2 lines, equal\nequal, byte by byte$/);
  expect(exitCode).toBe(0);
  expect(await traces(run)).toEqual(before);
});

it('says what differs, and by how much', async () => {
  const file = join(run, 'checkpoints', 'step-000004', 'adapter_model.safetensors');
  await flip(file, -2);
  const log = join(run, 'metrics.jsonl');
  await writeFile(log, (await readFile(log, 'utf8')).replace(/("step":4,.*"loss":)/, '$11'));
  const { out, exitCode } = await again('--steps', '2', '--json');
  const audit = JSON.parse(out);
  expect(audit).toMatchObject({
    pass: false,
    start: 2,
    last: 4,
    logs: [{ log: 'metrics.jsonl', lines: 2, different: 1 }],
  });
  expect(audit.files.filter(({ equal }: { equal: boolean }) => !equal)).toEqual([
    {
      file: 'adapter_model.safetensors',
      equal: false,
      problem: expect.stringMatching(
        /^the run has it otherwise than it wrote it; largest difference \S+, in \S+$/,
      ),
    },
  ]);
  expect(exitCode).toBe(1);
});

it('refuses what cannot be taken again', async () => {
  const refusal = async (...words: string[]) => {
    const problem = await again(...words).catch((error: unknown) => error);
    expect(exitCodeOf(problem)).toBe(2);
    return (problem as Error).message;
  };
  expect(await refusal('--steps', '3')).toMatch(
    /^--steps 3: .* has no checkpoint so far before its last, that of step 4; possible are up to 2 from step 2, or 4 from the model itself$/,
  );
  expect(await refusal('--steps', '0')).toMatch(/not a whole number of 1 or more/);
  const text = await readFile(data, 'utf8');
  await writeFile(data, text.replace('It is 0.', 'It is 1.'));
  expect(await refusal('--steps', '2')).toMatch(
    /step-000004 cannot be taken again: .*train\.jsonl has changed since; put back what was there$/,
  );
  await rm(data);
  expect(await refusal('--steps', '2')).toMatch(/train\.jsonl is not there now; put back/);
  await writeFile(data, text);
  await flip(join(run, 'checkpoints', 'step-000002', 'trainer-state', 'state.json'), -5);
  expect(await refusal('--steps', '2')).toMatch(
    /step-000002 is damaged \(trainer-state\/state\.json is not as/,
  );
  await rm(join(run, 'checkpoints', 'step-000004', 'manifest.json'));
  expect(await refusal('--steps', '2')).toMatch(/step-000004 has no manifest\.json that can be read/);
});

it('begins with the model itself where all steps are asked for', async () => {
  const { out, exitCode } = await again('--steps', '4');
  expect(out).toMatch(/: 4 steps up to step 4 taken again, from the model itself\n/);
  expect(out).toMatch(/ {2}metrics\.jsonl: 4 lines, equal\nequal, byte by byte$/);
  expect(exitCode).toBe(0);
});

it('begins in the middle of a round of rollouts', async () => {
  const { dir, settings } = await grpoWorkspace();
  run = join(dir, 'run');
  const often = { algorithm: 'ppo', max_steps: 3, save_steps: 1, steps_per_generation: 4 };
  await runGrpo(await testGpu(), dir, { ...settings, ...often, output_dir: run });
  const { out, exitCode } = await again('--steps', '2', '--modules', dir);
  expect(out).toMatch(/completions\.jsonl: \d+ lines?, equal\n {2}metrics\.jsonl: 2 lines, equal\nequal/);
  expect(exitCode).toBe(0);
});
