/** Fixtures that lie beside the page; bundled in the place of kernels-tests/support/fixture.ts. */
import { type FixtureTensor, parseFixture } from '../../kernels-tests/support/fixture-format.js';

/** Reads a fixture at once, as tests do: a worker may wait for a request. */
export function fixture(family: string): Record<string, FixtureTensor> {
  const request = new XMLHttpRequest();
  request.open('GET', new URL(`fixtures/${family}.safetensors`, import.meta.url), false);
  request.responseType = 'arraybuffer';
  request.send();
  if (request.status !== 200) throw new Error(`the page lacks its file fixtures/${family}.safetensors`);
  return parseFixture(new Uint8Array(request.response as ArrayBuffer));
}
