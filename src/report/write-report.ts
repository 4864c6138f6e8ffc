/** Writes report.html of a run or of an evaluation. */

import { toBase64 } from '../formats/base64.js';
import { atomicWrite, fileDigest, join } from '../platform/files.js';
import type { ReportContent } from './content.js';
import { isEvaluation, readEvaluationContent } from './evaluation-content.js';
import type { RunUpdate, TraceGroup } from './model.js';
import { type DataBlock, type PageAssets, pageHtml } from './page-html.js';
import { type PackedPictures, packPictures, pictureFinder } from './pictures.js';
import { RunReader } from './run-reader.js';

/** Settings of {@link writeReport}. */
export interface ReportOptions {
  /** Script and style of the page; see `loadPageAssets`. */
  readonly assets: PageAssets;
  /** Where to write; `report.html` in the folder itself by default. */
  readonly out?: string;
  /** Bytes that the file may have; 20 MB by default. */
  readonly maxBytes?: number;
  /** Whether pictures are embedded; they are by default. */
  readonly pictures?: boolean;
  /** Folders that embedded pictures must be in, besides the run's own; see `pictureFinder`. Anywhere by default. */
  readonly picturesWithin?: readonly string[];
  /** The time to name in the report; now by default. */
  readonly now?: Date;
}

/** What was written. */
export interface WrittenReport {
  readonly file: string;
  readonly bytes: number;
  readonly steps: number;
  readonly completions: { readonly shown: number; readonly all: number };
  readonly pictures: { readonly shown: number; readonly missing: number; readonly leftOut: number };
  readonly evaluations: readonly string[];
  readonly notes: readonly string[];
}

/** Completions that are read at most before they are thinned out: bounds memory. */
const MOST_COMPLETIONS = 100_000;
/** Share of the file that traces may take; pictures get what is left. */
const TRACE_SHARE = 0.5;
/** JSON of about so many characters is packed together. */
const BLOCK_CHARACTERS = 1_500_000;

/** Reads the folder of a run, or of an evaluation, and writes its report. */
export async function writeReport(dir: string, options: ReportOptions): Promise<WrittenReport> {
  const { assets, maxBytes = 20_000_000 } = options;
  const run = (await isEvaluation(dir))
    ? await readEvaluationContent(dir, MOST_COMPLETIONS)
    : await readRun(dir);
  const frame = assets.script.length + assets.style.length + 20_000;
  const head = await packUpdates([
    { kind: 'metrics', rows: run.rows },
    { kind: 'evaluations', evaluations: run.evaluations },
    { kind: 'tallies', tallies: run.traces.tallies },
  ]);
  const room = maxBytes - frame - head.length;
  const { groups, blocks: draft } = await fittingTraces(run.traces.groups, room * TRACE_SHARE);
  // Only pictures of traces that are shown.
  const used = [...new Set(groups.flatMap(({ pictures }) => pictures))];
  const paths = used.map((index) => run.pictures[index] as string);
  const pictures =
    options.pictures === false
      ? NO_PICTURES
      : await packPictures(
          paths,
          await finderFor(dir, run, options),
          room - sum(draft.map(({ length }) => length)),
        );
  const packed = new Map(used.map((index, i) => [index, pictures.index[i]]));
  const shown = groups.map((group) => withPictures(group, packed, pictures));
  const count = { shown: completionsOf(groups), all: run.traces.seen };
  const notes = reportNotes(run, count, pictures);
  const written = (options.now ?? new Date()).toISOString();
  const embedded = pictures.sources.filter((source) => source !== null).length;
  const provenance = [
    ...(await provenanceOf(dir, run.files)),
    ['Pictures of the data in this file', String(embedded)] as const,
  ];
  const info: RunUpdate = { kind: 'info', info: run.info({ provenance, written, notes }) };
  const blocks: DataBlock[] = [
    { kind: 'updates', text: await packUpdates([info]) },
    { kind: 'updates', text: head },
    { kind: 'pictures', text: pictures.sources.map((source) => source ?? '').join('\n') },
    ...(await packGroups(shown)).map((text): DataBlock => ({ kind: 'updates', text })),
  ];
  const file = options.out ?? join(dir, 'report.html');
  let bytes = 0;
  await atomicWrite(file, async (writer) => {
    for await (const piece of pageHtml({ title: `${info.info.name} · Osler`, assets, blocks })) {
      const encoded = new TextEncoder().encode(piece);
      bytes += encoded.length;
      await writer.write(encoded);
    }
  });
  return {
    file,
    bytes,
    steps: run.rows.length,
    completions: count,
    pictures: {
      shown: embedded,
      missing: pictures.missing,
      leftOut: pictures.leftOut,
    },
    evaluations: run.evaluations.map(({ name }) => name),
    notes,
  };
}

