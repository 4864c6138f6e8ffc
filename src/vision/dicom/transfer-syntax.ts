/** How a DICOM file's pixels are stored. */

/** Ways of storing pixels that can be read. */
export type PixelCoding = 'native' | 'rle' | 'jpeg' | 'jpeg-lossless' | 'jpeg-ls' | 'jpeg-2000';

/** A transfer syntax that can be read. */
export interface TransferSyntax {
  readonly coding: PixelCoding;
  /** Whether native samples of 16 bits begin with the high byte. */
  readonly bigEndian: boolean;
  /** Whether all after the meta header is compressed. */
  readonly deflated: boolean;
}

const ROOT = '1.2.840.10008.1.2';

const READABLE: Readonly<Record<string, PixelCoding>> = {
  '': 'native',
  '.1': 'native',
  '.1.99': 'native',
  '.2': 'native',
  '.5': 'rle',
  '.4.50': 'jpeg',
  '.4.51': 'jpeg',
  '.4.57': 'jpeg-lossless',
  '.4.70': 'jpeg-lossless',
  '.4.80': 'jpeg-ls',
  '.4.81': 'jpeg-ls',
  '.4.90': 'jpeg-2000',
  '.4.91': 'jpeg-2000',
};

const NAMES: readonly (readonly [string, string])[] = [
  ['.4.92', 'JPEG 2000 multi-component'],
  ['.4.93', 'JPEG 2000 multi-component'],
  ['.4.100', 'MPEG-2 video'],
  ['.4.101', 'MPEG-2 video'],
  ['.4.102', 'MPEG-4 video'],
  ['.4.103', 'MPEG-4 video'],
  ['.4.104', 'MPEG-4 video'],
  ['.4.105', 'MPEG-4 video'],
  ['.4.106', 'MPEG-4 video'],
  ['.4.107', 'HEVC video'],
  ['.4.108', 'HEVC video'],
  ['.4.20', 'high-throughput JPEG 2000'],
  ['.4.11', 'JPEG XL'],
  ['.4.5', 'JPEG of a retired kind'],
  ['.4.6', 'JPEG of a retired kind'],
];

/** The transfer syntax of a UID; a sentence's predicate if it cannot be read. */
export function transferSyntax(uid: string): TransferSyntax | string {
  const suffix = uid.startsWith(ROOT) ? uid.slice(ROOT.length) : undefined;
  const coding = suffix === undefined ? undefined : READABLE[suffix];
  if (coding !== undefined) return { coding, bigEndian: suffix === '.2', deflated: suffix === '.1.99' };
  const name = suffix === undefined ? undefined : NAMES.find(([start]) => suffix.startsWith(start))?.[1];
  // Other UIDs are not repeated: in a damaged file this may be that of a patient's study.
  const shown = suffix !== undefined && /^(\.\d{1,3}){1,3}$/.test(suffix) ? ` (${uid})` : '';
  return `is stored as ${name ?? 'an unknown transfer syntax'}${shown}, which is not supported; convert it with gdcmconv --raw`;
}
