/** What is used here of browsers, and of workers in them: types of the DOM would offer the rest of the engine what Node lacks. */

/** A decoded picture. */
export interface WebBitmap {
  readonly width: number;
  readonly height: number;
  close(): void;
}

interface Canvas2d {
  drawImage(image: WebBitmap, x: number, y: number, width: number, height: number): void;
  getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
  putImageData(image: object, x: number, y: number): void;
  imageSmoothingQuality: string;
}

/** A canvas that no page shows. */
export interface WebCanvas {
  getContext(kind: '2d', options: { willReadFrequently: boolean; colorSpace: 'srgb' }): Canvas2d | null;
  convertToBlob(options: { type: string; quality?: number }): Promise<Blob>;
}

interface Web {
  createImageBitmap(source: Blob | object, options?: { colorSpaceConversion: 'none' }): Promise<WebBitmap>;
  readonly ImageData: new (data: Uint8ClampedArray<ArrayBuffer>, width: number, height: number) => object;
  readonly OffscreenCanvas: new (width: number, height: number) => WebCanvas;
  readonly navigator?: { readonly gpu?: GPU };
}

/** The global object of a page or of a worker. */
export const web = globalThis as unknown as Web;
