/** How a checkpoint wants its images: `preprocessor_config.json`. */
import { ImageError, reason } from './errors.js';
import type { Size } from './image.js';
import type { PanAndScan } from './pan-and-scan.js';
import type { Filter } from './resample.js';

/** How pictures become patches. */
export interface ImageConfig {
  /** The one size that all images get; null where each keeps its shape, within limits. */
  readonly exactSize: Size | null;
  readonly filter: Filter;
  /** Which pictures are shown in crops, too; null for none. Only where all images get one size. */
  readonly panAndScan: PanAndScan | null;
  /** Fewest pixels after resizing: smaller images are enlarged. */
  readonly minPixels: number;
  /** Most pixels after resizing: larger images are shrunk. */
  readonly maxPixels: number;
  /** Side of a patch in pixels. */
  readonly patchSize: number;
  /** Frames in a patch; a still image is repeated. */
  readonly temporalPatchSize: number;
  /** Patches that the tower merges to one token, along each side. */
  readonly mergeSize: number;
  /** What a byte is multiplied with. */
  readonly rescaleFactor: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** What the published Qwen2-VL and Qwen2.5-VL checkpoints say: for whoever has no model at hand. */
export const DEFAULT_IMAGE_CONFIG: ImageConfig = {
  exactSize: null,
  filter: 'bicubic',
  panAndScan: null,
  minPixels: 56 * 56,
  maxPixels: 28 * 28 * 16384,
  patchSize: 14,
  temporalPatchSize: 2,
  mergeSize: 2,
  rescaleFactor: 1 / 255,
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};

/** Resampling filters by their numbers in Pillow. */
const FILTERS: ReadonlyMap<unknown, Filter> = new Map([
  [2, 'bilinear'],
  [3, 'bicubic'],
]);

/** Settings whose other value is not implemented, as no checkpoint has it. */
const ALWAYS = ['do_resize', 'do_rescale', 'do_normalize', 'do_convert_rgb'] as const;
const NEVER = ['do_center_crop'] as const;

/** What transformers' processor of Gemma 3 does where nothing else is said. */
const PAN_AND_SCAN: PanAndScan = { minCrop: 256, mostCrops: 4, leastRatio: 1.2 };
/** More crops of a picture than any checkpoint makes. */
const MOST_CROPS = 64;

/**
 * Reads `preprocessor_config.json`. `min_pixels` and `max_pixels` win over `size`, as in transformers.
 *
 * @param file what error messages call it.
 * @param base values of missing fields.
 */
export function parseImageConfig(
  bytes: Uint8Array,
  file = 'preprocessor_config.json',
  base: ImageConfig = DEFAULT_IMAGE_CONFIG,
): ImageConfig {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new ImageError(file, `is not valid JSON (${reason(error)})`);
  }
  if (json === null || typeof json !== 'object' || Array.isArray(json)) {
    throw new ImageError(file, 'is JSON but not an object');
  }
  let config = json as Record<string, unknown>;
  // transformers 5 may keep the processors of one model together.
  if (typeof config.image_processor === 'object' && config.image_processor !== null) {
    config = config.image_processor as Record<string, unknown>;
  }
  const size = (config.size ?? {}) as Record<string, unknown>;
  for (const key of ALWAYS) {
    if (config[key] === false) throw new ImageError(file, `has ${key}: false, which is not supported`);
  }
  for (const key of NEVER) {
    if (config[key] === true) throw new ImageError(file, `has ${key}: true, which is not supported`);
  }
  const filter = config.resample === undefined ? base.filter : FILTERS.get(config.resample);
  if (filter === undefined) {
    const known = 'only 2 (bilinear) and 3 (bicubic) are supported';
    throw new ImageError(file, `has resample ${String(config.resample)}; ${known}`);
  }
  const number = (name: string, value: unknown, fallback: number, whole: boolean): number => {
    const v = value ?? fallback;
    if (typeof v !== 'number' || !(v > 0) || !Number.isFinite(v) || (whole && !Number.isSafeInteger(v))) {
      throw new ImageError(
        file,
        `has the ${name} ${JSON.stringify(v)}, which is no positive ${whole ? 'whole ' : ''}number`,
      );
    }
    return v;
  };
  const exact = size.height !== undefined || size.width !== undefined;
  const panAndScan = (asked: unknown): PanAndScan | null => {
    if ((asked ?? base.panAndScan !== null) !== true) return null;
    const { minCrop, mostCrops, leastRatio } = base.panAndScan ?? PAN_AND_SCAN;
    const named = (name: string, fallback: number, whole: boolean) =>
      number(`pan_and_scan_${name}`, config[`pan_and_scan_${name}`], fallback, whole);
    return {
      minCrop: named('min_crop_size', minCrop, true),
      mostCrops: named('max_num_crops', mostCrops, true),
      leastRatio: named('min_ratio_to_activate', leastRatio, false),
    };
  };
  return checkImageConfig(
    {
      exactSize: exact
        ? {
            height: number('height', size.height, 0, true),
            width: number('width', size.width, 0, true),
          }
        : base.exactSize,
      filter,
      panAndScan: panAndScan(config.do_pan_and_scan),
      minPixels: number(
        'min_pixels',
        config.min_pixels ?? size.min_pixels ?? size.shortest_edge,
        base.minPixels,
        true,
      ),
      maxPixels: number(
        'max_pixels',
        config.max_pixels ?? size.max_pixels ?? size.longest_edge,
        base.maxPixels,
        true,
      ),
      patchSize: number('patch_size', config.patch_size, base.patchSize, true),
      temporalPatchSize: number(
        'temporal_patch_size',
        config.temporal_patch_size,
        base.temporalPatchSize,
        true,
      ),
      mergeSize: number('merge_size', config.merge_size, base.mergeSize, true),
      rescaleFactor: number('rescale_factor', config.rescale_factor, base.rescaleFactor, false),
      mean: triple(config.image_mean ?? base.mean, 'image_mean', file),
      std: triple(config.image_std ?? base.std, 'image_std', file),
    },
    file,
  );
}

