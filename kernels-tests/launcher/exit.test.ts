/** Programs that use the GPU must end by themselves, with their own exit code and without a crash. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const WEBGPU = new URL('../../dist/platform/launcher/webgpu.js', import.meta.url).href;
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const RUN = fileURLToPath(new URL('../../dist/platform/launcher/run.js', import.meta.url));

const PROLOGUE = `
const { loadWebGpu } = await import(${JSON.stringify(WEBGPU)});
const adapter = await loadWebGpu().gpu.requestAdapter();
const device = await adapter.requestDevice();
const buffer = device.createBuffer({ size: 1024, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
for (let i = 0; i < 8; i++) {
  device.queue.writeBuffer(buffer, 0, new Uint32Array([i]));
  await buffer.mapAsync(GPUMapMode.READ);
  if (new Uint32Array(buffer.getMappedRange())[0] !== i) throw new Error('wrong data');
  buffer.unmap();
  gc();
  await new Promise((resolve) => setTimeout(resolve, 1));
}
`;

const endings: [string, string, number][] = [
  ['everything kept', 'globalThis.kept = [adapter, device, buffer];', 0],
  ['nothing kept', 'gc();', 0],
  ['device destroyed', 'device.destroy();', 0],
  ['a wait pending', 'void buffer.mapAsync(GPUMapMode.READ);', 0],
  ['device.lost awaited', 'device.lost.then(() => {}); gc();', 0],
  ['process.exit in mid-wait', 'void device.queue.onSubmittedWorkDone(); process.exit(7);', 7],
];

describe('ends cleanly', () => {
  it.concurrent.each(endings)('%s', async (_, ending, expected) => {
    const code = `data:text/javascript,${encodeURIComponent(PROLOGUE + ending)}`;
    const script = `import(${JSON.stringify(code)})`;
    const { status, stderr } = await run(['--expose-gc', '--input-type=module', '-e', script]);
    expect({ status, stderr }).toEqual({ status: expected, stderr: '' });
  });

  it('run.js says how it is used', async () => {
    const { status, stderr } = await run([RUN]);
    expect(status).toBe(2);
    expect(stderr).toContain('usage');
  });

  it('says which adapters there are where OSLER_ADAPTER fits none', async () => {
    const { status, stderr } = await run([MAIN, 'doctor'], { OSLER_ADAPTER: 'no such thing' });
    expect(stderr).toMatch(
      /^osler: OSLER_ADAPTER is "no such thing", which is part of no adapter's name; there (is|are) .+$/,
    );
    expect(status).toBe(2);
  });
});

/** Runs Node as this process runs; returns how it ended and what it said beyond Dawn's two harmless warnings. */
function run(
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ status: number | NodeJS.Signals | null; stderr: string }> {
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  });
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      const lines = stderr.split('\n').filter((line) => line && !line.includes('artificially reduced'));
      resolve({ status: code ?? signal, stderr: lines.join('\n') });
    });
  });
}
