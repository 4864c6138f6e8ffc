/** Text and pictures of one model folder: tokenizer, chat template, image settings. */
import { type FolderReader, folderReader, isFolder, readWholeFile } from '../../platform/files.js';
import { findChatTemplate, openCoder, type TextCoder, type Vocabulary } from '../../text/index.js';
import {
  cutPatches,
  DEFAULT_IMAGE_CONFIG,
  type ImageConfig,
  ImageError,
  imageGrids,
  type Picture,
  parseImageConfig,
  pictureSize,
  resizedViews,
  withPixelLimits,
} from '../../vision/index.js';
import type { ModelConfig } from '../core/config.js';
import type { Grid } from '../core/grid.js';
import type { ImagePatches } from '../core/patches.js';
import { readJson } from '../core/read-json.js';

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

/** Bytes that such a file may have: twice the largest tokenizer that is published. */
const MOST_BYTES = 64 * 2 ** 20;

/** Settings of {@link loadProcessor}. */
export interface ProcessorOptions {
  readonly minPixels?: number | null;
  readonly maxPixels?: number | null;
  /** A Jinja file or a model folder whose template is used in place of the folder's own. */
  readonly chatTemplate?: string | null;
}

/** See above; `PromptEncoder` puts it to use. */
export class Processor {
  readonly coder: TextCoder;
  readonly imageConfig: ImageConfig;
  /** Text files to save with every checkpoint, by name. */
  readonly files: Readonly<Record<string, string>>;
  /** Grids of the views of a picture, by its key. */
  readonly #grids = new Map<string, Promise<readonly Grid[]>>();

  /** Usually made by {@link loadProcessor}. */
  constructor(parts: Pick<Processor, 'coder' | 'imageConfig' | 'files'>) {
    this.coder = parts.coder;
    this.imageConfig = parts.imageConfig;
    this.files = parts.files;
  }

  /** What ids mean. */
  get tokenizer(): Vocabulary {
    return this.coder.vocabulary;
  }

  /** The grids that a picture and its crops will have, from its file's header; read once for pictures that have a key. */
  async grids(picture: Picture): Promise<readonly Grid[]> {
    const { key } = picture;
    if (key === undefined) return this.#readGrids(picture);
    let grids = this.#grids.get(key);
    if (!grids) {
      grids = this.#readGrids(picture);
      this.#grids.set(key, grids);
      // Whoever asks again shall hear of the failure in its own terms.
      grids.catch(() => this.#grids.delete(key));
    }
    return grids;
  }

  /**
   * Reads and decodes pictures, and cuts them into patches.
   *
   * @param signal aborted where nobody waits for them any more.
   */
  async patches(pictures: readonly Picture[], signal?: AbortSignal): Promise<ImagePatches> {
    // Where one cannot be used, nobody waits for the others.
    const failure = new AbortController();
    const either = signal ? AbortSignal.any([signal, failure.signal]) : failure.signal;
    try {
      const resized = await Promise.all(
        pictures.map((picture) => resizedViews(picture, this.imageConfig, either)),
      );
      const { pixelValues, grids } = cutPatches(resized.flat(), this.imageConfig);
      return { pixels: pixelValues, grids };
    } catch (error) {
      failure.abort();
      throw error;
    }
  }

  async #readGrids(picture: Picture): Promise<readonly Grid[]> {
    return imageGrids(await pictureSize(picture), this.imageConfig, picture.name);
  }
}

/** Loads a model folder's tokenizer, template and image settings. */
export async function loadProcessor(
  dir: string,
  config: ModelConfig,
  options: ProcessorOptions = {},
): Promise<Processor> {
  const own = folderReader(dir, MOST_BYTES);
  const read = options.chatTemplate ? await withTemplate(own, options.chatTemplate) : own;
  const files: Record<string, string> = {};
  for (const name of COMPANIONS) {
    const bytes = await read(name);
    if (bytes) files[name] = new TextDecoder().decode(bytes);
  }
  return new Processor({
    coder: await openCoder(read, dir, { template: config.chatTemplate }),
    imageConfig: await imageConfigOf(dir, config, options),
    files,
  });
}

/** A folder's files with the chat template of another place. */
async function withTemplate(read: FolderReader, place: string): Promise<FolderReader> {
  const template = (await isFolder(place))
    ? new TextEncoder().encode((await findChatTemplate(folderReader(place, MOST_BYTES), place)).source)
    : await readWholeFile(place, MOST_BYTES);
  return async (name) => {
    if (name === 'chat_template.json') return undefined;
    return name === 'chat_template.jinja' ? template : read(name);
  };
}

/** What both files say of patches: a smaller one here would make pictures of more patches than anything is prepared for. */
const SHARED = [
  ['patch_size', 'patchSize'],
  ['merge_size', 'mergeSize'],
  ['temporal_patch_size', 'temporalPatchSize'],
] as const;

async function imageConfigOf(
  dir: string,
  config: ModelConfig,
  options: ProcessorOptions,
): Promise<ImageConfig> {
  // transformers 5 keeps the settings of all processors of a model together; older files lie beside it where they were kept.
  const joint = await readJson(dir, 'processor_config.json');
  const name = joint?.image_processor ? 'processor_config.json' : 'preprocessor_config.json';
  const bytes = await folderReader(dir)(name);
  const { vision } = config;
  const own = vision?.pictures ?? DEFAULT_IMAGE_CONFIG;
  const file = `${dir}/${name}`;
  const base = bytes ? parseImageConfig(bytes, file, own) : own;
  for (const [name, field] of SHARED) {
    if (vision && base[field] !== vision[field]) {
      throw new ImageError(file, `has the ${name} ${base[field]}, but config.json makes it ${vision[field]}`);
    }
  }
  return withPixelLimits(base, {
    minPixels: options.minPixels ?? undefined,
    maxPixels: options.maxPixels ?? undefined,
  });
}
