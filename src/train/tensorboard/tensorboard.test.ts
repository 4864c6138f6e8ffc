import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { crc32c } from '../checksums.js';
import { TensorBoard } from './index.js';
import { frame } from './record.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'osler-tb-'));
});
afterEach(() => rm(dir, { recursive: true }));

it('has the checksums of RFC 3720', () => {
  const bytes = (values: Iterable<number>) => Uint8Array.from(values);
  expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
  expect(crc32c(bytes(Array.from({ length: 32 }, (_, i) => i)))).toBe(0x46dd794e);
});

/** Records of a file, their checksums compared with a computation that shares no code with the writer. */
function records(file: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    expect(file.readUInt32LE(at + 8)).toBe(maskedBitwise(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(file.readUInt32LE(at + 12 + length)).toBe(maskedBitwise(data));
    found.push(data);
    at += 16 + length;
  }
  return found;
}

function maskedBitwise(bytes: Buffer): number {
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let i = 0; i < 8; i++) crc = crc & 1n ? (crc >> 1n) ^ 0x82f63b78n : crc >> 1n;
  }
  crc ^= 0xffffffffn;
  return Number((((crc >> 15n) | (crc << 17n)) + 0xa282ead8n) & 0xffffffffn);
}

it('writes one scalar per metric', async () => {
  const board = new TensorBoard(dir, () => 1.5);
  const start = { task: 'sft', runDir: dir, doneSteps: 0, totalSteps: 2, config: {} };
  await board.onStart(start);
  await board.onStep({ step: 300, totalSteps: 300, metrics: { loss: 0.5 } });
  await board.close();
  const folder = join(dir, 'tensorboard');
  const [name] = await readdir(folder);
  const [version, step] = records(await readFile(join(folder, name)));
  const time = '09000000000000f83f';
  // wall_time = 1.5; file_version = "brain.Event:2".
  expect(version.toString('hex')).toBe(`${time}1a0d${Buffer.from('brain.Event:2').toString('hex')}`);
  // wall_time = 1.5; step = 300; summary { value { tag: "loss" simple_value: 0.5 } }.
  expect(step.toString('hex')).toBe(
    `${time}10ac022a0d0a0b0a04${Buffer.from('loss').toString('hex')}150000003f`,
  );
});

it('tells readers that a resumed run takes steps again', async () => {
  const board = new TensorBoard(dir, () => 2);
  await board.onStart({ task: 'sft', runDir: dir, doneSteps: 4, totalSteps: 9, config: {} });
  await board.close();
  const folder = join(dir, 'tensorboard');
  const [name] = await readdir(folder);
  const [, start] = records(await readFile(join(folder, name)));
  // wall_time = 2; step = 5; session_log { status: START }.
  expect(start.toString('hex')).toBe('09000000000000004010053a020801');
});

it('frames empty records', () => {
  expect(frame(new Uint8Array())).toHaveLength(16);
});
