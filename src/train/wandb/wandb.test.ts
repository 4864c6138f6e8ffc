import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { crc32Ieee } from '../checksums.js';
import { WandbOffline } from './index.js';
import { WandbLog } from './log-file.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'osler-wandb-'));
});
afterEach(() => rm(dir, { recursive: true }));

/** Records of a log file, read block by block. */
function records(file: Buffer): Buffer[] {
  expect(file.subarray(0, 7).toString('hex')).toBe('3a572642e1be00');
  const found: Buffer[] = [];
  let open: Buffer[] = [];
  for (let at = 7; at < file.length; ) {
    const room = 32768 - (at % 32768);
    if (room < 7) {
      expect(file.subarray(at, at + room).every((byte) => byte === 0)).toBe(true);
      at += room;
      continue;
    }
    const [sum, length, type] = [file.readUInt32LE(at), file.readUInt16LE(at + 4), file[at + 6]];
    expect(length + 7).toBeLessThanOrEqual(room);
    expect(crc32Ieee(file.subarray(at + 6, at + 7 + length))).toBe(sum);
    // Types 1 and 2 begin a record, 1 and 4 end one.
    expect(type === 1 || type === 2).toBe(open.length === 0);
    open.push(file.subarray(at + 7, at + 7 + length));
    at += 7 + length;
    if (type === 2 || type === 3) continue;
    found.push(Buffer.concat(open));
    open = [];
  }
  expect(open).toEqual([]);
  return found;
}

it('has the checksum of zip', () => {
  expect(crc32Ieee(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
});

it('splits records at blocks, whatever their lengths', async () => {
  const lengths = [0, 1, 32747, 5, 70000, 32761, 32768, 3, 32740, 9, 12, 100];
  const log = await WandbLog.create(join(dir, 'x.wandb'));
  const written = lengths.map((length, i) => Buffer.alloc(length, i + 1));
  for (const data of written) await log.write(data);
  await log.close();
  expect(records(await readFile(join(dir, 'x.wandb')))).toEqual(written);
});

async function run(doneSteps: number, now: number): Promise<{ folder: string; read: Buffer[] }> {
  const listener = new WandbOffline({ runDir: dir, name: 'a run', now: () => now });
  await listener.onStart({ task: 'sft', runDir: dir, doneSteps, totalSteps: 2, config: { seed: 42 } });
  await listener.onStep({ step: doneSteps + 1, totalSteps: 2, metrics: { loss: 0.5, kl: Number.NaN } });
  await listener.onEnd();
  await listener.close();
  const folder = (await readdir(join(dir, 'wandb')))
    .filter((name) => name.startsWith('offline'))
    .at(-1) as string;
  const [file] = (await readdir(join(dir, 'wandb', folder))).filter((name) => name.endsWith('.wandb'));
  return { folder, read: records(await readFile(join(dir, 'wandb', folder, file))) };
}

it('writes the run, its steps, its summary and its end', async () => {
  const { folder, read } = await run(0, 1_700_000_000.5);
  expect(folder).toMatch(/^offline-run-20231114_221320-[0-9a-z]{8}$/);
  const [start, step, summary, exit] = read;
  // Record { num: 1, run (field 17) }, with the config as JSON and the name.
  expect(start.subarray(0, 4).toString('hex')).toMatch(/^08018a01/);
  expect(start.toString('hex')).toContain(`0473656564820102${Buffer.from('42').toString('hex')}`);
  expect(start.toString('latin1')).toContain('a run');
  // Record { num: 2, history { item { key: "loss", value_json: "0.5" } item { key: "kl", value_json: "NaN" } ... } }.
  const items = '0a0c0a046c6f7373820103302e350a0a0a026b6c8201034e614e';
  expect(step.subarray(0, 2).toString('hex')).toBe('0802');
  expect(step.toString('hex')).toContain(items);
  expect(step.toString('latin1')).toContain('_timestamp');
  expect(summary.subarray(0, 3).toString('hex')).toBe('08031a');
  expect(exit.toString('hex')).toBe('0804920104' + '08001000');
});

it('goes on under the same id', async () => {
  const [first, second] = [await run(0, 1_700_000_000), await run(1, 1_700_000_100)];
  expect(first.folder.slice(-8)).toBe(second.folder.slice(-8));
  // starting_step = 1 (field 14), resumed = true (field 18).
  expect(second.read[0].toString('hex')).toMatch(/7001.*900101$/);
});
