/** What stands between records and a model: tokenizer, chat template, image settings, and the files they come from. */
import { DataError, type ImageSource, imageFile, imageName, type SampleFields } from '../data/index.js';
import { folderReader, readWholeFile } from '../platform/files.js';
import { type ChatTemplate, loadChatTemplate, loadTokenizer, type Tokenizer } from '../text/index.js';
import {
  DEFAULT_IMAGE_CONFIG,
  decodeImage,
  type ImageConfig,
  imageGrid,
  imageSize,
  imagesToPatches,
  parseImageConfig,
  type RgbImage,
  withPixelLimits,
} from '../vision/index.js';
import type { Grid, ModelConfig } from './index.js';

/** Files of a model folder that a checkpoint must have besides weights and config.json to be used alone. */
const COMPANIONS = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'chat_template.jinja',
  'chat_template.json',
  'generation_config.json',
  'preprocessor_config.json',
  'video_preprocessor_config.json',
  'processor_config.json',
];

/** Patches of a sample's pictures. */
export interface SampleImages {
  readonly pixels: Float32Array;
  readonly grids: readonly Grid[];
}

/** Settings of {@link loadProcessor}. */
export interface ProcessorOptions {
  readonly minPixels?: number | null;
  readonly maxPixels?: number | null;
}

/** Text and pictures of one model folder. */
export class Processor {
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate;
  readonly imageConfig: ImageConfig;
  /** Text files to save with every checkpoint, by name. */
  readonly files: Readonly<Record<string, string>>;

  /** Usually made by {@link loadProcessor}. */
  constructor(parts: Pick<Processor, 'tokenizer' | 'template' | 'imageConfig' | 'files'>) {
    this.tokenizer = parts.tokenizer;
    this.template = parts.template;
    this.imageConfig = parts.imageConfig;
    this.files = parts.files;
  }

  /** The grid that a picture of a sample will have, from its file's header. */
  async grid(sample: SampleFields, image: ImageSource): Promise<Grid> {
    const { name, bytes } = await open(sample, image);
    return imageGrid(await imageSize(bytes, name), this.imageConfig, name);
  }

  /** Reads and decodes a picture of a sample. */
  async decode(sample: SampleFields, image: ImageSource): Promise<RgbImage> {
    const { name, bytes } = await open(sample, image);
    return decodeImage(bytes, { name });
  }

  /** Patches and grids of a sample's pictures, as the vision tower takes them. */
  async images(sample: SampleFields, sources: readonly ImageSource[]): Promise<SampleImages> {
    const decoded = await Promise.all(sources.map((image) => this.decode(sample, image)));
    const { pixelValues, grids } = imagesToPatches(decoded, this.imageConfig, sources.map(imageName));
    return { pixels: pixelValues, grids };
  }
}

async function open(sample: SampleFields, image: ImageSource): Promise<{ name: string; bytes: Uint8Array }> {
  if (typeof image !== 'string') return { name: imageName(image), bytes: image.bytes };
  const name = imageFile(sample, image) as string;
  return { name, bytes: await readWhole(sample, name) };
}

async function readWhole(sample: SampleFields, file: string): Promise<Uint8Array> {
  try {
    return await readWholeFile(file);
  } catch (error) {
    const { file: dataset = 'the dataset', line } = sample.source ?? {};
    const place = line === undefined ? { file: dataset } : { file: dataset, line };
    throw new DataError({ ...place, field: 'image' }, `cannot be used: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Loads a model folder's tokenizer, template and image settings. */
export async function loadProcessor(
  dir: string,
  config: ModelConfig,
  options: ProcessorOptions = {},
): Promise<Processor> {
  const read = folderReader(dir);
  const files: Record<string, string> = {};
  for (const name of COMPANIONS) {
    const bytes = await read(name);
    if (bytes) files[name] = new TextDecoder().decode(bytes);
  }
  return new Processor({
    tokenizer: await loadTokenizer(read, dir),
    template: await loadChatTemplate(read, dir),
    imageConfig: await imageConfigOf(dir, config, options),
    files,
  });
}

async function imageConfigOf(
  dir: string,
  config: ModelConfig,
  options: ProcessorOptions,
): Promise<ImageConfig> {
  const bytes = await folderReader(dir)('preprocessor_config.json');
  const { vision } = config;
  const own = vision
    ? {
        patchSize: vision.patchSize,
        mergeSize: vision.mergeSize,
        temporalPatchSize: vision.temporalPatchSize,
      }
    : {};
  const base = bytes
    ? parseImageConfig(bytes, `${dir}/preprocessor_config.json`)
    : { ...DEFAULT_IMAGE_CONFIG, ...own };
  return withPixelLimits(base, {
    minPixels: options.minPixels ?? undefined,
    maxPixels: options.maxPixels ?? undefined,
  });
}
