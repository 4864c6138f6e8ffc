/** Compares steps of a run with the same steps taken again: the files of the last checkpoint, and the lines of the logs. */
import { openCheckpoint } from '../formats/checkpoint.js';
import { isFloatDtype, toF32 } from '../formats/dtypes.js';
import { fileDigest, join, namesIn, readWholeFile } from '../platform/files.js';
import { isMachineMetric } from './clock.js';
import { type Manifest, pathsBelow } from './manifest.js';

/** A file of the run's checkpoint beside that of the replay. */
export interface FileComparison {
  readonly file: string;
  readonly equal: boolean;
  /** How they differ, in words. */
  readonly problem?: string;
}

/** A log of the run beside that of the replay. */
export interface LogComparison {
  readonly log: string;
  /** Lines of the steps that were taken again. */
  readonly lines: number;
  /** Those that are otherwise, or in one of the two alone. */
  readonly different: number;
}

/**
 * Compares two checkpoints file by file. Their manifests are left out: what they say of other files is repeated here, and
 * the rest, such as the device, may be otherwise.
 */
export async function compareCheckpoints(
  run: string,
  replay: string,
  manifest: Manifest,
): Promise<FileComparison[]> {
  const names = new Set([...Object.keys(manifest.files), ...(await pathsBelow(replay))]);
  const compared: FileComparison[] = [];
  for (const file of [...names].sort()) {
    const problem = await fileProblem(join(run, file), join(replay, file), manifest.files[file]);
    compared.push({ file, equal: problem === undefined, ...(problem === undefined ? {} : { problem }) });
  }
  return compared;
}

async function fileProblem(run: string, replay: string, written?: string): Promise<string | undefined> {
  const [then, now] = [await fileDigest(run), await fileDigest(replay)];
  if (then === undefined) return 'is missing in the run';
  if (now === undefined) return 'is missing in the replay';
  if (then === now) return undefined;
  const damage =
    written !== undefined && then !== written ? ['the run has it otherwise than it wrote it'] : [];
  const weights = run.endsWith('.safetensors') ? [await weightsProblem(run, replay)] : [];
  return [...damage, ...weights].join('; ') || 'other bytes';
}

/** How far the weights of two files are apart. */
async function weightsProblem(run: string, replay: string): Promise<string> {
  try {
    const { difference, tensor } = await largestDifference(run, replay);
    return tensor === '' ? 'equal weights' : `largest difference ${difference.toPrecision(3)}, in ${tensor}`;
  } catch (error) {
    return (error as Error).message;
  }
}

async function largestDifference(
  run: string,
  replay: string,
): Promise<{ difference: number; tensor: string }> {
  const files = [await openCheckpoint(run), await openCheckpoint(replay)] as const;
  const largest = { difference: 0, tensor: '' };
  try {
    const [then, now] = files;
    for (const tensor of then.names()) {
      const { dtype, bytes } = then.info(tensor);
      if (!isFloatDtype(dtype)) continue;
      if (now.info(tensor).dtype !== dtype || now.info(tensor).bytes !== bytes)
        throw new Error(`${tensor} has another shape or dtype`);
      let start = 0;
      for await (const chunk of then.chunks(tensor)) {
        const other = await now.read(tensor, { range: { start, end: start + chunk.byteLength } });
        const difference = farthest(toF32(chunk, dtype), toF32(other, dtype));
        if (difference > largest.difference) Object.assign(largest, { difference, tensor });
        start += chunk.byteLength;
      }
    }
    return largest;
  } finally {
    for (const file of files) await file.close();
  }
}

/** The largest distance between elements; infinite where one is no number and the other is. */
function farthest(a: Float32Array, b: Float32Array): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    if (Object.is(a[i], b[i])) continue;
    const distance = Math.abs(a[i] - b[i]);
    most = Math.max(most, Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance);
  }
  return most;
}

/** Compares the lines of steps after `start` up to `last`, without what depends on the machine, such as times. */
export async function compareLogs(
  run: string,
  replay: string,
  steps: { readonly start: number; readonly last: number },
): Promise<LogComparison[]> {
  const names = new Set([...(await namesIn(run)), ...(await namesIn(replay))]);
  const compared: LogComparison[] = [];
  for (const log of [...names].filter((name) => name.endsWith('.jsonl')).sort()) {
    const [then, now] = [await linesOf(run, log, steps), await linesOf(replay, log, steps)];
    const lines = Math.max(then.length, now.length);
    const same = then.filter((line, i) => line === now[i]).length;
    compared.push({ log, lines, different: lines - same });
  }
  return compared;
}

async function linesOf(
  folder: string,
  log: string,
  { start, last }: { readonly start: number; readonly last: number },
): Promise<string[]> {
  if (!(await namesIn(folder)).includes(log)) return [];
  const text = new TextDecoder().decode(await readWholeFile(join(folder, log)));
  return text.split('\n').flatMap((line) => {
    const fields = fieldsOf(line);
    const step = Number(fields.step ?? Number.NaN);
    // What is written at step 0 belongs to a run from its beginning.
    if (!(step <= last && (step > start || start === 0))) return [];
    return JSON.stringify(Object.entries(fields).filter(([name]) => !isMachineMetric(name)));
  });
}

/** A line's fields; none of a line that is damaged, as the last one of a killed run may be. */
function fieldsOf(line: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(line)) as Record<string, unknown>;
  } catch {
    return {};
  }
}
