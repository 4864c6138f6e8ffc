/** What real drivers' compilers make of our pipelines, chip by chip, on devices that execute nothing. */
import { spawn } from 'node:child_process';
import { closeSync, createReadStream, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Mesa } from '#osler/platform/launcher/mesa-folder.js';
import { type NullChip, nullGpu } from '#osler/platform/launcher/null-gpu.js';
import { ANNOUNCE, type Compiled, type Order, type Report } from './order.js';
import { type Driver, honeykrisp, nvk, radv, SHARED, type Statistics, turnip } from './statistics.js';

const DRIVERS: Readonly<Record<NullChip, Driver>> = {
  navi21: radv,
  navi31: radv,
  gfx1201: radv,
  ampere: nvk,
  apple: honeykrisp,
  adreno: turnip,
};

/** A pipeline on a chip. */
export interface IsaRow extends Statistics, Compiled {
  readonly chip: NullChip;
}

/** What one chip gave. */
export interface ChipReport extends Omit<Report, 'pipelines'> {
  readonly chip: NullChip;
  readonly rows: readonly IsaRow[];
}

/** Compiles for one chip, in a process of its own. */
export async function compileFor(mesa: Mesa, chip: NullChip, order: Order): Promise<ChipReport> {
  const folder = mkdtempSync(path.join(tmpdir(), 'osler-isa-'));
  try {
    return await compileIn(folder, mesa, chip, order);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function compileIn(folder: string, mesa: Mesa, chip: NullChip, order: Order): Promise<ChipReport> {
  const driver = DRIVERS[chip];
  const { node, env } = nullGpu(mesa, chip);
  const script = fileURLToPath(new URL('./child.js', import.meta.url));
  // Files, since NAK prints hundreds of megabytes a few bytes at a time, and each would wake the reader of a pipe.
  const [out, err] = ['out', 'err'].map((name) => path.join(folder, name));
  const [outFd, errFd] = [out, err].map((file) => openSync(file, 'w'));
  const child = spawn(node, [script, JSON.stringify(order)], {
    env: { ...process.env, ...env, ...driver.env, OSLER_TIER: '' },
    stdio: ['ignore', outFd, errFd, 'pipe'],
  });
  closeSync(outFd);
  closeSync(errFd);
  const ended = new Promise<string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code === 0 ? '' : `it ended with ${code ?? signal}`));
  });
  const [told, problem] = await Promise.all([text(child.stdio[3] as Readable), ended]);
  const printed = await byAnnouncement(createReadStream(err), driver);
  if (problem) {
    const complaint = /^(Error|osler|kernel|OslerError)/;
    const last = printed.other.find((line) => complaint.test(line));
    throw new Error(`the process on the null ${chip} failed: ${last ?? problem}`);
  }
  const listed = driver.listing ? await byShader(createReadStream(out), driver) : [];
  const { pipelines, ...report } = JSON.parse(told) as Report;
  const rows: IsaRow[] = [];
  pipelines.forEach((pipeline, i) => {
    const lines = printed.sections.get(i) ?? [];
    // Dawn compiles equal code once: then there is nothing here, and another row says it all.
    if (lines.length === 0) return;
    rows.push({ ...pipeline, chip, ...driver.parse([...lines, ...(listed[rows.length] ?? [])]) });
  });
  return { chip, ...report, rows };
}

interface Printed {
  /** What is about each announced pipeline. */
  readonly sections: ReadonlyMap<number, readonly string[]>;
  /** The last lines that were about none. */
  readonly other: readonly string[];
}

/** Sorts what a driver prints by the announcements before it. NAK prints megabytes: only what counts is kept. */
async function byAnnouncement(stream: Readable, driver: Driver): Promise<Printed> {
  const sections = new Map<number, string[]>();
  const other: string[] = [];
  let current: string[] | null = null;
  let shared: string | null = null;
  let kept = false;
  for await (const line of createInterface({ input: stream })) {
    if (line.startsWith(ANNOUNCE)) {
      if (current && shared) current.push(shared);
      const place = Number(line.slice(ANNOUNCE.length));
      current = Number.isNaN(place) ? null : [];
      if (current) sections.set(place, current);
      shared = null;
      kept = driver.listing !== undefined;
    } else if (current && driver.begins.test(line)) {
      current.length = 0;
      kept = true;
      current.push(line);
    } else if (SHARED.test(line)) shared = line;
    else if (kept) current?.push(line);
    if (!kept) {
      other.push(line);
      if (other.length > 20) other.shift();
    }
  }
  return { sections, other };
}

/** What a driver lists on its standard output, which comes late: by shader, in the order of the pipelines. */
async function byShader(stream: Readable, driver: Driver): Promise<string[][]> {
  const shaders: string[][] = [];
  for await (const line of createInterface({ input: stream })) {
    if (driver.begins.test(line)) shaders.push([]);
    else if (SHARED.test(line) || driver.listing?.test(line)) shaders.at(-1)?.push(line);
  }
  return shaders;
}
