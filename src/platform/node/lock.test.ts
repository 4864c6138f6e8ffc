import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lock } from './lock.js';

let dir: string;
let path: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'osler-lock-'));
  path = join(dir, 'run.lock');
});
afterEach(() => rm(dir, { recursive: true }));

const hold = (holder: object) => writeFileSync(path, JSON.stringify(holder));

test('one holds it, until it is released', async () => {
  const first = await lock(path);
  await expect(lock(path)).rejects.toThrow(
    `${path} is held by process ${process.pid}, which works in this folder`,
  );
  await first.release();
  const second = await lock(path);
  await second.release();
  expect(readdirSync(dir)).toEqual([]);
});

test('of many at once, one gets it, also from a dead holder', async () => {
  for (let round = 0; round < 20; round++) {
    if (round > 0) hold({ pid: 999_999_999, host: hostname(), start: null });
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => lock(path)));
    const got = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    expect(got.length).toBe(1);
    await got[0]?.value.release();
  }
  expect(readdirSync(dir)).toEqual([]);
});

test('a process that ended holds nothing', async () => {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  const { pid } = child;
  await once(child, 'exit');
  hold({ pid, host: hostname(), start: null });
  await (await lock(path)).release();
});

test.runIf(existsSync('/proc/self/stat'))('nor does one whose number another process has now', async () => {
  hold({ pid: process.pid, host: hostname(), start: '1' });
  await (await lock(path)).release();
});

test('a process of another machine lives as long as it renews the file', async () => {
  hold({ pid: 1, host: 'elsewhere', start: '1' });
  await expect(lock(path)).rejects.toThrow('is held by process 1 on elsewhere');
  const old = new Date(Date.now() - 120_000);
  utimesSync(path, old, old);
  await (await lock(path)).release();
});

test('a file that is no lock is in nobody’s way', async () => {
  writeFileSync(path, 'half a li');
  await (await lock(path)).release();
});