const NO_PICTURES: PackedPictures = { sources: [], index: [], missing: 0, leftOut: 0 };

async function finderFor(dir: string, run: ReportContent, { picturesWithin }: ReportOptions) {
  return pictureFinder(await run.imageRoots(), picturesWithin && [dir, ...picturesWithin]);
}

async function readRun(dir: string): Promise<ReportContent> {
  const run = new RunReader(dir, MOST_COMPLETIONS);
  await run.check();
  await run.poll(true);
  return run;
}

/** Digests of the files that the report was made from, so that it can be checked against them. */
async function provenanceOf(dir: string, files: readonly string[]): Promise<(readonly [string, string])[]> {
  const rows: (readonly [string, string])[] = [];
  for (const name of files) {
    const digest = await fileDigest(join(dir, name));
    if (digest !== undefined) rows.push([`SHA-256 of ${name}`, digest]);
  }
  return rows;
}

/** What the reader must know of what is not there. */
function reportNotes(
  content: ReportContent,
  completions: { shown: number; all: number },
  pictures: PackedPictures,
): string[] {
  const { badLines, files, rows } = content;
  const notes: string[] = [];
  if (completions.shown < completions.all) {
    const spread =
      rows.length > 0
        ? 'of steps spread over the whole run; curves and counts take in all of them'
        : 'spread over the whole; tables take in all of them';
    notes.push(`${completions.shown} of ${completions.all} completions are shown, ${spread}.`);
  }
  const logs = files.filter((name) => name.endsWith('.jsonl')).join(' and ');
  if (badLines > 0) notes.push(`${badLines} lines of ${logs} could not be read.`);
  if (pictures.missing > 0)
    notes.push(`${pictures.missing} pictures were not found or could not be decoded.`);
  if (pictures.leftOut > 0) notes.push(`${pictures.leftOut} pictures are left out to keep the file small.`);
  return notes;
}

/** Groups of steps spread evenly over the run, as many as fit into some bytes, packed. */
async function fittingTraces(
  all: readonly TraceGroup[],
  budget: number,
): Promise<{ groups: readonly TraceGroup[]; blocks: string[] }> {
  const steps = [...new Set(all.map(({ step }) => step))];
  for (let stride = 1; ; stride++) {
    const kept = new Set(steps.filter((_, i) => i % stride === 0));
    const groups = stride === 1 ? all : all.filter(({ step }) => kept.has(step));
    const blocks = await packGroups(groups);
    const bytes = sum(blocks.map(({ length }) => length));
    if (bytes <= budget || kept.size <= 1) return { groups, blocks };
    // Straight to about the stride that fits.
    stride = Math.max(stride, Math.ceil((stride * bytes) / budget) - 1);
  }
}

async function packGroups(groups: readonly TraceGroup[]): Promise<string[]> {
  const blocks: string[] = [];
  let part: TraceGroup[] = [];
  let characters = 0;
  const flush = async () => {
    if (part.length > 0) blocks.push(await packUpdates([{ kind: 'traces', groups: part }]));
    part = [];
    characters = 0;
  };
  for (const group of groups) {
    part.push(group);
    characters += group.prompt.length + group.completions.reduce((n, { text }) => n + text.length + 300, 0);
    if (characters > BLOCK_CHARACTERS) await flush();
  }
  await flush();
  return blocks;
}

/** The group with indices into the packed pictures; one without a file points past their end. */
function withPictures(
  group: TraceGroup,
  packed: ReadonlyMap<number, number | undefined>,
  { sources }: PackedPictures,
): TraceGroup {
  return { ...group, pictures: group.pictures.map((index) => packed.get(index) ?? sources.length) };
}

/** Updates as a block holds them. */
export async function packUpdates(updates: readonly RunUpdate[]): Promise<string> {
  const json = new Blob([JSON.stringify(updates)]).stream();
  const gzip = json.pipeThrough(new CompressionStream('gzip'));
  return toBase64(new Uint8Array(await new Response(gzip).arrayBuffer()));
}

function completionsOf(groups: readonly TraceGroup[]): number {
  return sum(groups.map(({ completions }) => completions.length));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
