/** Opening a device in a page or a worker. */
import { Gpu, type OpenOptions, OslerError } from '../../gpu/index.js';
import { SHADER_TEXTS } from './shader-texts.js';
import { web } from './web.js';

/** Options of {@link openGpu}; what is left out the browser decides. */
export type BrowserOpenOptions = Partial<OpenOptions>;

/**
 * Opens the best adapter that the browser offers.
 *
 * @throws OslerError where there is none; the message says what to do.
 */
export async function openGpu(options: BrowserOpenOptions = {}): Promise<Gpu> {
  const gpu = options.gpu ?? web.navigator?.gpu;
  if (!gpu) {
    throw new OslerError(
      'adapter',
      'this browser has no WebGPU, or offers it only to pages from https or localhost; use a current Chrome, Edge, Safari or Firefox',
    );
  }
  if (!(await gpu.requestAdapter())) {
    throw new OslerError(
      'adapter',
      'this browser finds no GPU that WebGPU may use; update the driver and the browser, and see chrome://gpu or about:support for why it is refused',
    );
  }
  return Gpu.open({ shaders: (path) => SHADER_TEXTS[path] as string, ...options, gpu });
}
