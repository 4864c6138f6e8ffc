/** A stage of the start that does not end is ended, with a sentence. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { run } from './apt-download.js';
import { probe } from './probe.js';
import { StartError, stage, stageSeconds, stageTimes } from './stages.js';

const DIST = new URL('../../../dist/platform/launcher/', import.meta.url).href;
const folder = mkdtempSync(path.join(os.tmpdir(), 'osler-stages-'));
const posix = process.platform !== 'win32';

afterEach(() => vi.unstubAllEnvs());
afterAll(() => rmSync(folder, { recursive: true }));

/** How a process that runs some code ends when a stage may take a tenth of a second. */
function ending(code: string): Promise<{ status: number | NodeJS.Signals | null; err: string; out: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, OSLER_START_SECONDS: '0.1' },
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (text) => (out += text));
  child.stderr.on('data', (text) => (err += text));
  return new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ status: code ?? signal, err, out }));
  });
}

it('is timed, and its result comes through', async () => {
  expect(await stage('load', '', () => 7)).toBe(7);
  expect(stageTimes().load).toBeGreaterThanOrEqual(0);
  await expect(stage('load', '', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
});

it('waits no longer than it may for what never settles', async () => {
  vi.stubEnv('OSLER_START_SECONDS', '0.01');
  const never = stage('adapter', 'llvmpipe', () => new Promise(() => {}));
  await expect(never).rejects.toThrow(
    /^the start hung: requestAdapter \(llvmpipe\) did not end within 0\.01 s; start again, or set OSLER_DRIVER=software .*; OSLER_START_SECONDS gives it longer$/,
  );
  await expect(never).rejects.toBeInstanceOf(StartError);
});

it.runIf(posix && spawnSync('timeout', ['1', 'true']).status === 0)(
  'ends the process where native code does not return',
  async () => {
    const stuck = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)';
    const { status, err } = await ending(`
      const { stage } = await import(${JSON.stringify(`${DIST}stages.js`)});
      await stage('device', 'a driver', () => ${stuck});`);
    expect(err).toMatch(
      /^osler: the start hung: requestDevice \(a driver\) did not end within 0\.1 s; .*\n$/,
    );
    expect(status).toBe('SIGKILL');
  },
);

it.runIf(posix)('ends a launched program that does not come up', async () => {
  const { status, err } = await ending(`
    process.execve = undefined;
    const { relaunch } = await import(${JSON.stringify(`${DIST}relaunch.js`)});
    await relaunch(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], process.env);`);
  expect(err).toMatch(/^osler: the start hung: starting again with the driver \(.*\) did not end within/);
  expect(status).toBe(1);
});

it.runIf(posix)('of a launched program goes on where it was', async () => {
  const program = `
    const before = 'OSLER_STAGES' in process.env;
    import(${JSON.stringify(`${DIST}stages.js`)}).then(({ stageTimes }) => {
      console.log(before, 'OSLER_STAGES' in process.env, Object.keys(stageTimes()).join());
    });`;
  const { status, out } = await ending(`
    process.execve = undefined;
    process.env.OSLER_START_SECONDS = '60';
    const { timed } = await import(${JSON.stringify(`${DIST}stages.js`)});
    timed('probe', () => {});
    const { relaunch } = await import(${JSON.stringify(`${DIST}relaunch.js`)});
    await relaunch(process.execPath, ['-e', ${JSON.stringify(program)}], process.env);`);
  expect(out).toBe('true false probe,relaunch\n');
  expect(status).toBe(0);
});

it.runIf(posix)('passes over drivers and mirrors that do not answer', () => {
  const node = path.join(folder, 'node');
  writeFileSync(node, '#!/bin/sh\nexec sleep 600\n', { mode: 0o755 });
  vi.stubEnv('OSLER_START_SECONDS', '0.06');
  expect(probe(node, process.env)).toMatchObject({
    found: undefined,
    late: true,
    problem: 'the driver did not answer within 0.01 s; OSLER_START_SECONDS gives it longer',
  });
  vi.stubEnv('OSLER_START_SECONDS', '0.001');
  expect(() => run('sleep', ['600'], folder)).toThrow(
    'sleep did not end within 0.01 s; OSLER_START_SECONDS gives it longer',
  );
});

it('may take as long as the environment says', () => {
  expect(stageSeconds({})).toBe(120);
  expect(stageSeconds({ OSLER_START_SECONDS: '7.5' })).toBe(7.5);
  expect(stageSeconds({ OSLER_START_SECONDS: '0' })).toBeUndefined();
  for (const bad of ['soon', '-1', 'Infinity'])
    expect(() => stageSeconds({ OSLER_START_SECONDS: bad })).toThrow(
      `OSLER_START_SECONDS is "${bad}"; use seconds such as 120, or 0`,
    );
});
