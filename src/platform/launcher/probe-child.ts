/** Runs in a child process: prints which adapter Dawn finds, as one line of JSON. A crash here hurts nobody. */
import { create } from 'webgpu';
import type { FoundAdapter } from './probe.js';

const gpu = create([]);
const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
let found: FoundAdapter | null = null;
if (adapter) {
  const { vendor, device, description, isFallbackAdapter } = adapter.info;
  const software =
    isFallbackAdapter || /llvmpipe|lavapipe|swiftshader|basic render/i.test(`${device} ${description}`);
  found = { vendor, name: device || description, driver: description, software };
}
// The stream is flushed before the exit, which leaves out the driver's own teardown.
process.stdout.write(`${JSON.stringify({ found })}\n`, () => process.exit(gpu ? 0 : 1));
