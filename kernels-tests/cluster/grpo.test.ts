/** A run whose units workers do, as users start it: the same bytes as a run by itself, whoever is killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { type Exchange, localExchange, UnitFailure } from '../../src/exchange/index.js';
import type { Gpu } from '../../src/gpu/index.js';
import { makeSharedGrpoTask } from '../../src/grpo/index.js';
import { hasNatsServer } from '../../src/platform/launcher/nats.js';
import { importModule } from '../../src/platform/node/import-module.js';
import { launchTraining } from '../../src/train/launch.js';
import { contents, grpoConfig, logOf, runGrpo, workspace } from '../grpo/support.js';
import { testGpu } from '../support/gpu.js';
import { computedMetrics, removeFolders } from '../train/support.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
afterEach(removeFolders);

/** A run by itself, in which nobody can do a unit of step 2 at first: it ends with the error and a checkpoint, and is resumed. */
async function runAlone(gpu: Gpu, dir: string, settings: Record<string, unknown>): Promise<void> {
  const exchange: Exchange = {
    run: (work, batch, step, take) =>
      step.step === 2 && work.kind === 'lane'
        ? Promise.reject(new UnitFailure('unit 2.lane.0 failed 3 times'))
        : localExchange.run(work, batch, step, take),
  };
  const poisoned = launchTraining({
    gpu,
    config: grpoConfig(settings),
    makeTask: (setting) => makeSharedGrpoTask(setting, { folder: dir, importModule }, async () => exchange),
    resume: false,
    console: { live: false, write: () => {} },
  });
  await expect(poisoned).rejects.toThrow('unit 2.lane.0 failed 3 times');
  await runGrpo(gpu, dir, settings, { resume: true });
}

/** Processes below one, by what their command lines have. */
function below(parent: number, word: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const ppid = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
        return ppid === parent && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(word);
      } catch {
        return false;
      }
    });
}

/** Starts `osler grpo`; `onStep` is called when a step is in the metrics. */
async function runShared(dir: string, config: string, onStep: (child: ChildProcess, step: number) => void) {
  const words = ['grpo', '--config', config, '--workers', '2', '--tier', 'base'];
  const child = spawn(process.execPath, [...process.execArgv, main, ...words], {
    cwd: dir,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (text) => {
    said += text;
  });
  let seen = 0;
  const timer = setInterval(async () => {
    const steps = await logOf(join(dir, 'shared'), 'metrics').catch(() => []);
    while (seen < steps.length) onStep(child, ++seen);
  }, 50);
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearInterval(timer);
  return { code, said };
}

// Slow, for three processes that compile kernels: nothing else shows that results are bytes of no particular process.
it.skipIf(process.platform !== 'linux' || !hasNatsServer())(
  'workers that are killed, a server, and a unit that cannot be done change no byte of an adapter and its optimizer',
  async () => {
    const { dir, settings } = await workspace();
    const base = {
      ...settings,
      max_steps: 2,
      save_steps: 2,
      rollout_units: 2,
      learning_lanes: 2,
      use_peft: true,
      lora_r: 4,
      lora_dropout: 0.1,
      beta: 0.04,
    };
    const gpu = await testGpu('base');
    await runAlone(gpu, dir, { ...base, output_dir: join(dir, 'alone') });
    const config = join(dir, 'grpo.yaml');
    await writeFile(config, JSON.stringify({ ...base, output_dir: join(dir, 'shared') }));
    const { code, said } = await runShared(dir, config, (child, step) => {
      if (step === 2) return;
      for (const word of ['worker', 'nats-server'])
        process.kill(below(child.pid as number, word)[0], 'SIGKILL');
    });
    expect(said).toMatch(/worker local-\d ended \(SIGKILL\) and is started again/);
    expect(code, said).toBe(0);
    const [a, b] = [join(dir, 'alone'), join(dir, 'shared')];
    expect(await computedMetrics(b)).toEqual(await computedMetrics(a));
    expect(await readFile(`${b}/completions.jsonl`, 'utf8')).toBe(
      await readFile(`${a}/completions.jsonl`, 'utf8'),
    );
    const last = 'checkpoints/step-000002';
    const [first, second] = [await contents(`${a}/${last}`), await contents(`${b}/${last}`)];
    expect(first.size).toBeGreaterThan(0);
    // The manifest names the config, which has another place to write to.
    for (const [name, bytes] of first) expect([name, second.get(name) === bytes]).toEqual([name, true]);
    // Nothing of it is left.
    expect(readdirSync(b)).not.toContain('cluster');
  },
);