/** The same settings within other limits, as a run's config asks for. */
export function withPixelLimits(
  config: ImageConfig,
  limits: { minPixels?: number | undefined; maxPixels?: number | undefined },
): ImageConfig {
  if (config.exactSize && (limits.minPixels ?? limits.maxPixels) !== undefined) {
    const { height, width } = config.exactSize;
    throw new ImageError(
      'the image settings',
      `limit pixels, but this model takes pictures of ${width}x${height}; leave out min_pixels and max_pixels`,
    );
  }
  return checkImageConfig(
    {
      ...config,
      minPixels: limits.minPixels ?? config.minPixels,
      maxPixels: limits.maxPixels ?? config.maxPixels,
    },
    'the image settings',
  );
}

/** The settings as `preprocessor_config.json`, for a checkpoint that is made. */
export function imageConfigJson(config: ImageConfig): Record<string, unknown> {
  return {
    ...(config.exactSize
      ? { size: config.exactSize }
      : { min_pixels: config.minPixels, max_pixels: config.maxPixels }),
    ...(config.panAndScan && {
      do_pan_and_scan: true,
      pan_and_scan_min_crop_size: config.panAndScan.minCrop,
      pan_and_scan_max_num_crops: config.panAndScan.mostCrops,
      pan_and_scan_min_ratio_to_activate: config.panAndScan.leastRatio,
    }),
    resample: config.filter === 'bicubic' ? 3 : 2,
    patch_size: config.patchSize,
    temporal_patch_size: config.temporalPatchSize,
    merge_size: config.mergeSize,
    image_mean: config.mean,
    image_std: config.std,
    image_processor_type: 'Qwen2VLImageProcessor',
    processor_class: 'Qwen2VLProcessor',
  };
}

/** Every picture is enlarged to `min_pixels`, however small: here to more than what published checkpoints take at most. */
const MOST_MIN_PIXELS = 2 ** 24;

function checkImageConfig(config: ImageConfig, file: string): ImageConfig {
  if (config.minPixels > MOST_MIN_PIXELS) {
    throw new ImageError(
      file,
      `has min_pixels ${config.minPixels}; at most ${MOST_MIN_PIXELS} can be asked for`,
    );
  }
  if (config.minPixels > config.maxPixels) {
    throw new ImageError(file, `has min_pixels ${config.minPixels} over max_pixels ${config.maxPixels}`);
  }
  if (config.patchSize * config.mergeSize > 1024 || config.temporalPatchSize > 16) {
    throw new ImageError(file, 'has patches of a size that no checkpoint has');
  }
  if (config.panAndScan && !config.exactSize) {
    throw new ImageError(
      file,
      'has do_pan_and_scan: true, which is for models that take pictures of one size',
    );
  }
  if (config.panAndScan && config.panAndScan.mostCrops > MOST_CROPS) {
    const { mostCrops } = config.panAndScan;
    throw new ImageError(file, `has pan_and_scan_max_num_crops ${mostCrops}; at most ${MOST_CROPS} are made`);
  }
  const { height, width } = config.exactSize ?? { height: 0, width: 0 };
  const cell = config.patchSize * config.mergeSize;
  if (height % cell !== 0 || width % cell !== 0 || height * width > MOST_MIN_PIXELS) {
    const expected = `multiples of ${cell}, of at most ${MOST_MIN_PIXELS} pixels`;
    throw new ImageError(file, `has the size ${width}x${height}; expected ${expected}`);
  }
  return config;
}

function triple(value: unknown, name: string, file: string): readonly [number, number, number] {
  if (!Array.isArray(value) || value.length !== 3 || !value.every((v) => Number.isFinite(v))) {
    throw new ImageError(file, `has ${JSON.stringify(value)} for ${name}; it is three numbers`);
  }
  return value as [number, number, number];
}
