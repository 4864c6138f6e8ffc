/** What `osler generate` and `osler serve` share: a model that is ready to generate, and prompts for it. */

import type { Argv } from 'yargs';
import { Generator, loadStopIds } from '../generate/index.js';
import type { Gpu } from '../gpu/index.js';
import type { WeightDtype } from '../models/core/load-weights.js';
import { loadAdapter } from '../models/core/lora/disk.js';
import type { Model } from '../models/core/model.js';
import { loadConfig, loadModel } from '../models/load.js';
import { loadProcessor, type PreparedPrompt, PromptEncoder } from '../models/processor/index.js';
import { FileError } from '../platform/errors.js';
import { namesIn, readWholeFile } from '../platform/files.js';
import { FLOATS, type FloatDType } from '../tensor/index.js';
import { type Message, mapImages } from '../text/index.js';
import { bytesPicture, ImageError, type Picture } from '../vision/index.js';
import { UsageError } from './common.js';
import { openDevice } from './device.js';
import { COUNT, numbers } from './numbers.js';
import { tell } from './terminal.js';

/** Options of commands that generate. */
export interface GenerationArgs {
  readonly model: string;
  readonly adapter?: string;
  readonly dtype: WeightDtype;
  readonly kvDtype: FloatDType;
  readonly batch: number;
  readonly maxPixels?: number;
  readonly tier?: string;
}

/** Adds the options of {@link GenerationArgs}. */
export function generationOptions<T>(yargs: Argv<T>): Argv<T & GenerationArgs> {
  const options = yargs
    .option('model', {
      type: 'string',
      demandOption: true,
      describe: 'Folder with config.json and safetensors',
    })
    .option('adapter', { type: 'string', describe: 'Folder of a LoRA adapter in PEFT format' })
    .option('dtype', {
      choices: ['auto', ...FLOATS] as const,
      default: 'auto' as const,
      describe: 'How weights are stored on the device; auto keeps what the file has',
    })
    .option('kv-dtype', {
      choices: FLOATS,
      default: 'f32' as const,
      describe: 'How keys and values are stored; 16 bits halve the memory of the cache',
    })
    .option('batch', {
      type: 'number',
      default: 64,
      describe: 'Most completions that are generated together',
    })
    .option('max-pixels', {
      type: 'number',
      describe: 'Larger pictures are shrunk; what the model says by default',
    })
    .option('tier', { type: 'string', describe: 'Feature tier of the kernels; the best by default' })
    .check(numbers({ batch: COUNT, 'max-pixels': COUNT }), false);
  // yargs knows the names with dashes; commands get them in camel case as well.
  return options as unknown as Argv<T & GenerationArgs>;
}

/** A model that is ready to generate. */
export interface GenerationSession {
  readonly gpu: Gpu;
  readonly model: Model;
  /** Null where the folder has no tokenizer. */
  readonly encoder: PromptEncoder | null;
  readonly generator: Generator;
  close(): Promise<void>;
}

/** Loads what a command asks for. With `ignoreEos` nothing but the cap on tokens ends a completion. */
export async function openSession(args: GenerationArgs, ignoreEos = false): Promise<GenerationSession> {
  const config = await loadConfig(args.model);
  const hasTokenizer = (await namesIn(args.model)).includes('tokenizer.json');
  const processor = hasTokenizer
    ? await loadProcessor(args.model, config, { maxPixels: args.maxPixels ?? null })
    : null;
  const stopIds = ignoreEos ? [] : await loadStopIds(args.model, config, processor?.tokenizer);
  const gpu = await openDevice({ tier: args.tier });
  try {
    const model = await loadModel(gpu, args.model, { dtype: args.dtype });
    for (const warning of model.warnings) tell(`warning: ${warning}`);
    if (args.adapter) await loadAdapter(model, args.adapter);
    const generator = new Generator(model, {
      ...(processor ? { tokenizer: processor.tokenizer } : {}),
      maxBatch: args.batch,
      kvDtype: args.kvDtype,
      stopIds,
    });
    return {
      gpu,
      model,
      encoder: processor && new PromptEncoder(config, processor),
      generator,
      close: async () => {
        await generator.dispose();
        model.dispose();
        await gpu.destroy();
      },
    };
  } catch (error) {
    await gpu.destroy();
    throw error;
  }
}

/** The picture that a message means by what stands there; the name of the prompt is for error messages. */
export type PictureReader = (image: unknown, name: string) => Picture;

/** The bytes of a `data:` URL; undefined for other texts. */
export function dataUrlBytes(url: string): Uint8Array | undefined {
  const [, encoded] = /^data:[^,]*;base64,(.*)$/s.exec(url) ?? [];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64');
}

/** Pictures in files below some folder, or in data URLs. */
export function filePictures(resolve: (path: string) => string): PictureReader {
  return (image, name) => {
    if (typeof image !== 'string') throw new UsageError(`${name} has a picture without a path`);
    const bytes = dataUrlBytes(image);
    if (bytes) return bytesPicture(`${name}: a picture`, bytes);
    const path = resolve(image);
    return { name: path, key: path, read: () => readPicture(path, name) };
  };
}

async function readPicture(path: string, name: string): Promise<Uint8Array> {
  try {
    return await readWholeFile(path);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw new ImageError(`${path}, a picture of ${name},`, error.problem);
  }
}

/**
 * A conversation as the model's prompt.
 *
 * @param signal aborted where nobody waits for it any more.
 */
export async function chatPrompt(
  session: GenerationSession,
  messages: readonly Message[],
  read: PictureReader,
  name: string,
  signal?: AbortSignal,
): Promise<PreparedPrompt> {
  const encoder = encoderOf(session);
  const prompt = await encoder.prompt(
    mapImages(messages, (image) => read(image, name)),
    { name },
  );
  return encoder.prepare(prompt, signal);
}

/** A text as it is, without a template; pictures stand where it has their placeholder tokens. */
export async function rawPrompt(
  session: GenerationSession,
  text: string,
  pictures: readonly string[],
  read: PictureReader,
  name: string,
): Promise<PreparedPrompt> {
  const encoder = encoderOf(session);
  const prompt = await encoder.text(
    text,
    pictures.map((image) => read(image, name)),
    { name },
  );
  return encoder.prepare(prompt);
}

function encoderOf({ encoder }: GenerationSession): PromptEncoder {
  if (encoder) return encoder;
  throw new UsageError(
    'the model folder has no tokenizer.json; without it only --inputs can be generated from',
  );
}
