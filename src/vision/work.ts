/** What is made of a picture where it may be hostile: in a helper (`src/helpers/pictures.ts`), or in place. */
import type { ImageConfig } from './config.js';
import { decodeImage } from './decode.js';
import { type EncodeOptions, encodeImage } from './encode.js';
import { ImageError } from './errors.js';
import type { RgbImage, Size } from './image.js';
import { resizeForPatches } from './patches.js';
import { imageSize } from './size.js';

/** Its size, its pixels (and those of its crops) as they are cut into patches, or a file of another format. */
export type PictureWork =
  | { readonly kind: 'size' }
  | { readonly kind: 'resize'; readonly config: ImageConfig }
  | { readonly kind: 'encode'; readonly options: EncodeOptions };

/** To the helper. */
export type PictureRequest = PictureWork & { readonly bytes: Uint8Array; readonly name: string };

/** What {@link doPictureWork} gives, by kind of work. */
export type PictureResult = Size | readonly RgbImage[] | Uint8Array;

/** From the helper: a result, or what an `ImageError` is made of. */
export type PictureReply =
  | { readonly result: PictureResult }
  | { readonly file: string; readonly problem: string };

/** Does the work in place. */
export async function doPictureWork(request: PictureRequest): Promise<PictureResult> {
  const { bytes, name } = request;
  if (request.kind === 'size') return imageSize(bytes, name);
  const image = await decodeImage(bytes, { name });
  return request.kind === 'resize'
    ? resizeForPatches(image, request.config, name)
    : encodeImage(image, request.options);
}

/** Does the work for another process. */
export async function answerPictureRequest(request: PictureRequest): Promise<PictureReply> {
  try {
    return { result: await doPictureWork(request) };
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    return { file: error.file, problem: error.problem };
  }
}
