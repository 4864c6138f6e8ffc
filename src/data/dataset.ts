/** From the bytes of a file, or a path on disk, to checked samples and a list of what was wrong. */
import { isFolder, join, listFolder, namesIn, readWholeFile, splitPath } from '../platform/files.js';
import type { TableLimits } from '../platform/ports/tables.js';
import { DataError } from './errors.js';
import { isJsonArray, isSplitsObject, jsonArray, jsonLines, jsonSplits } from './readers/containers.js';
import type { Raw } from './readers/fields.js';
import { parquetRows } from './readers/parquet.js';
import { readRecord, type Sample, type Schema, schemaOf } from './readers/schemas.js';
import { csvRows, tsvRows } from './readers/separated.js';

/** Settings of {@link readDataset} and {@link loadDataset}. */
export interface ReadOptions {
  /** Format of the records; by default each record's keys show it. */
  readonly schema?: Schema;
  /** Makes the first bad record an error instead of skipping and counting it. */
  readonly strict?: boolean;
  /** Folder that image paths are relative to; by default the file's, and for OmniMedVQA the folder above `QA_information`. */
  readonly imageRoot?: string;
  /** Names of what is in that folder; some formats name pictures by what is below one of its folders. */
  readonly beside?: ReadonlySet<string>;
  /** What decoding a Parquet file may take, beyond which it counts as damaged. */
  readonly limits?: TableLimits;
  /** Values of fields that records lack. */
  readonly defaults?: {
    readonly modality?: string;
    readonly question_type?: string;
    readonly dataset?: string;
  };
}

/** Samples and the records that gave none. */
export interface Dataset {
  /** What was read. */
  readonly file: string;
  readonly samples: readonly Sample[];
  /** One per bad record, in order. */
  readonly problems: readonly DataError[];
}

/** Reads one file, given by path or in bytes; `name` decides between JSON and Parquet and appears in errors. */
export async function readDataset(
  source: Uint8Array | { readonly path: string },
  name: string,
  options: ReadOptions = {},
): Promise<Dataset> {
  const samples: Sample[] = [];
  const problems: DataError[] = [];
  const firstLine = new Map<string, number>();
  const report = (problem: DataError) => {
    if (options.strict) throw problem;
    problems.push(problem);
  };
  for await (const { line, value } of records(source, name, options.limits)) {
    try {
      if (value instanceof DataError) throw value;
      const { imageRoot: root = '', beside = NOTHING, defaults = {} } = options;
      const at = { file: name, line, root, beside, defaults };
      const sample = readRecord(options.schema ?? schemaOf(value), value, at);
      const earlier = firstLine.get(sample.id);
      if (earlier !== undefined) {
        throw new DataError(
          { file: name, line, field: 'id' },
          `${JSON.stringify(sample.id)} is that of line ${earlier}`,
        );
      }
      firstLine.set(sample.id, line);
      samples.push(sample);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      report(error);
    }
  }
  return { file: name, samples, problems };
}

const NOTHING: ReadonlySet<string> = new Set();

async function* records(
  source: Uint8Array | { readonly path: string },
  name: string,
  limits?: TableLimits,
): AsyncGenerator<{ line: number; value: Raw | DataError }> {
  if (/\.parquet$/i.test(name)) return yield* parquetRows(source, name, limits);
  const bytes = source instanceof Uint8Array ? source : await readWholeFile(source.path);
  if (new TextDecoder().decode(bytes.subarray(0, 23)) === 'version https://git-lfs') {
    throw new DataError({ file: name }, 'is a git-lfs pointer, not the file itself; run git lfs pull');
  }
  if (/\.tsv$/i.test(name)) return yield* tsvRows(bytes, name);
  if (/\.csv$/i.test(name)) return yield* csvRows(bytes, name);
  if (isSplitsObject(bytes)) return yield* jsonSplits(bytes, name);
  yield* isJsonArray(bytes) ? jsonArray(bytes, name) : jsonLines(bytes, name);
}

/** The files of a dataset: the path itself, or what a folder has. See {@link loadDataset}. */
export async function datasetFiles(path: string): Promise<string[]> {
  const omni = join(path, 'QA_information', 'Open-access');
  const folder = (await isFolder(omni)) ? omni : path;
  const names = await listFolder(folder);
  if (names === undefined) return [path];
  // Tables with commas often say something else of a dataset, where its questions are in another file.
  for (const kind of [/\.(jsonl|ndjson|json|parquet|tsv)$/i, /\.csv$/i]) {
    const files = names.filter((name) => kind.test(name));
    if (files.length > 0) return files.map((name) => join(folder, name));
  }
  throw new DataError({ file: path }, 'has no .jsonl, .json, .tsv, .csv or .parquet file');
}

/**
 * Reads a dataset from disk: one JSONL, JSON, TSV, CSV or Parquet file, or a folder of them. A folder with
 * `QA_information/Open-access` is OmniMedVQA as published.
 *
 * @throws DataError when there is no usable record at all.
 */
export async function loadDataset(path: string, options: ReadOptions = {}): Promise<Dataset> {
  const parts: Dataset[] = [];
  for (const file of await datasetFiles(path)) parts.push(await loadFile(file, options));
  const dataset = merge(path, parts, options.strict ?? false);
  if (dataset.samples.length === 0) {
    const [first] = dataset.problems;
    if (first === undefined) throw new DataError({ file: path }, 'has no records');
    throw new DataError({ file: path }, `has no usable record; the first is bad because ${first.message}`);
  }
  return dataset;
}

async function loadFile(path: string, options: ReadOptions): Promise<Dataset> {
  const imageRoot = options.imageRoot ?? (await rootOf(path));
  const beside = new Set(await namesIn(imageRoot));
  return readDataset({ path }, path, { ...options, imageRoot, beside });
}

/**
 * OmniMedVQA keeps its questions two folders below what image paths are relative to, MedXpertQA in MM/ beside images/.
 */
async function rootOf(file: string): Promise<string> {
  const { folder } = splitPath(file);
  const parts = folder.split(/[/\\]/);
  const at = parts.lastIndexOf('QA_information');
  if (parts.at(-1) === 'MM' && (await isFolder(join(folder, '..', 'images')))) return join(folder, '..');
  return at < 0 ? folder : parts.slice(0, at).join('/') || (folder.startsWith('/') ? '/' : '.');
}

function merge(file: string, parts: readonly Dataset[], strict: boolean): Dataset {
  if (parts.length === 1) return { ...(parts[0] as Dataset), file };
  const places = new Map<string, string>();
  const samples: Sample[] = [];
  const problems = parts.flatMap((part) => [...part.problems]);
  for (const sample of parts.flatMap((part) => [...part.samples])) {
    const { file: from, line } = sample.source as { file: string; line: number };
    const earlier = places.get(sample.id);
    if (earlier === undefined) {
      places.set(sample.id, `${from}:${line}`);
      samples.push(sample);
      continue;
    }
    const problem = new DataError(
      { file: from, line, field: 'id' },
      `${JSON.stringify(sample.id)} is that of ${earlier}`,
    );
    if (strict) throw problem;
    problems.push(problem);
  }
  return { file, samples, problems };
}
