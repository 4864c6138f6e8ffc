/**
 * Images: decoding, and what the vision tower takes. Files come in as bytes; formats other than DICOM are decoded by the
 * platform's `pictures`.
 */
export { encodedPicture, pictureSize, resizedViews } from './budget.js';
export * from './config.js';
export * from './decode.js';
export type { FrameChoice } from './dicom/index.js';
export { type EncodeOptions, encodeImage } from './encode.js';
export { ImageError } from './errors.js';
export type { RgbImage, Size } from './image.js';
export * from './patches.js';
export { bytesPicture, filePicture, type Picture } from './picture.js';
export { type Filter, resample } from './resample.js';
export { imageSize } from './size.js';
export { roundHalfEven, smartResize } from './smart-resize.js';
export { type ImageFormat, imageFormat } from './sniff.js';
export { ImageTally, type SkippedImage } from './tally.js';
export type { Window } from './window.js';
