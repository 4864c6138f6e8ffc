/**
 * One function for each reader of untrusted bytes, for the fuzzer to call with inputs of its making. What a reader may
 * throw is swallowed; everything else is a finding.
 */
import { createJiti } from 'jiti';
import { parseChatRequest, RequestError } from '../../dist/cli/serving/chat-request.js';
import { DataError, readDataset } from '../../dist/data/index.js';
import { openCheckpoint } from '../../dist/formats/checkpoint.js';
import { SafetensorsError } from '../../dist/formats/errors.js';
import { JsonLinesTail } from '../../dist/formats/json-lines-tail.js';
import { OslerError } from '../../dist/gpu/errors.js';
import { parseGrpoConfig } from '../../dist/grpo/config.js';
import { parseConfig } from '../../dist/models/index.js';
import { setPlatform } from '../../dist/platform/current.js';
import { FileError } from '../../dist/platform/errors.js';
import { MemoryFiles } from '../../dist/platform/memory-files.js';
import { nodePlatform } from '../../dist/platform/node/platform.js';
import { parseSftConfig } from '../../dist/sft/config.js';
import { ChatTemplate, TextError, Tokenizer } from '../../dist/text/index.js';
import { decodeFrames, ImageError, imageSize, parseImageConfig } from '../../dist/vision/index.js';

const { assertSound } = await createJiti(import.meta.url, { fsCache: false }).import(
  '../../src/data/test-fuzz.ts',
);

/** Runs a reader that may throw some kinds of error and no other. */
async function mayThrow(kinds, read) {
  try {
    await read();
  } catch (error) {
    if (!kinds.some((kind) => error instanceof kind)) throw error;
  }
}

const text = (bytes) => new TextDecoder().decode(bytes);

/** JSON, or undefined: what is no JSON is another reader's business. */
function json(bytes) {
  try {
    return JSON.parse(text(bytes));
  } catch {
    return undefined;
  }
}

/** A JSON object, or undefined. */
function object(bytes) {
  const value = json(bytes);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}

/** A checkpoint of one file; what is accepted is read to the end. */
export function safetensors(bytes) {
  return readCheckpoint({ '/model.safetensors': bytes }, '/model.safetensors');
}

/** The index of a checkpoint whose shards are sound. */
export function index(bytes) {
  const shard = (name) => {
    const header = JSON.stringify({ [name]: { dtype: 'U8', shape: [1], data_offsets: [0, 1] } });
    const length = new Uint8Array(8);
    new DataView(length.buffer).setUint32(0, header.length, true);
    return new Uint8Array([...length, ...new TextEncoder().encode(header), 1]);
  };
  return readCheckpoint(
    {
      '/m/a.safetensors': shard('a'),
      '/m/b.safetensors': shard('b'),
      '/m/model.safetensors.index.json': bytes,
    },
    '/m',
  );
}

function readCheckpoint(files, path) {
  setPlatform({ ...nodePlatform, files: new MemoryFiles(files) });
  return mayThrow([SafetensorsError, FileError], async () => {
    const checkpoint = await openCheckpoint(path);
    for (const name of checkpoint.names()) await checkpoint.read(name);
    await checkpoint.close();
  });
}

/** Lines that a run appends to while they are read. */
export async function lines(bytes) {
  setPlatform({ ...nodePlatform, files: new MemoryFiles({ '/x.jsonl': bytes }) });
  const tail = new JsonLinesTail('/x.jsonl');
  await tail.read();
}

/** Questions and conversations; the first byte chooses how the file is called, and with it the reader. */
export function records(bytes) {
  const names = ['q.jsonl', 'q.json', 'CT_train.json', 'q.tsv'];
  const name = names[(bytes[0] ?? 0) % names.length];
  return mayThrow([DataError], async () => {
    const { samples } = await readDataset(new Uint8Array(bytes.subarray(1)), name);
    for (const sample of samples) assertSound(sample);
  });
}

/** Parquet, by its helper: decoding may not end, which is why it has one. */
export function parquet(bytes) {
  setPlatform(nodePlatform);
  return mayThrow([DataError], () =>
    readDataset(new Uint8Array(bytes), 'q.parquet', { limits: { seconds: 1 } }),
  );
}

/** DICOM: its size, then its pixels. */
export function dicom(bytes) {
  return picture(bytes, true);
}

/** PNG, JPEG, WebP, TIFF and GIF. */
export function raster(bytes) {
  return picture(bytes, false);
}

function picture(bytes, isDicom) {
  setPlatform(nodePlatform);
  const isMarked = bytes.length > 132 && text(bytes.subarray(128, 132)) === 'DICM';
  if (isMarked !== isDicom) return Promise.resolve();
  return mayThrow([ImageError], async () => {
    await imageSize(bytes, 'x');
    await decodeFrames(bytes, { maxPixels: 1 << 20 });
  });
}

/** tokenizer.json: loading, encoding and decoding. */
export function tokenizer(bytes) {
  const model = object(bytes);
  return mayThrow([TextError], () => {
    if (model === undefined) return;
    const made = new Tokenizer(model);
    made.decode(made.encode('Is the mass <|im_end|> 12 mm?\n\u{1f600} e\u0301'));
    made.decode([0, 1, made.size - 1, made.size, 2 ** 24]);
  });
}

/** A chat template, rendered. */
export function template(bytes) {
  return mayThrow([TextError], () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'What is it?' }] },
    ];
    new ChatTemplate({ source: text(bytes) }).render(messages, { addGenerationPrompt: true });
  });
}

/** Configs of runs. */
export async function config(bytes) {
  for (const parse of [parseSftConfig, parseGrpoConfig]) {
    await mayThrow([OslerError, FileError], () => parse({ file: 'run.yaml', text: text(bytes) }));
  }
}

/** config.json and preprocessor_config.json of a model. */
export async function model(bytes) {
  const raw = object(bytes);
  await mayThrow([OslerError, FileError], () => raw && parseConfig(raw));
  await mayThrow([ImageError, FileError], () => parseImageConfig(bytes, 'preprocessor_config.json'));
}

/** The body of a request to `osler serve`. */
export function request(bytes) {
  const body = json(bytes);
  if (body === undefined) return Promise.resolve();
  return mayThrow([RequestError, TextError], () => parseChatRequest(body, { maxNewTokens: 64, model: 'm' }));
}
