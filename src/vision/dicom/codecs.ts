/**
 * JPEG 2000 and JPEG-LS by the reference decoders OpenJPEG and CharLS, compiled to WebAssembly: whatever a hostile stream
 * makes them do stays in their own memory.
 */

/** A decoder within a module's memory. */
interface WasmDecoder {
  getEncodedBuffer(length: number): Uint8Array;
  getDecodedBuffer(): Uint8Array;
  decode(): void;
  getFrameInfo(): FrameInfo;
  /** JPEG-LS only: 0 if components come one plane after another. */
  getInterleaveMode?(): number;
  delete(): void;
}

interface FrameInfo {
  readonly width: number;
  readonly height: number;
  readonly bitsPerSample: number;
  readonly componentCount: number;
  readonly isSigned?: boolean;
}

type WasmModule<Name extends string> = {
  readonly [name in Name]: new () => WasmDecoder;
};

/** What a codec package exports. */
export type CreateModule<Name extends string> = (options?: {
  print?: (line: string) => void;
  printErr?: (line: string) => void;
}) => Promise<WasmModule<Name>>;

/** Decoded samples. */
export interface CodecImage extends FrameInfo {
  /** Samples in the byte order of the machine, one or two bytes each. */
  readonly bytes: Uint8Array;
  readonly planar: boolean;
  readonly isSigned: boolean;
}

/**
 * Their reports go to the console otherwise; what matters comes as an exception. A new object for each module, since the
 * module is built on it.
 */
const silent = () => ({ print: () => {}, printErr: () => {} });

let openJpeg: Promise<WasmModule<'J2KDecoder'>> | undefined;
let charls: Promise<WasmModule<'JpegLSDecoder'>> | undefined;

/** Decodes a JPEG 2000 codestream. */
export async function decodeJpeg2000(stream: Uint8Array): Promise<CodecImage> {
  openJpeg ??= import('@cornerstonejs/codec-openjpeg/decodewasmjs').then((module) =>
    module.default(silent()),
  );
  const module = await openJpeg;
  return decodeWith(
    () => new module.J2KDecoder(),
    stream,
    () => {
      openJpeg = undefined;
    },
  );
}

/** Decodes a JPEG-LS stream. */
export async function decodeJpegLs(stream: Uint8Array): Promise<CodecImage> {
  charls ??= import('@cornerstonejs/codec-charls/decodewasmjs').then((module) => module.default(silent()));
  const module = await charls;
  return decodeWith(
    () => new module.JpegLSDecoder(),
    stream,
    () => {
      charls = undefined;
    },
  );
}

/**
 * @param discard forgets the module. A module that failed may be in any state, so the next image gets a new one.
 */
function decodeWith(create: () => WasmDecoder, stream: Uint8Array, discard: () => void): CodecImage {
  try {
    const decoder = create();
    decoder.getEncodedBuffer(stream.length).set(stream);
    decoder.decode();
    const info = decoder.getFrameInfo();
    // A copy: the original lies in the module's memory, which the next image overwrites.
    const bytes = decoder.getDecodedBuffer().slice();
    const { width, height, bitsPerSample, componentCount } = info;
    const planar = decoder.getInterleaveMode?.() === 0 && componentCount > 1;
    decoder.delete();
    const needed = width * height * componentCount * (bitsPerSample > 8 ? 2 : 1);
    if (bytes.length < needed) throw new Error('it ends early');
    return { width, height, bitsPerSample, componentCount, isSigned: info.isSigned === true, bytes, planar };
  } catch (error) {
    discard();
    // Exceptions of C++ come as addresses.
    throw typeof error === 'number' ? new Error('its decoder refuses it') : error;
  }
}
