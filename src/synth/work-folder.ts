/**
 * The folder of a synthesis:
 *
 *     synth.json         what the candidates were made with; a resumed synthesis must agree
 *     candidates.jsonl   every candidate, appended as it comes: what costs time or money is never made twice
 *     train.jsonl        what was accepted, ready for `osler sft`, with pictures beside it in images/
 *     rejected.jsonl     what was not, with cause and detail
 *     summary.json       counts
 */
import { DataError, imageFile, imageKey, imageName, type Question, questionLine } from '../data/index.js';
import { jsonLines } from '../data/readers/containers.js';
import {
  type AppendFile,
  appendTo,
  atomicWrite,
  copyInto,
  folderReader,
  join,
  keepLines,
  makeFolder,
  namesIn,
} from '../platform/files.js';
import type { Candidate } from './candidate.js';

const HEAD = 'synth.json';
const CANDIDATES = 'candidates.jsonl';

/** What the candidates of a folder were made with. */
export type SynthHead = Readonly<Record<string, unknown>>;

/** An open folder; candidates are appended to it. */
export class WorkFolder {
  readonly dir: string;
  /** Candidates that are there, by question. */
  readonly candidates: Map<string, Candidate[]>;
  readonly #file: AppendFile;

  private constructor(dir: string, candidates: Map<string, Candidate[]>, file: AppendFile) {
    this.dir = dir;
    this.candidates = candidates;
    this.#file = file;
  }

  /**
   * Makes a folder, or opens the one of an earlier synthesis to go on with it.
   *
   * @throws DataError when the folder holds something else, or candidates that were made otherwise.
   */
  static async open(dir: string, head: SynthHead): Promise<WorkFolder> {
    const bytes = await folderReader(dir)(HEAD).catch(() => undefined);
    if (bytes === undefined) {
      const [first] = await namesIn(dir);
      if (first !== undefined) {
        throw new DataError({ file: dir }, `holds ${first} and no ${HEAD}; name a new or an empty folder`);
      }
      await makeFolder(dir);
      await atomicWrite(join(dir, HEAD), `${JSON.stringify(head, null, 2)}\n`);
    } else checkHead(join(dir, HEAD), new TextDecoder().decode(bytes), head);
    const file = join(dir, CANDIDATES);
    // A killed process may have left half a line.
    await keepLines(file, (line) => line.startsWith('{') && line.endsWith('}'));
    const lines = (await folderReader(dir)(CANDIDATES)) ?? new Uint8Array();
    const candidates = new Map<string, Candidate[]>();
    for (const { line, value } of jsonLines(lines, file)) {
      if (value instanceof DataError) throw value;
      remember(candidates, asCandidate(value, { file, line }));
    }
    return new WorkFolder(dir, candidates, await appendTo(file));
  }

  /** Keeps a candidate. */
  async add(candidate: Candidate): Promise<void> {
    await this.#file.append(`${JSON.stringify(candidate)}\n`);
    remember(this.candidates, candidate);
  }

  /** Writes what came of it; pictures of accepted questions are copied into the folder, or left where they are there. */
  async writeResults(
    accepted: readonly Question[],
    rejected: readonly object[],
    summary: object,
  ): Promise<void> {
    const copied = new Map<string, string>();
    const lines: string[] = [];
    for (const question of accepted) {
      const images: string[] = [];
      for (const image of question.images) {
        const key = imageKey(question, image);
        const name =
          copied.get(key) ?? `images/${String(copied.size).padStart(6, '0')}-${plainName(imageName(image))}`;
        if (!copied.has(key)) await this.#copy(question, image, name);
        copied.set(key, name);
        images.push(name);
      }
      lines.push(`${questionLine({ ...question, images })}\n`);
    }
    await atomicWrite(join(this.dir, 'train.jsonl'), lines.join(''));
    await atomicWrite(
      join(this.dir, 'rejected.jsonl'),
      rejected.map((rejection) => `${JSON.stringify(rejection)}\n`).join(''),
    );
    await atomicWrite(join(this.dir, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #copy(question: Question, image: Question['images'][number], name: string): Promise<void> {
    const target = join(this.dir, name);
    const file = imageFile(question, image);
    if (file !== undefined) return copyInto(file, target);
    await makeFolder(join(this.dir, 'images'));
    await atomicWrite(target, (image as { bytes: Uint8Array }).bytes);
  }
}

function remember(candidates: Map<string, Candidate[]>, candidate: Candidate): void {
  const known = candidates.get(candidate.id);
  if (!known) candidates.set(candidate.id, [candidate]);
  else if (known.every(({ sample }) => sample !== candidate.sample)) known.push(candidate);
}

function asCandidate(
  value: Readonly<Record<string, unknown>>,
  place: { file: string; line: number },
): Candidate {
  const { id, sample, text, finish } = value;
  if (
    typeof id === 'string' &&
    typeof sample === 'number' &&
    typeof text === 'string' &&
    typeof finish === 'string'
  ) {
    return value as unknown as Candidate;
  }
  throw new DataError(place, 'is no candidate of osler synth; delete the line or the file');
}

/** The file's name alone, of characters that every system takes. */
function plainName(name: string): string {
  const last = name.split(/[/\\]/).at(-1) ?? '';
  return last.replace(/[^\w.-]+/g, '_').slice(-80);
}

function checkHead(file: string, text: string, head: SynthHead): void {
  let before: SynthHead;
  try {
    before = JSON.parse(text) as SynthHead;
  } catch (error) {
    throw new DataError({ file }, 'is not JSON', { cause: error });
  }
  for (const field of new Set([...Object.keys(before), ...Object.keys(head)])) {
    const [was, is] = [JSON.stringify(before[field]), JSON.stringify(head[field])];
    if (was === is) continue;
    throw new DataError(
      { file, field },
      `is ${was ?? 'absent'}, but now ${is ?? 'absent'} is asked for; candidates must all be made alike: name another folder`,
    );
  }
}
